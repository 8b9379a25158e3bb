//! The order of one bot's events, and bots that do not slow each other.

use std::collections::BTreeMap;

use super::{ack, engine_of, lease, lease_now, let_time_pass, local, open, open_pushed, proceed};
use crate::support::{Claims, Engine, test, test_with};

#[test]
fn first_deliveries_of_a_bot_keep_the_order_of_acceptance() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        // Every second request is refused: what is tried again does not hold up what follows, and nothing overtakes.
        let mut count = 0;
        let mut server = Engine::start(Box::new(move |_| {
            count += 1;
            Some((if count % 2 == 0 { 500 } else { 200 }, String::new()))
        }))
        .await;
        let mut accepted = BTreeMap::new();
        for _ in 0..10 {
            for bot in [1, 2, 3] {
                let id = open_pushed(&engine, bot, &server).await;
                proceed(app, bot, id).await;
                accepted.entry(bot).or_insert_with(Vec::new).push(id);
            }
        }
        let mut first = BTreeMap::new();
        while first.values().map(Vec::len).sum::<usize>() < 30 {
            let event = server.next().await.json();
            let bot = first.entry(event["bot_id"].as_i64().unwrap()).or_insert_with(Vec::new);
            let id = event["continue_id"].as_i64().unwrap();
            if !bot.contains(&id) {
                bot.push(id);
            }
        }
        assert_eq!(first, accepted);
    });
}

#[test]
fn an_event_that_nobody_has_answered_holds_up_its_bot_and_no_other() {
    test(async |app| {
        let engine = engine_of(app).await;
        let mut ids = Vec::new();
        for bot in [1, 1, 2] {
            let id = open(&engine, bot, serde_json::json!({})).await;
            proceed(app, bot, id).await;
            ids.push(id);
        }
        let leased = lease(&engine, 10).await;
        let of = |leased: &[serde_json::Value]| -> Vec<i64> {
            leased.iter().map(|leased| leased["event"]["continue_id"].as_i64().unwrap()).collect()
        };
        assert_eq!(of(&leased), [ids[0], ids[2]]);
        assert!(lease_now(&engine, 10).await.is_empty());
        // Nobody was heard of: the same event comes first again.
        let_time_pass(app).await;
        let again = lease(&engine, 10).await;
        assert_eq!(of(&again), [ids[0], ids[2]]);
        // An answer, even a bad one, lets the next go.
        let path = format!("/registry/v1/deliveries/{}/nack", again[0]["id"]);
        let body = serde_json::json!({"lease_token": again[0]["lease_token"], "retry_after_seconds": 3600});
        assert_eq!(engine.post(&path, &body.to_string()).await.status, 204);
        let next = lease(&engine, 10).await;
        assert_eq!(of(&next), [ids[1]]);
        assert_eq!(ack(&engine, &next[0]).await, 204);
        let_time_pass(app).await;
        assert!(of(&lease(&engine, 10).await).contains(&ids[0]), "it is tried again");
    });
}

#[test]
fn a_bot_whose_engine_is_silent_does_not_slow_the_others() {
    test_with(local().set("limits.outgoing_calls", 4), async |app| {
        let engine = engine_of(app).await;
        // The server of bot 1 never answers: its try takes the whole 15 seconds.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut server = Engine::answering(200).await;
        assert_eq!(engine.post("/registry/v1/webhook-secret", "").await.status, 201);
        let address = format!("http://{}/", silent.local_addr().unwrap());
        for _ in 0..10 {
            let id = open(&engine, 1, serde_json::json!({"callback_url": address})).await;
            proceed(app, 1, id).await;
        }
        for bot in 2..12 {
            let id = open_pushed(&engine, bot, &server).await;
            proceed(app, bot, id).await;
            assert_eq!(server.next().await.json()["continue_id"], id);
        }
        let leased = "SELECT count(*) FROM deliveries WHERE state = 'leased'";
        let leased: i64 = sqlx::query_scalar(leased).fetch_one(&app.pool).await.unwrap();
        assert!(leased <= 2, "one call at once to a bot: {leased}");
    });
}

#[test]
fn concurrent_continues_of_one_bot_are_all_delivered() {
    test(async |app| {
        let engine = engine_of(app).await;
        let mut waiting = Vec::new();
        for _ in 0..40 {
            waiting.push(open(&engine, 77, serde_json::json!({})).await);
        }
        let continues = waiting.iter().map(|id| proceed(app, 77, *id));
        let worker = async {
            let mut got = Vec::new();
            while got.len() < waiting.len() {
                for leased in lease(&engine, 5).await {
                    got.push(leased["event"]["continue_id"].as_i64().unwrap());
                    assert_eq!(ack(&engine, &leased).await, 204);
                }
            }
            got
        };
        let (_, mut got) = tokio::join!(futures_util::future::join_all(continues), worker);
        got.sort_unstable();
        assert_eq!(got, waiting);
    });
}

#[test]
fn an_account_whose_engines_are_silent_does_not_slow_the_others() {
    test_with(local().set("limits.outgoing_calls", 10), async |app| {
        let engine = engine_of(app).await;
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(engine.post("/registry/v1/webhook-secret", "").await.status, 201);
        let address = format!("http://{}/", silent.local_addr().unwrap());
        for bot in 1..=30 {
            let id = open(&engine, bot, serde_json::json!({"callback_url": address})).await;
            proceed(app, bot, id).await;
        }
        // All that one account may have at once is under way.
        let leased = "SELECT count(*) FROM deliveries WHERE state = 'leased'";
        while sqlx::query_scalar::<_, i64>(leased).fetch_one(&app.pool).await.unwrap() < 8 {}
        let other = app.caller(Claims::admin(2, 9).scopes(&["bots"]));
        let mut server = Engine::answering(200).await;
        let id = open_pushed(&other, 1, &server).await;
        let path = format!("/api/v4/salesbot/1/continue/{id}");
        assert_eq!(other.post(&path, "{}").await.status, 202);
        let heard = server.next().await.json();
        assert_eq!((&heard["account_id"], &heard["continue_id"]), (&2.into(), &id.into()));
        let leased: i64 = sqlx::query_scalar(leased).fetch_one(&app.pool).await.unwrap();
        assert!(leased <= 9, "{leased}");
    });
}
