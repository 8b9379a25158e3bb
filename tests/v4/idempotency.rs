//! Continuing with an `Idempotency-Key`: the same request again does nothing again.

use super::continue_bot::{admin, is_absent, is_accepted, path, record};
use crate::support::{Answer, Claims, Client, test};

/// Sends a body with an idempotency key.
async fn with_key(client: &Client, path: &str, key: &str, body: &str) -> Answer {
    let request = client.request("POST", path).header("idempotency-key", key);
    client.send(request.header("content-type", "application/json").body(body.to_owned())).await
}

#[test]
fn the_same_request_again_is_accepted_again() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let body = r#"{"data":{"n":1}}"#;
        for _ in 0..3 {
            is_accepted(&with_key(&admin, &path(id), "a key", body).await);
        }
        let reused = "This Idempotency-Key was used with another request; use a new key";
        for other in [r#"{"data":{"n":2}}"#, r#"{"data":{"n": 1}}"#, "{}", ""] {
            assert_eq!(with_key(&admin, &path(id), "a key", other).await.problem(422), reused, "{other}");
        }
        let next = app.wait_for("bot_widget").await;
        assert_eq!(with_key(&admin, &path(next), "a key", body).await.problem(422), reused);
        is_absent(&with_key(&admin, &path(id), "another key", body).await);
        is_absent(&admin.post(&path(id), body).await);
        assert_eq!(record(app, id).await["data"]["n"], 1);
        assert_eq!(record(app, next).await["state"], "waiting");
        // The key that found no record is not taken, and the first is another account's own.
        is_accepted(&with_key(&admin, &path(next), "another key", body).await);
    });
}

#[test]
fn accounts_have_their_own_keys() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let other = app.caller(Claims::admin(2, 7).scopes(&["bots"]));
        let opening = r#"{"widget_code":"bot_widget","entity":{"type":"leads","id":5}}"#;
        let opened = other.post("/registry/v1/salesbot/77/continuations", opening).await.json();
        is_accepted(&with_key(&admin, &path(id), "a key", r#"{"data":[1]}"#).await);
        let theirs = path(opened["continue_id"].as_i64().unwrap());
        is_accepted(&with_key(&other, &theirs, "a key", r#"{"data":[2]}"#).await);
    });
}

#[test]
fn a_key_is_free_again_after_a_refusal() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        is_absent(&with_key(&admin, &path(id + 1), "a key", "{}").await);
        with_key(&admin, &path(id), "a key", r#"{"data":5}"#).await.violations();
        is_accepted(&with_key(&admin, &path(id), "a key", "{}").await);
    });
}

/// The call waits for the record, and somebody else ends the wait meanwhile.
#[test]
fn who_comes_too_late_finds_nothing_and_claims_nothing() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let mut other = app.pool.begin().await.unwrap();
        let cancel = "UPDATE continuations SET state = 'cancelled', closed_at = now()";
        sqlx::query(cancel).execute(&mut *other).await.unwrap();
        let end = async {
            app.blocked(1).await;
            other.commit().await.unwrap();
        };
        let path = path(id);
        let (answer, ()) = tokio::join!(with_key(&admin, &path, "a key", "{}"), end);
        is_absent(&answer);
        assert_eq!(record(app, id).await["state"], "cancelled");
        let counts = "SELECT (SELECT count(*) FROM idempotency_keys) + (SELECT count(*) FROM deliveries WHERE kind <> 'widget.call')";
        assert_eq!(sqlx::query_scalar::<_, i64>(counts).fetch_one(&app.pool).await.unwrap(), 0);
    });
}

/// The time at which it was continued is one: the record, the event and its bytes have the same.
#[test]
fn the_event_has_the_time_of_the_record() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        is_accepted(&with_key(&admin, &path(id), "a key", r#"{"data":[1]}"#).await);
        let times = "SELECT c.closed_at = (convert_from(d.payload, 'UTF8')::json->>'timestamp')::timestamptz AND c.closed_at > c.opened_at \
             AND c.closed_at <= d.created_at FROM continuations c JOIN deliveries d ON d.subject_id = c.id AND d.kind = 'continuation.continued'";
        assert!(sqlx::query_scalar::<_, bool>(times).fetch_one(&app.pool).await.unwrap());
        // Repeated after the end, it is answered the same and adds nothing.
        is_accepted(&with_key(&admin, &path(id), "a key", r#"{"data":[1]}"#).await);
        let events: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&app.pool).await.unwrap();
        assert_eq!(events, 1);
    });
}

#[test]
fn a_key_is_kept_for_a_day() {
    test(async |app| {
        let (admin, first) = (admin(app).await, app.wait_for("bot_widget").await);
        is_accepted(&with_key(&admin, &path(first), "a key", "{}").await);
        let next = app.wait_for("bot_widget").await;
        let age = async |age: &str| {
            let update = "UPDATE idempotency_keys SET created_at = now() - $1::text::interval";
            assert_eq!(sqlx::query(update).bind(age).execute(&app.pool).await.unwrap().rows_affected(), 1);
        };
        age("23 hours 59 minutes").await;
        with_key(&admin, &path(next), "a key", "{}").await.problem(422);
        is_accepted(&with_key(&admin, &path(first), "a key", "{}").await);
        age("24 hours").await;
        is_accepted(&with_key(&admin, &path(next), "a key", "{}").await);
        // It stands for the later request now.
        is_accepted(&with_key(&admin, &path(next), "a key", "{}").await);
        with_key(&admin, &path(first), "a key", "{}").await.problem(422);
    });
}

#[test]
fn old_keys_are_forgotten_on_the_way() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let insert = "INSERT INTO idempotency_keys (account_id, key, request_sha256, created_at) \
            SELECT account, n::text, sha256('x'), now() - interval '25 hours' FROM generate_series(1, 12) n, (VALUES (1), (2)) a (account)";
        assert_eq!(sqlx::query(insert).execute(&app.pool).await.unwrap().rows_affected(), 24);
        is_accepted(&with_key(&admin, &path(id), "new", "{}").await);
        let left = "SELECT count(*) FROM idempotency_keys WHERE account_id = $1";
        for (account, expected) in [(1, 3), (2, 12)] {
            let left: i64 = sqlx::query_scalar(left).bind(account).fetch_one(&app.pool).await.unwrap();
            assert_eq!(left, expected, "account {account}");
        }
    });
}

#[test]
fn what_a_key_may_be() {
    test(async |app| {
        let admin = admin(app).await;
        let (longest, too_long) = ("k".repeat(128), "k".repeat(129));
        for key in ["1", "a b/c~!", &longest] {
            let id = app.wait_for("bot_widget").await;
            is_accepted(&with_key(&admin, &path(id), key, "{}").await);
        }
        let id = app.wait_for("bot_widget").await;
        for key in ["", &too_long] {
            let detail = with_key(&admin, &path(id), key, "{}").await.problem(400);
            assert_eq!(detail, "The header Idempotency-Key must have 1 to 128 characters");
        }
        let twice = admin.request("POST", &path(id)).header("idempotency-key", "a").header("idempotency-key", "b");
        admin.send(twice).await.problem(400);
        assert_eq!(record(app, id).await["state"], "waiting");
    });
}
