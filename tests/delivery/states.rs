//! Every way out of `waiting`, and that each is taken once.

use serde_json::{Value, json};

use super::{ack, engine_of, lease, lease_now, open, proceed};
use crate::support::{Answer, Claims, Client, TestApp, test};

async fn act(client: &Client, id: i64, action: &str, body: &Value) -> Answer {
    client.post(&format!("/registry/v1/continuations/{id}/{action}"), &body.to_string()).await
}

async fn record(client: &Client, id: i64) -> Value {
    client.get(&format!("/registry/v1/continuations/{id}")).await.json()
}

async fn overdue(app: &TestApp, id: i64) {
    let statement = "UPDATE continuations SET opened_at = now() - interval '2 s', expires_at = now() - interval '1 s' WHERE id = $1";
    sqlx::query(statement).bind(id).execute(&app.pool).await.unwrap();
}

#[test]
fn a_failure_is_told_to_the_engine() {
    test(async |app| {
        let engine = engine_of(app).await;
        // The engine, the widget, and a user with no other right than the scope.
        for (who, user) in [(engine.clone(), 9), (app.caller(Claims::admin(1, 12)), 12)] {
            let id = open(&engine, 77, json!({})).await;
            assert_eq!(act(&who, id, "fail", &json!({"reason": "out of paper"})).await.status, 202);
            let leased = lease(&engine, 1).await.remove(0);
            let event = &leased["event"];
            assert_eq!((&event["type"], &event["failure"]), (&"continuation.failed".into(), &"out of paper".into()));
            assert_eq!((&event["closed_by_user_id"], &event["data"]), (&user.into(), &Value::Null));
            assert_eq!(ack(&engine, &leased).await, 204);
            let record = record(&engine, id).await;
            assert_eq!((&record["state"], &record["failure"]), (&"failed".into(), &"out of paper".into()));
            assert_eq!(record["deliveries"][0]["state"], "delivered");
        }
        assert_eq!(act(&app.user(), 1, "fail", &json!({"reason": "x"})).await.status, 403);
    });
}

#[test]
fn a_deadline_that_has_passed_is_told_to_the_engine() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({"reference": "r"})).await;
        overdue(app, id).await;
        let leased = loop {
            if let Some(leased) = lease(&engine, 1).await.pop() {
                break leased;
            }
        };
        let event = &leased["event"];
        assert_eq!((&event["type"], &event["reference"]), (&"continuation.expired".into(), &"r".into()));
        let record = record(&engine, id).await;
        assert_eq!(record["state"], "expired");
        assert_ne!(record["closed_at"], Value::Null);
    });
}

#[test]
fn what_was_taken_back_is_told_to_nobody() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        assert_eq!(act(&engine, id, "cancel", &json!({})).await.status, 204);
        assert_eq!(record(&engine, id).await["state"], "cancelled");
        assert!(lease_now(&engine, 10).await.is_empty());
        let deliveries: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&app.pool).await.unwrap();
        assert_eq!(deliveries, 0);
    });
}

#[test]
fn a_deadline_can_be_moved() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({"timeout_seconds": 600})).await;
        let answer = act(&engine, id, "extend", &json!({"timeout_seconds": 2_592_000})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(record(&engine, id).await["expires_at"], answer.json()["expires_at"]);
        let days = "SELECT extract(day FROM expires_at - now())::int FROM continuations";
        let days: i32 = sqlx::query_scalar(days).fetch_one(&app.pool).await.unwrap();
        assert_eq!(days, 29);
        for (body, errors) in [
            (json!({}), vec!["FieldMissing timeout_seconds"]),
            (json!({"timeout_seconds": 0}), vec!["TooLow timeout_seconds"]),
            (json!({"timeout_seconds": 2_592_001, "x": 1}), vec!["OutOfRange timeout_seconds", "NotExpected x"]),
        ] {
            assert_eq!(act(&engine, id, "extend", &body).await.violations(), errors);
        }
        for (body, errors) in [
            (json!({}), vec!["FieldMissing reason"]),
            (json!({"reason": " "}), vec!["NotBlank reason"]),
            (json!({"reason": "ж".repeat(1001)}), vec!["TooLong reason"]),
        ] {
            assert_eq!(act(&engine, id, "fail", &body).await.violations(), errors);
        }
    });
}

#[test]
fn waiting_is_left_once() {
    test(async |app| {
        let engine = engine_of(app).await;
        let extend = json!({"timeout_seconds": 60});
        for first in ["continue", "fail", "cancel", "expire"] {
            let id = open(&engine, 77, json!({})).await;
            match first {
                "continue" => proceed(app, 77, id).await,
                "fail" => assert_eq!(act(&engine, id, "fail", &json!({"reason": "x"})).await.status, 202),
                "cancel" => assert_eq!(act(&engine, id, "cancel", &json!({})).await.status, 204),
                _ => overdue(app, id).await,
            }
            assert_eq!(
                app.admin().post(&format!("/api/v4/salesbot/77/continue/{id}"), "{}").await.status,
                404,
                "{first}"
            );
            for (action, body) in [("fail", json!({"reason": "x"})), ("cancel", json!({})), ("extend", extend.clone())]
            {
                let answer = act(&engine, id, action, &body).await;
                assert_eq!(answer.status, 404, "{first}, {action}: {answer:?}");
            }
        }
    });
}

#[test]
fn however_many_come_at_once_one_ends_it() {
    test(async |app| {
        let engine = engine_of(app).await;
        for round in 0..5 {
            let id = open(&engine, 77, json!({})).await;
            let admin = app.admin();
            let path = format!("/api/v4/salesbot/77/continue/{id}");
            let answers = (0..5).map(|_| admin.post(&path, "{}"));
            let reason = json!({"reason": "x"});
            let fails = (0..5).map(|_| act(&engine, id, "fail", &reason));
            let nothing = json!({});
            let (continued, failed, cancelled) = tokio::join!(
                futures_util::future::join_all(answers),
                futures_util::future::join_all(fails),
                act(&engine, id, "cancel", &nothing),
            );
            let won = continued.iter().chain(&failed).chain([&cancelled]).filter(|answer| answer.status != 404).count();
            assert_eq!(won, 1, "round {round}");
            let events: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE subject_id = $1")
                .bind(id)
                .fetch_one(&app.pool)
                .await
                .unwrap();
            assert_eq!(events, i64::from(cancelled.status == 404));
        }
    });
}

#[test]
fn records_can_be_looked_through() {
    test(async |app| {
        let engine = engine_of(app).await;
        let mut ids = Vec::new();
        for bot in [1, 2, 1, 2, 1] {
            ids.push(open(&engine, bot, json!({})).await);
        }
        proceed(app, 1, ids[0]).await;
        let list = async |query: &str| -> Value {
            let answer = engine.get(&format!("/registry/v1/continuations?{query}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        let of = |page: &Value| -> Vec<i64> {
            page["continuations"].as_array().unwrap().iter().map(|row| row["continue_id"].as_i64().unwrap()).collect()
        };
        for (query, places) in [
            ("", vec![4, 3, 2, 1, 0]),
            ("state=waiting", vec![4, 3, 2, 1]),
            ("state=continued", vec![0]),
            ("bot_type=salesbot&bot_id=1", vec![4, 2, 0]),
            ("bot_type=marketingbot", vec![]),
            ("widget=bot_widget&state=waiting&bot_id=2", vec![3, 1]),
            ("widget=other", vec![]),
            ("older_than=3600", vec![]),
        ] {
            let expected: Vec<i64> = places.into_iter().map(|place: usize| ids[place]).collect();
            assert_eq!(of(&list(query).await), expected, "{query}");
        }
        let first = list("limit=2").await;
        assert_eq!((of(&first), &first["next"]), (vec![ids[4], ids[3]], &ids[3].into()));
        let rest = list(&format!("limit=3&before={}", ids[3])).await;
        assert_eq!((of(&rest), &rest["next"]), (vec![ids[2], ids[1], ids[0]], &Value::Null));
        let other = app.caller(Claims::user(2, 9).scopes(&["bots"]));
        assert_eq!(of(&other.get("/registry/v1/continuations").await.json()), Vec::<i64>::new());
        for query in
            ["state=x", "bot_type=x", "bot_id=0", "bot_id=x", "widget=%00", "older_than=0", "before=x", "limit=0"]
        {
            engine.get(&format!("/registry/v1/continuations?{query}")).await.problem(400);
        }
    });
}

#[test]
fn what_the_widget_sent_is_found_by_key() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        let path = |tail: &str| format!("/registry/v1/continuations/{id}/{tail}");
        assert_eq!(engine.get(&path("json/status")).await.problem(404), "The widget sent nothing at this key");
        let body = r#"{"data":{"status":"don\u0065","sum":1e131071,"a":{"b":[1,{"c":"x"}]}}}"#;
        assert_eq!(app.admin().post(&format!("/api/v4/salesbot/77/continue/{id}"), body).await.status, 202);
        for (key, value) in
            [("status", r#""don\u0065""#), ("sum", "1e131071"), ("a.b.1.c", r#""x""#), ("a.b", r#"[1,{"c":"x"}]"#)]
        {
            let answer = engine.get(&path(&format!("json/{key}"))).await;
            assert_eq!((answer.status, answer.text(), answer.header("content-type")), (200, value, "application/json"));
        }
        for key in ["absent", "a.b.7", "%00", "%ff", "."] {
            engine.get(&path(&format!("json/{key}"))).await.problem(404);
        }
        let render = async |text: &str| engine.post(&path("render"), &json!({"text": text}).to_string()).await;
        let answer = render("{{json.status}}: {{json.sum}} {{json.a.b.1.c}}{{json.none}} {{lead.id}}").await;
        assert_eq!(answer.json(), json!({"text": "done: 1e131071 x {{lead.id}}"}));
        assert_eq!(render("").await.json(), json!({"text": ""}));
        assert_eq!(render(&"x".repeat(16_384)).await.status, 200);
        assert_eq!(render(&"x".repeat(16_385)).await.violations(), ["TooLong text"]);
        assert_eq!(render(&"{{json.a}}".repeat(101)).await.violations(), ["TooMany text"]);
        assert_eq!(engine.post(&path("render"), r#"{"text":5}"#).await.violations(), ["InvalidType text"]);
    });
}
