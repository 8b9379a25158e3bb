//! Events on their way to the engine.

mod call;
mod hints;
mod order;
mod pull;
mod push;
mod retention;
mod states;

use serde_json::{Value, json};

use crate::support::{Claims, Client, Engine, Sample, Setup, TestApp};

/// A service that may call this machine.
pub fn local() -> Setup {
    Setup { file: "[outgoing]\nloopback = true\n".to_owned(), ..Setup::default() }
}

/// The engine of account 1 and a published widget.
pub async fn engine_of(app: &TestApp) -> Client {
    app.publish(&Sample::plain("bot_widget")).await;
    app.caller(Claims::user(1, 9).scopes(&["bots"]))
}

/// Opens a record of this bot; returns its id.
pub async fn open(client: &Client, bot: i64, more: Value) -> i64 {
    let mut body = json!({"widget_code": "bot_widget", "entity": {"type": "leads", "id": 5}});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let answer = client.post(&format!("/registry/v1/salesbot/{bot}/continuations"), &body.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["continue_id"].as_i64().unwrap()
}

/// Opens a record whose event is pushed to this server.
pub async fn open_pushed(client: &Client, bot: i64, engine: &Engine) -> i64 {
    if client.get("/registry/v1/webhook-secret").await.status == 404 {
        assert_eq!(client.post("/registry/v1/webhook-secret", "").await.status, 201);
    }
    open(client, bot, json!({"callback_url": format!("{}/hook", engine.url)})).await
}

/// Continues a record as the widget does.
pub async fn proceed(app: &TestApp, bot: i64, id: i64) {
    let answer =
        app.admin().post(&format!("/api/v4/salesbot/{bot}/continue/{id}"), r#"{"data":{"status":"ok"}}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
}

/// Takes events, waiting for them.
pub async fn lease(client: &Client, most: i64) -> Vec<Value> {
    let answer =
        client.post("/registry/v1/deliveries/lease", &json!({"max": most, "wait_seconds": 8}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["deliveries"].as_array().unwrap().clone()
}

/// Takes the events that are there.
pub async fn lease_now(client: &Client, most: i64) -> Vec<Value> {
    let answer = client.post("/registry/v1/deliveries/lease", &json!({"max": most}).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["deliveries"].as_array().unwrap().clone()
}

/// Says of a leased event that it arrived; returns the status.
pub async fn ack(client: &Client, leased: &Value) -> u16 {
    let body = json!({"lease_token": leased["lease_token"]}).to_string();
    client.post(&format!("/registry/v1/deliveries/{}/ack", leased["id"]), &body).await.status
}

/// A delivery as it is shown.
pub async fn shown(client: &Client, id: &Value) -> Value {
    let answer = client.get(&format!("/registry/v1/deliveries/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until the first event of a record stands like this; returns it.
pub async fn until(app: &TestApp, client: &Client, record: i64, state: &str) -> Value {
    loop {
        let statement = "SELECT id FROM deliveries WHERE subject_id = $1 AND state = $2";
        let found: Option<i64> =
            sqlx::query_scalar(statement).bind(record).bind(state).fetch_optional(&app.pool).await.unwrap();
        if let Some(id) = found {
            return shown(client, &id.into()).await;
        }
    }
}

/// Waits until the first event of a record has been tried so often and waits for its next try; returns it.
pub async fn until_tried(app: &TestApp, client: &Client, record: i64, attempts: i64) -> Value {
    loop {
        let found = until(app, client, record, "ready").await;
        if (&found["state"], &found["attempts"]) == (&"ready".into(), &attempts.into()) {
            return found;
        }
    }
}

/// Lets every pause and lease end, as if their time had passed.
pub async fn let_time_pass(app: &TestApp) {
    let mut transaction = app.pool.begin().await.unwrap();
    for statement in [
        "LOCK TABLE delivery_lanes",
        "UPDATE deliveries SET due_at = now() WHERE due_at > now()",
        "UPDATE delivery_lanes SET leased_until = least(leased_until, now()), \
         head_at = least(head_at, now()), retry_at = least(retry_at, now())",
    ] {
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}
