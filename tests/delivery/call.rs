//! The call to the widget's server with which a wait begins.

use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::form_urlencoded;
use widget_registry::auth::WidgetSecret;
use widget_registry::sources::Clock;

use super::{lease, let_time_pass, local, proceed, until, until_tried};
use crate::support::{Claims, Client, Engine, Sample, TestApp, test_with};

/// A widget with an integration, the integration's secret, and the engine of account 1.
async fn with_integration(app: &TestApp) -> (Client, String, SecretString) {
    let made = app.admin().post("/registry/v1/integrations", r#"{"name":"Bots"}"#).await.json();
    let client = made["client_uuid"].as_str().unwrap().to_owned();
    let secret = SecretString::from(made["secret"].as_str().unwrap());
    let path = format!("/registry/v1/widgets?code=bot_widget&visibility=public&client_uuid={client}");
    let answer = app.admin().post_bytes(&path, "application/zip", Sample::plain("bot_widget").zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (app.caller(Claims::user(1, 9).scopes(&["bots"])), client, secret)
}

fn opening(request: &Value) -> String {
    json!({"widget_code": "bot_widget", "entity": {"type": "leads", "id": 5}, "request": request}).to_string()
}

async fn open(engine: &Client, request: Value) -> Value {
    let answer = engine.post("/registry/v1/salesbot/77/continuations", &opening(&request)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[test]
fn the_widget_is_called_with_token_data_and_return_url() {
    test_with(local(), async |app| {
        let (engine, client, secret) = with_integration(app).await;
        let mut widget = Engine::answering(200).await;
        let secret = WidgetSecret::new(secret.expose_secret().as_bytes().to_vec()).unwrap();
        for encoding in ["form", "json"] {
            let request = json!({
                "url": format!("{}/bot?x=1", widget.url), "data": {"text": "a&b", "list": [1, {"ж": null}]}, "encoding": encoding,
            });
            let opened = open(&engine, request).await;
            let heard = widget.next().await;
            assert_eq!(heard.path, "/bot?x=1");
            let (token, return_url) = if encoding == "json" {
                assert_eq!(heard.header("content-type"), "application/json");
                let body = heard.json();
                assert_eq!(body["data"], json!({"text": "a&b", "list": [1, {"ж": null}]}));
                (body["token"].as_str().unwrap().to_owned(), body["return_url"].as_str().unwrap().to_owned())
            } else {
                assert_eq!(heard.header("content-type"), "application/x-www-form-urlencoded");
                let pairs: Vec<(String, String)> = form_urlencoded::parse(&heard.body).into_owned().collect();
                let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
                assert_eq!(names, ["token", "data[list][0]", "data[text]", "return_url"]);
                assert_eq!(pairs[2].1, "a&b");
                (pairs[0].1.clone(), pairs[3].1.clone())
            };
            assert_eq!(return_url, opened["return_url"].as_str().unwrap());
            let claims = secret.check(&token, &[widget.url.clone()], &Clock::system()).unwrap();
            assert_eq!((claims.iss.as_str(), claims.account_id, claims.entity_id), (app.url.as_str(), 1, 5));
            assert_eq!((claims.entity_type.as_str(), claims.bot_type.as_str()), ("leads", "salesbot"));
            assert_eq!(
                (claims.client_uuid.to_string(), claims.client_uid.to_string()),
                (client.clone(), client.clone())
            );
            assert!(secret.check(&token, &["http://elsewhere".to_owned()], &Clock::system()).is_err());
            let id = opened["continue_id"].as_i64().unwrap();
            until(app, &engine, id, "delivered").await;
            proceed(app, 77, id).await;
            let event = lease(&engine, 1).await.remove(0);
            assert_eq!(event["event"]["continue_id"], id);
            let body = json!({"lease_token": event["lease_token"]}).to_string();
            assert_eq!(engine.post(&format!("/registry/v1/deliveries/{}/ack", event["id"]), &body).await.status, 204);
        }
    });
}

#[test]
fn a_widget_that_does_not_take_the_call_fails_the_record() {
    test_with(local(), async |app| {
        let (engine, _, _) = with_integration(app).await;
        let mut widget = Engine::answering(500).await;
        let opened = open(&engine, json!({"url": widget.url})).await;
        let id = opened["continue_id"].as_i64().unwrap();
        for attempt in 1..=3 {
            widget.next().await;
            if attempt < 3 {
                until_tried(app, &engine, id, attempt).await;
                let_time_pass(app).await;
            }
        }
        let leased = lease(&engine, 1).await.remove(0);
        let event = &leased["event"];
        assert_eq!(event["type"], "continuation.failed");
        assert_eq!(event["failure"], "The widget could not be called: the receiver answered 500");
        let record = engine.get(&format!("/registry/v1/continuations/{id}")).await.json();
        let call = &record["deliveries"][0];
        assert_eq!(
            (&call["type"], &call["state"], &call["attempts"]),
            (&"widget.call".into(), &"dead".into(), &3.into())
        );
        assert!(widget.unread().is_empty());
        let path = format!("/registry/v1/deliveries/{}/replay", call["id"]);
        assert!(engine.post(&path, "").await.problem(409).contains("call"), "a call is not replayed");
    });
}

#[test]
fn a_record_that_waits_no_more_is_not_called() {
    test_with(local(), async |app| {
        let (engine, _, _) = with_integration(app).await;
        let mut widget = Engine::answering(500).await;
        let opened = open(&engine, json!({"url": widget.url})).await;
        let id = opened["continue_id"].as_i64().unwrap();
        widget.next().await;
        until_tried(app, &engine, id, 1).await;
        assert_eq!(engine.post(&format!("/registry/v1/continuations/{id}/cancel"), "").await.status, 204);
        let_time_pass(app).await;
        let withdrawn = until(app, &engine, id, "withdrawn").await;
        assert_eq!(withdrawn["tries"][0]["outcome"], "withdrawn");
        assert!(widget.unread().is_empty());
    });
}

#[test]
fn the_same_reference_calls_once() {
    test_with(local(), async |app| {
        let (engine, _, _) = with_integration(app).await;
        let mut widget = Engine::answering(200).await;
        let mut body: Value = serde_json::from_str(&opening(&json!({"url": widget.url}))).unwrap();
        body["reference"] = "once".into();
        let body = body.to_string();
        let opens = (0..5).map(|_| engine.post("/registry/v1/salesbot/77/continuations", &body));
        let mut statuses: Vec<u16> = futures_util::future::join_all(opens).await.iter().map(|a| a.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 200, 201]);
        let calls: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries").fetch_one(&app.pool).await.unwrap();
        assert_eq!(calls, 1);
        widget.next().await;
    });
}

#[test]
fn a_call_that_cannot_be_signed_or_written_is_refused() {
    test_with(local(), async |app| {
        app.publish(&Sample::plain("bot_widget")).await;
        let engine = app.caller(Claims::user(1, 9).scopes(&["bots"]));
        let answer = engine
            .post("/registry/v1/salesbot/77/continuations", &opening(&json!({"url": "http://127.0.0.1:9/"})))
            .await;
        assert!(answer.problem(409).contains("POST /registry/v1/integrations"), "{answer:?}");
        // A long key above many values: small as JSON, larger than a mebibyte as a form.
        let many = json!({"k".repeat(1000): vec![1; 5000]});
        let answer = engine
            .post(
                "/registry/v1/salesbot/77/continuations",
                &opening(&json!({"url": "http://127.0.0.1:9/", "data": many})),
            )
            .await;
        assert!(answer.problem(400).contains("request.data"), "{answer:?}");
    });
}
