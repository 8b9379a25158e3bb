//! Events that are pushed to the engine's address.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{engine_of, let_time_pass, local, open, open_pushed, proceed, shown, until, until_tried};
use crate::support::engine::Heard;
use crate::support::{Engine, test, test_with};

fn is_signed(heard: &Heard, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed =
        [format!("{}.{}.", heard.header("webhook-id"), heard.header("webhook-timestamp")).as_bytes(), &heard.body]
            .concat();
    let tag = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed));
    heard.header("webhook-signature").split(' ').any(|signature| signature == format!("v1,{tag}"))
}

#[test]
fn an_event_is_pushed_and_signed() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let mut server = Engine::answering(204).await;
        let secret = engine.post("/registry/v1/webhook-secret", "").await.json();
        let secret = secret["secret"].as_str().unwrap();
        let id = open_pushed(&engine, 77, &server).await;
        proceed(app, 77, id).await;
        let heard = server.next().await;
        assert_eq!((heard.path.as_str(), heard.header("content-type")), ("/hook", "application/json"));
        assert_eq!(heard.header("user-agent"), concat!("widget-registry/", env!("CARGO_PKG_VERSION")));
        assert!(is_signed(&heard, secret), "{heard:?}");
        assert!(heard.header("webhook-timestamp").parse::<i64>().unwrap() >= app.now().unix_timestamp() - 60);
        let event = heard.json();
        assert_eq!((&event["type"], &event["continue_id"]), (&"continuation.continued".into(), &id.into()));
        assert_eq!(event["data"], json!({"status": "ok"}));
        let delivered = until(app, &engine, id, "delivered").await;
        assert_eq!(heard.header("webhook-id"), delivered["webhook_id"]);
        let tried = &delivered["tries"][0];
        assert_eq!((&tried["status"], &tried["answer"], &tried["error"]), (&204.into(), &"".into(), &Value::Null));
        assert!(server.unread().is_empty());
    });
}

#[test]
fn a_secret_that_was_replaced_still_signs() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let mut server = Engine::answering(200).await;
        let old = engine.post("/registry/v1/webhook-secret", "").await.json();
        assert_eq!(old["previous_until"], Value::Null);
        let new = engine.post("/registry/v1/webhook-secret", r#"{"keep_old_seconds":60}"#).await.json();
        assert_ne!(new["previous_until"], Value::Null);
        let heard = async |server: &mut Engine| {
            let id = open_pushed(&engine, 77, server).await;
            proceed(app, 77, id).await;
            server.next().await
        };
        let both = heard(&mut server).await;
        for secret in [&old, &new] {
            assert!(is_signed(&both, secret["secret"].as_str().unwrap()), "{both:?}");
        }
        let last = engine.post("/registry/v1/webhook-secret", r#"{"keep_old_seconds":0}"#).await.json();
        let alone = heard(&mut server).await;
        assert!(is_signed(&alone, last["secret"].as_str().unwrap()));
        assert!(!is_signed(&alone, new["secret"].as_str().unwrap()));
        let shown = engine.get("/registry/v1/webhook-secret").await;
        assert!(!shown.text().contains("whsec_"), "{shown:?}");
    });
}

#[test]
fn without_a_secret_nothing_is_pushed() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let body = json!({"widget_code": "bot_widget", "entity": {"type": "leads", "id": 5}, "callback_url": "http://127.0.0.1:9/"});
        let answer = engine.post("/registry/v1/salesbot/77/continuations", &body.to_string()).await;
        assert!(answer.problem(409).contains("POST /registry/v1/webhook-secret"), "{answer:?}");
    });
}

#[test]
fn addresses_that_are_never_called_are_refused_at_once() {
    test(async |app| {
        let engine = engine_of(app).await;
        for (address, why) in [
            ("http://example.com/", "http"),
            ("https://127.0.0.1/", "this machine"),
            ("https://10.0.0.1/", "private"),
            ("https://[::ffff:169.254.169.254]/latest", "link-local"),
            ("https://user:pass@example.com/", "password"),
            ("ftp://example.com/", "ftp"),
            ("example.com", "URL"),
        ] {
            for (name, body) in [
                ("callback_url", json!({"callback_url": address})),
                ("request.url", json!({"request": {"url": address}})),
            ] {
                let mut body = body;
                body["widget_code"] = "bot_widget".into();
                body["entity"] = json!({"type": "leads", "id": 5});
                let answer = engine.post("/registry/v1/salesbot/77/continuations", &body.to_string()).await;
                let detail = answer.problem(400);
                assert!(detail.contains(name) && detail.contains(why), "{address}: {detail}");
            }
        }
    });
}

#[test]
fn an_engine_that_fails_is_tried_again_with_the_same_id() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let statuses = Arc::new(Mutex::new(vec![200, 301, 404, 500]));
        let mut server = Engine::start(Box::new(move |_| {
            Some((statuses.lock().unwrap().pop().unwrap(), "location: /elsewhere\r\nretry-after: 3600\r\n".to_owned()))
        }))
        .await;
        let id = open_pushed(&engine, 77, &server).await;
        proceed(app, 77, id).await;
        let first = server.next().await;
        for attempt in 1..=3 {
            let waiting = until_tried(app, &engine, id, attempt).await;
            assert_eq!(waiting["tries"][0]["outcome"], "refused");
            let statement = "SELECT due_at > now() + interval '59 minutes' FROM deliveries";
            let obeyed: bool = sqlx::query_scalar(statement).fetch_one(&app.pool).await.unwrap();
            assert!(obeyed, "Retry-After is obeyed");
            let_time_pass(app).await;
            let again = server.next().await;
            assert_eq!((again.path.as_str(), again.header("webhook-id")), ("/hook", first.header("webhook-id")));
            assert_eq!(again.body, first.body);
        }
        let delivered = until(app, &engine, id, "delivered").await;
        assert_eq!(delivered["attempts"], 4);
        let statuses: Vec<_> =
            delivered["tries"].as_array().unwrap().iter().map(|tried| tried["status"].clone()).collect();
        assert_eq!(statuses, [json!(200), json!(301), json!(404), json!(500)]);
    });
}

#[test]
fn gone_is_final_and_can_be_replayed() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        let statuses = Arc::new(Mutex::new(vec![200, 410]));
        let mut server =
            Engine::start(Box::new(move |_| Some((statuses.lock().unwrap().pop().unwrap(), String::new())))).await;
        let id = open_pushed(&engine, 77, &server).await;
        proceed(app, 77, id).await;
        let first = server.next().await;
        let dead = until(app, &engine, id, "dead").await;
        assert_eq!((&dead["last_error"], &dead["due_at"]), (&"the receiver answered 410".into(), &Value::Null));
        let listed = engine.get("/registry/v1/deliveries").await.json();
        assert_eq!((&listed["deliveries"][0]["id"], &listed["next"]), (&dead["id"], &Value::Null));
        let path = format!("/registry/v1/deliveries/{}/replay", dead["id"]);
        assert_eq!(engine.post(&path, "").await.status, 202);
        assert_eq!(server.next().await.header("webhook-id"), first.header("webhook-id"));
        let delivered = until(app, &engine, id, "delivered").await;
        assert_eq!(delivered["attempts"], 2);
        assert!(engine.post(&path, "").await.problem(409).contains("delivered"));
    });
}

#[test]
fn what_cannot_be_reached_is_given_up_in_the_end() {
    test_with(local(), async |app| {
        let engine = engine_of(app).await;
        // A server that closes every connection without an answer.
        let mut server = Engine::start(Box::new(|_| None)).await;
        let id = open_pushed(&engine, 77, &server).await;
        proceed(app, 77, id).await;
        server.next().await;
        let waiting = until_tried(app, &engine, id, 1).await;
        let tried = &waiting["tries"][0];
        assert_eq!((&tried["outcome"], &tried["status"]), (&"unreachable".into(), &Value::Null), "{waiting}");
        sqlx::query("UPDATE deliveries SET give_up_at = now()").execute(&app.pool).await.unwrap();
        let_time_pass(app).await;
        let dead = until(app, &engine, id, "dead").await;
        assert!(dead["attempts"].as_i64().unwrap() >= 2, "{dead}");
    });
}

#[test]
fn an_address_that_is_no_longer_allowed_is_not_called() {
    test(async |app| {
        let engine = engine_of(app).await;
        assert_eq!(engine.post("/registry/v1/webhook-secret", "").await.status, 201);
        let id = open(&engine, 77, json!({"callback_url": "https://example.com/"})).await;
        sqlx::query("UPDATE continuations SET callback_url = 'https://127.0.0.1:9/'").execute(&app.pool).await.unwrap();
        proceed(app, 77, id).await;
        let tried = until_tried(app, &engine, id, 1).await;
        assert_eq!(tried["tries"][0]["outcome"], "forbidden", "{tried}");
        assert!(shown(&engine, &tried["id"]).await["last_error"].as_str().unwrap().contains("this machine"));
    });
}
