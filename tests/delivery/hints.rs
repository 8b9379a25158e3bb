//! What servers of one database tell each other.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::json;
use sqlx::postgres::PgListener;
use widget_registry::auth::{AccountId, Caller, Role, Scopes, UserId};
use widget_registry::background::{Background, Bell};
use widget_registry::continuations::proceed::{self, Outcome};
use widget_registry::continuations::{Bot, BotResult, BotType, ContinueId};
use widget_registry::database::hints::Hints;
use widget_registry::delivery::hint;

use super::{ack, engine_of, lease, local, open, open_pushed, proceed};
use crate::support::{Claims, Engine, TestApp, test, test_two, test_with};

const CHANNEL: &str = "widget_registry_deliveries";

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

fn hints(app: &TestApp) -> Hints {
    Hints::of(&app.database_url.clone().into()).unwrap()
}

async fn say(app: &TestApp, word: &str) {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(&app.pool).await.unwrap();
}

/// Sessions that listen.
async fn listening(app: &TestApp) -> Vec<i32> {
    let statement = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    sqlx::query_scalar(statement).fetch_all(&app.pool).await.unwrap()
}

#[test]
fn an_event_is_told_to_other_servers() {
    test(async |app| {
        let mut other = PgListener::connect_with(&app.pool).await.unwrap();
        other.listen(CHANNEL).await.unwrap();
        let engine = engine_of(app).await;
        for _ in 0..2 {
            let id = open(&engine, 77, json!({})).await;
            proceed(app, 77, id).await;
            tokio::time::timeout(PATIENCE, other.recv()).await.expect("it is told").unwrap();
        }
    });
}

#[test]
fn what_other_servers_tell_is_heard_even_after_a_lost_connection() {
    test(async |app| {
        let (mut background, bell) = (Background::default(), Bell::default());
        let mut rung = bell.listen();
        let (hints, heard) = (hints(app), bell.clone());
        background.start("hearing", move |stop| hint::hear(hints.clone(), heard.clone(), "own".to_owned(), stop));
        let mut heard = async || tokio::time::timeout(PATIENCE, rung.heard()).await.expect("it is heard");
        // Listening has begun.
        heard().await;
        say(app, "another").await;
        heard().await;
        let sessions = listening(app).await;
        assert!(!sessions.is_empty());
        for session in sessions {
            sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(session).execute(&app.pool).await.unwrap();
        }
        // It listens anew, and what was said meanwhile may be lost.
        heard().await;
        say(app, "another").await;
        heard().await;
        background.stop().await;
    });
}

#[test]
fn two_servers_of_one_database_share_the_work() {
    test_two(async |first, second| {
        engine_of(first).await;
        let engine = [first, second].map(|app| app.caller(Claims::user(1, 9).scopes(&["bots"])));
        for round in 0..4 {
            let (here, there) = (&engine[round % 2], &engine[(round + 1) % 2]);
            let id = open(here, 77, json!({})).await;
            let began = Instant::now();
            let (leased, ()) = tokio::join!(lease(there, 1), proceed(first, 77, id));
            assert_eq!(leased[0]["event"]["continue_id"], id, "round {round}");
            assert!(began.elapsed() < Duration::from_secs(8), "it did not wait for its end");
            assert_eq!(ack(there, &leased[0]).await, 204);
        }
    });
}

#[test]
fn who_fetches_is_told_and_nobody_else() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let receiver = Engine::answering(204).await;
        let caller = Caller {
            account: AccountId::new(1).unwrap(),
            user: UserId::new(7).unwrap(),
            role: Role::Admin,
            client: None,
            scopes: Scopes::default(),
        };
        let bot = Bot { kind: BotType::Salesbot, id: 77 };
        for is_pushed in [false, true] {
            let id =
                if is_pushed { open_pushed(&engine, 77, &receiver).await } else { open(&engine, 77, json!({})).await };
            let bell = Bell::default();
            let (mut fetching, mut worker, mut here) = (bell.listen_for(1), bell.listen(), bell.listen_here());
            let outcome =
                proceed::proceed((&app.service, &bell), &caller, (bot, ContinueId(id)), BotResult::default(), None)
                    .await;
            assert_eq!(outcome.unwrap(), Outcome::Continued { is_pushed });
            fetching.heard().await;
            here.heard().await;
            assert_eq!(worker.heard().now_or_never().is_some(), is_pushed);
        }
    });
}
