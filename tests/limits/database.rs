//! What the service does when the database is slow: 503 with `Retry-After`, and nothing half done.

use sqlx::{ConnectOptions as _, Connection as _};
use widget_registry::database;

use super::defaults::limits;
use crate::support::{Answer, Client, Sample, Setup, test_with};

/// No limit but the one that the test sets.
fn patient() -> Setup {
    let times = ["limits.connection_time", "limits.statement_time", "limits.lock_time", "limits.handler_time"];
    times.into_iter().fold(Setup::default(), |setup, name| setup.set(name, "1h"))
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.problem(503), "The database cannot answer now; try again in a moment");
    assert_eq!(answer.header("retry-after"), "1");
}

/// Every method that reads or writes, sent while the tables are locked.
async fn every_method(caller: &Client, waiting: i64) -> Vec<Answer> {
    let zip = Sample::plain("w").version("2.0.0").zip();
    vec![
        caller.get("/api/v4/widgets").await,
        caller.get("/api/v4/widgets/w").await,
        caller.post("/api/v4/widgets/w", "{}").await,
        caller.delete("/api/v4/widgets/w").await,
        caller.post(&format!("/api/v4/salesbot/77/continue/{waiting}"), "{}").await,
        caller.post_bytes("/registry/v1/widgets?code=w", "application/zip", zip).await,
        caller.put("/registry/v1/installs/w/lead-source", r#"{"pipeline_id":5}"#).await,
        caller.get(&format!("/registry/v1/continuations/{waiting}")).await,
    ]
}

fn every_method_is_refused_under(setup: Setup) {
    test_with(setup, async |app| {
        app.publish(&Sample::plain("w").location("lead_sources")).await;
        let waiting = app.wait_for("w").await;
        let before = app.contents().await;
        let lock = app.lock("widgets, widget_versions, installs, continuations, idempotency_keys").await;
        for answer in every_method(&app.admin(), waiting).await {
            assert_unavailable(&answer);
        }
        let key = app.admin().request("POST", &format!("/api/v4/salesbot/77/continue/{waiting}"));
        assert_unavailable(&app.admin().send(key.header("idempotency-key", "k")).await);
        lock.rollback().await.unwrap();
        assert_eq!(app.contents().await, before);
        assert_eq!(app.admin().post("/api/v4/widgets/w", "{}").await.status, 200);
        let answer = app.admin().post(&format!("/api/v4/salesbot/77/continue/{waiting}"), "{}").await;
        assert_eq!(answer.status, 202, "{answer:?}");
    });
}

#[test]
fn lock_time() {
    every_method_is_refused_under(patient().set("limits.lock_time", "100ms"));
}

#[test]
fn statement_time() {
    every_method_is_refused_under(patient().set("limits.statement_time", "100ms"));
}

#[test]
fn wait_for_a_connection() {
    let setup = patient().set("limits.connection_time", "300ms").set("database_connections", 2);
    test_with(setup, async |app| {
        app.publish(&Sample::plain("w")).await;
        let lock = app.lock("installs").await;
        let user = app.user();
        let third = async {
            app.blocked(2).await;
            let answers = [user.get("/api/v4/widgets/w").await, user.get("/registry/v1/health/ready").await];
            let alive = user.get("/registry/v1/health/live").await;
            lock.rollback().await.unwrap();
            (answers, alive)
        };
        let (first, second, (third, alive)) =
            tokio::join!(user.get("/api/v4/widgets"), user.get("/api/v4/widgets/w"), third);
        third.iter().for_each(assert_unavailable);
        assert_eq!((first.status, second.status, alive.status), (200, 200, 200));
        assert_eq!(user.get("/registry/v1/health/ready").await.status, 200);
    });
}

#[test]
fn idle_transactions_are_ended_by_the_database() {
    test_with(Setup::default(), async |app| {
        let limits = limits(&[("limits.idle_transaction_time", "50ms")]);
        let options = database::with_timeouts((*app.pool.connect_options()).clone(), &limits);
        let mut connection = options.connect().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transaction).await.unwrap();
        let alive = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)";
        while sqlx::query_scalar::<_, bool>(alive).bind(pid).fetch_one(&app.pool).await.unwrap() {}
        assert!(sqlx::query("SELECT 1").execute(&mut *transaction).await.is_err());
    });
}
