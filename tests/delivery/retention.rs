//! What is over is kept for a while and then removed.

use std::time::Duration;

use serde_json::json;
use widget_registry::continuations;
use widget_registry::delivery::history::{self, Retention};

use super::{ack, engine_of, lease, open, proceed};
use crate::support::{TestApp, test};

const HOUR: Duration = Duration::from_hours(1);

async fn count(app: &TestApp, table: &str) -> i64 {
    let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(statement).fetch_one(&app.pool).await.unwrap()
}

/// An event that arrived, one that is dead, one that is ready, and a call that is over.
async fn some(app: &TestApp) {
    let engine = engine_of(app).await;
    for bot in 1..=3 {
        let id = open(&engine, bot, json!({})).await;
        proceed(app, bot, id).await;
    }
    for leased in lease(&engine, 2).await {
        assert_eq!(ack(&engine, &leased).await, 204);
    }
    for statement in [
        "UPDATE deliveries SET state = 'dead' WHERE id = (SELECT max(id) FROM deliveries WHERE state = 'delivered')",
        "INSERT INTO delivery_lanes (account_id, way, lane) VALUES (1, 'call', 'continuation/9')",
        "INSERT INTO deliveries (account_id, way, lane, kind, subject_id, address, state, due_at, give_up_at, closed_at) \
         VALUES (1, 'call', 'continuation/9', 'widget.call', 9, 'https://example.com/', 'withdrawn', NULL, now(), now())",
    ] {
        sqlx::query(statement).execute(&app.pool).await.unwrap();
    }
}

#[test]
fn deliveries_are_removed_when_their_time_is_over() {
    test(async |app| {
        some(app).await;
        let remove = async |delivered, dead, batch| {
            history::store::remove_old(&app.service, Retention { delivered, dead }, batch).await.unwrap()
        };
        assert_eq!(remove(HOUR, HOUR, 10).await, 0);
        sqlx::query("UPDATE deliveries SET closed_at = closed_at - interval '2 hours'")
            .execute(&app.pool)
            .await
            .unwrap();
        assert_eq!((count(app, "deliveries").await, count(app, "delivery_lanes").await), (4, 4));
        assert_eq!(remove(HOUR, HOUR * 3, 1).await, 1, "no more than a batch");
        assert_eq!(remove(HOUR, HOUR * 3, 10).await, 1, "the dead one is kept longer");
        assert_eq!((count(app, "deliveries").await, count(app, "delivery_attempts").await), (2, 1));
        assert_eq!(count(app, "delivery_lanes").await, 3, "a call's lane goes with it");
        assert_eq!(remove(HOUR, HOUR, 10).await, 1);
        let left: String = sqlx::query_scalar("SELECT state FROM deliveries").fetch_one(&app.pool).await.unwrap();
        assert_eq!(left, "ready", "what is not over stays");
    });
}

#[test]
fn records_are_removed_when_their_time_is_over() {
    test(async |app| {
        let engine = engine_of(app).await;
        let waiting = open(&engine, 1, json!({})).await;
        let over = open(&engine, 1, json!({})).await;
        proceed(app, 1, over).await;
        let statement = "UPDATE continuations SET opened_at = opened_at - interval '3 hours', closed_at = closed_at - interval '2 hours'";
        sqlx::query(statement).execute(&app.pool).await.unwrap();
        assert_eq!(continuations::store::remove_old(&app.service, HOUR * 3, 10).await.unwrap(), 0);
        assert_eq!(continuations::store::remove_old(&app.service, HOUR, 10).await.unwrap(), 1);
        let left: i64 = sqlx::query_scalar("SELECT id FROM continuations").fetch_one(&app.pool).await.unwrap();
        assert_eq!(left, waiting);
    });
}
