//! Events that the engine fetches.

use serde_json::{Value, json};

use super::{ack, engine_of, lease, lease_now, let_time_pass, open, proceed, shown};
use crate::support::{Claims, test};

#[test]
fn an_event_carries_what_the_widget_sent_byte_for_byte() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({"reference": "lead 5"})).await;
        let data = "{\"b\" : 1e131071,\n\"a\":\"\\u0041\\/\"}";
        let handlers = r#"[ {"params":{"step":5,"type":"finish"},"handler":"goto"} ]"#;
        let body = format!(r#"{{"execute_handlers": {handlers} , "data": {data} }}"#);
        assert_eq!(app.admin().post(&format!("/api/v4/salesbot/77/continue/{id}"), &body).await.status, 202);
        let answer = engine.post("/registry/v1/deliveries/lease", "{}").await;
        assert!(answer.text().contains(&format!(r#""data":{data},"execute_handlers":{handlers}}}"#)), "{answer:?}");
        let leased = &serde_json::from_str::<Value>(&answer.text().replace("1e131071", "0")).unwrap()["deliveries"][0];
        let event = &leased["event"];
        assert_eq!((&leased["attempt"], &leased["webhook_id"]), (&1.into(), &format!("evt_1_{}", leased["id"]).into()));
        let expected = json!({
            "type": "continuation.continued", "timestamp": event["timestamp"], "account_id": 1, "continue_id": id,
            "reference": "lead 5", "bot_type": "salesbot", "bot_id": 77, "widget_code": "bot_widget",
            "entity": {"type": "leads", "id": 5}, "closed_by_user_id": 7, "failure": null,
            "data": {"b": 0, "a": "A/"}, "execute_handlers": [{"params": {"step": 5, "type": "finish"}, "handler": "goto"}],
        });
        assert_eq!(event, &expected);
        assert_eq!(ack(&engine, leased).await, 204);
        let delivered = shown(&engine, &leased["id"]).await;
        assert_eq!((&delivered["state"], &delivered["attempts"]), (&"delivered".into(), &1.into()));
        assert_eq!(delivered["tries"][0]["outcome"], "delivered");
    });
}

#[test]
fn an_event_is_written_alike_whatever_ends_the_wait() {
    test(async |app| {
        let engine = engine_of(app).await;
        // What the database writes itself, and what could be taken for its places.
        let reference = "\"\\ \u{1a} /<ü\u{1f600}\u{7f}\u{2028}";
        let [continued, failed] = [77, 78].map(|bot| {
            open(&engine, bot, json!({"reference": reference, "entity": {"type": "leads", "id": i64::MAX}}))
        });
        let (continued, failed) = (continued.await, failed.await);
        let body = r#"{"data":{"a":"\u001a","b":["\u001a"]}}"#;
        assert_eq!(app.admin().post(&format!("/api/v4/salesbot/77/continue/{continued}"), body).await.status, 202);
        let failing = app.admin().post(&format!("/registry/v1/continuations/{failed}/fail"), r#"{"reason":"r"}"#).await;
        assert_eq!(failing.status, 202);
        let texts: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT payload FROM deliveries ORDER BY lane").fetch_all(&app.pool).await.unwrap();
        let times: Vec<time::OffsetDateTime> =
            sqlx::query_scalar("SELECT closed_at FROM continuations ORDER BY bot_id")
                .fetch_all(&app.pool)
                .await
                .unwrap();
        let [continued_text, failed_text] = [0, 1].map(|number: usize| {
            let time = times[number].format(&time::format_description::well_known::Rfc3339).unwrap();
            String::from_utf8(texts[number].clone()).unwrap().replacen(&time, "TIME", 1)
        });
        assert!(failed_text.contains(r#""timestamp":"TIME""#), "{failed_text}");
        let expected = failed_text
            .replacen("continuation.failed", "continuation.continued", 1)
            .replacen(&format!("\"continue_id\":{failed}"), &format!("\"continue_id\":{continued}"), 1)
            .replacen("\"bot_id\":78", "\"bot_id\":77", 1)
            .replacen(r#""failure":"r","data":null"#, r#""failure":null,"data":{"a":"\u001a","b":["\u001a"]}"#, 1);
        assert_eq!(continued_text, expected);
    });
}

#[test]
fn a_lease_is_good_once_and_for_its_holder() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        proceed(app, 77, id).await;
        let first = lease(&engine, 10).await.remove(0);
        assert!(lease_now(&engine, 10).await.is_empty(), "it is somebody's");
        let other = json!({"id": first["id"], "lease_token": "11111111-1111-4111-8111-111111111111"});
        assert_eq!(ack(&engine, &other).await, 409);
        assert_eq!(ack(&app.caller(Claims::user(2, 9).scopes(&["bots"])), &first).await, 409);
        assert_eq!(ack(&engine, &first).await, 204);
        assert_eq!(ack(&engine, &first).await, 409);
        assert!(lease_now(&engine, 10).await.is_empty());
    });
}

#[test]
fn a_lease_that_ended_changes_nothing() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        proceed(app, 77, id).await;
        let first = lease(&engine, 10).await.remove(0);
        let_time_pass(app).await;
        assert_eq!(ack(&engine, &first).await, 409, "the lease has ended, though nobody has taken it over");
        let second = lease_now(&engine, 10).await.remove(0);
        assert_eq!(
            (&second["id"], &second["webhook_id"], &second["attempt"]),
            (&first["id"], &first["webhook_id"], &2.into())
        );
        assert_eq!(ack(&engine, &first).await, 409);
        assert_eq!(ack(&engine, &second).await, 204);
        let delivered = shown(&engine, &first["id"]).await;
        let outcomes: Vec<_> = delivered["tries"].as_array().unwrap().iter().map(|tried| &tried["outcome"]).collect();
        assert_eq!(outcomes, ["delivered", "abandoned"]);
    });
}

#[test]
fn a_refused_event_is_offered_again() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        proceed(app, 77, id).await;
        let first = lease(&engine, 10).await.remove(0);
        let body = json!({"lease_token": first["lease_token"], "reason": "not now", "retry_after_seconds": 3600});
        let path = format!("/registry/v1/deliveries/{}/nack", first["id"]);
        assert_eq!(engine.post(&path, &body.to_string()).await.status, 204);
        assert!(lease_now(&engine, 10).await.is_empty(), "an hour has not passed");
        let waiting = shown(&engine, &first["id"]).await;
        assert_eq!((&waiting["state"], &waiting["last_error"]), (&"ready".into(), &"not now".into()));
        let_time_pass(app).await;
        let second = lease(&engine, 10).await.remove(0);
        let body = json!({"lease_token": second["lease_token"], "retry_after_seconds": 0});
        assert_eq!(engine.post(&path, &body.to_string()).await.status, 204);
        assert_eq!(ack(&engine, &lease(&engine, 10).await.remove(0)).await, 204);
    });
}

#[test]
fn every_account_fetches_its_own() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        proceed(app, 77, id).await;
        let other = app.caller(Claims::user(2, 9).scopes(&["bots"]));
        assert!(lease_now(&other, 10).await.is_empty());
        let leased = lease(&engine, 10).await.remove(0);
        for path in ["", "/ack", "/nack", "/replay"] {
            let address = format!("/registry/v1/deliveries/{}{path}", leased["id"]);
            let body = json!({"lease_token": leased["lease_token"]}).to_string();
            let answer = if path.is_empty() { other.get(&address).await } else { other.post(&address, &body).await };
            assert!([404, 409].contains(&answer.status), "{address}: {answer:?}");
        }
        assert_eq!(other.get("/registry/v1/deliveries?state=leased").await.json()["deliveries"], json!([]));
        assert_eq!(ack(&engine, &leased).await, 204);
    });
}

#[test]
fn a_call_that_waits_is_answered_when_an_event_comes() {
    test(async |app| {
        let engine = engine_of(app).await;
        let id = open(&engine, 77, json!({})).await;
        let (leased, ()) = tokio::join!(lease(&engine, 1), proceed(app, 77, id));
        assert_eq!(leased[0]["event"]["continue_id"], id);
    });
}

#[test]
fn what_is_refused() {
    test(async |app| {
        let engine = engine_of(app).await;
        for (body, errors) in [
            (json!({"max": 0}), vec!["TooLow max"]),
            (json!({"max": 101}), vec!["OutOfRange max"]),
            (json!({"wait_seconds": -1, "max": "1"}), vec!["InvalidType max", "OutOfRange wait_seconds"]),
            (json!({"wait_seconds": 61, "x": 1}), vec!["OutOfRange wait_seconds", "NotExpected x"]),
            (json!([]), vec!["InvalidType "]),
        ] {
            let answer = engine.post("/registry/v1/deliveries/lease", &body.to_string()).await;
            assert_eq!(answer.violations(), errors, "{body}");
        }
        for (path, body, errors) in [
            ("ack", json!({}), vec!["FieldMissing lease_token"]),
            ("ack", json!({"lease_token": 5, "reason": "x"}), vec!["InvalidType lease_token", "NotExpected reason"]),
            ("ack", json!({"lease_token": "abc"}), vec!["InvalidUuid lease_token"]),
            (
                "nack",
                json!({"reason": "", "retry_after_seconds": 3601}),
                vec!["FieldMissing lease_token", "NotBlank reason", "OutOfRange retry_after_seconds"],
            ),
        ] {
            let answer = engine.post(&format!("/registry/v1/deliveries/5/{path}"), &body.to_string()).await;
            assert_eq!(answer.violations(), errors, "{body}");
        }
        for id in ["0", "x", "9223372036854775808", "-1", "%00"] {
            engine.get(&format!("/registry/v1/deliveries/{id}")).await.problem(404);
            engine.post(&format!("/registry/v1/deliveries/{id}/replay"), "").await.problem(404);
        }
        for query in ["state=lost", "before=x", "before=0", "limit=0", "limit=x", "state=dead&state=dead"] {
            engine.get(&format!("/registry/v1/deliveries?{query}")).await.problem(400);
        }
    });
}
