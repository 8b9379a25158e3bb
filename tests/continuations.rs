//! What the bot engine calls: opening a record that waits, and reading it.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const PATH: &str = "/registry/v1/salesbot/77/continuations";
const DAY: i64 = 24 * 60 * 60;

/// A published widget, and the engine of account 1.
async fn engine(app: &TestApp) -> Client {
    app.publish(&Sample::plain("bot_widget")).await;
    app.caller(Claims::user(1, 9).scopes(&["bots"]))
}

/// A lawful opening with these members changed or added; `null` removes one.
fn opening(changes: Value) -> String {
    let mut body = json!({"widget_code": "bot_widget", "entity": {"type": "leads", "id": 5}});
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (key, value) in changes {
        body[key] = value;
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body.to_string()
}

async fn show(client: &Client, opened: &Value) -> Answer {
    client.get(&format!("/registry/v1/continuations/{}", opened["continue_id"])).await
}

fn instant(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

async fn count(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM continuations").fetch_one(&app.pool).await.unwrap()
}

#[test]
fn an_opened_record_waits() {
    test(async |app| {
        let engine = engine(app).await;
        let answer = engine.post(PATH, &opening(json!({"reference": "lead 5", "account_id": 1}))).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, "application/json"), "{answer:?}");
        let opened = answer.json();
        let id = opened["continue_id"].as_i64().unwrap();
        assert!(id > 0);
        let expected = json!({
            "continue_id": id, "return_url": format!("{}/api/v4/salesbot/77/continue/{id}", app.url),
            "expires_at": opened["expires_at"], "state": "waiting",
        });
        assert_eq!(opened, expected);
        let shown = show(&engine, &opened).await;
        assert_eq!((shown.status, shown.header("content-type")), (200, "application/json"), "{shown:?}");
        let record = shown.json();
        let expected = json!({
            "continue_id": id, "bot_type": "salesbot", "bot_id": 77, "widget_code": "bot_widget",
            "entity": {"type": "leads", "id": 5}, "reference": "lead 5", "state": "waiting",
            "opened_at": record["opened_at"], "expires_at": opened["expires_at"], "closed_at": null,
            "closed_by_user_id": null, "data": null, "data_sha256": null, "data_size": null, "execute_handlers": null,
            "failure": null, "callback_url": null, "deliveries": [],
        });
        assert_eq!(record, expected);
    });
}

#[test]
fn a_continued_record_tells_who_and_what() {
    test(async |app| {
        let engine = engine(app).await;
        let opened = engine
            .post("/registry/v1/marketingbot/9223372036854775807/continuations", &opening(json!({})))
            .await
            .json();
        let address = opened["return_url"].as_str().unwrap().strip_prefix(&app.url).unwrap();
        assert_eq!(app.caller(Claims::admin(1, 12)).post(address, r#"{"data":["x"]}"#).await.status, 202);
        let record = show(&engine, &opened).await.json();
        assert_eq!((&record["bot_type"], &record["bot_id"]), (&"marketingbot".into(), &i64::MAX.into()));
        assert_eq!((&record["state"], &record["closed_by_user_id"]), (&"continued".into(), &12.into()));
        assert!(instant(&record["closed_at"]) >= instant(&record["opened_at"]));
        assert_eq!((&record["data"], &record["reference"]), (&json!(["x"]), &Value::Null));
        // Of the bytes `["x"]`.
        let digest: String =
            sqlx::query_scalar("SELECT encode(sha256('[\"x\"]'), 'hex')").fetch_one(&app.pool).await.unwrap();
        assert_eq!(record["data_sha256"], digest);
    });
}

#[test]
fn fields_that_are_refused() {
    test(async |app| {
        let engine = engine(app).await;
        let (long_reference, long_type) = ("ж".repeat(129), "ж".repeat(33));
        let long_address = format!("https://example.com/{}", "a".repeat(2029));
        for (changes, errors) in [
            (json!({"account_id": 0}), vec!["TooLow account_id"]),
            (json!({"account_id": "1"}), vec!["InvalidType account_id"]),
            (json!({"account_id": 1.5}), vec!["InvalidType account_id"]),
            (json!({"widget_code": null}), vec!["FieldMissing widget_code"]),
            (json!({"widget_code": ""}), vec!["NotBlank widget_code"]),
            (json!({"widget_code": 5}), vec!["InvalidType widget_code"]),
            (json!({"entity": null}), vec!["FieldMissing entity"]),
            (json!({"entity": "leads"}), vec!["InvalidType entity"]),
            (json!({"entity": []}), vec!["InvalidType entity"]),
            (json!({"entity": {}}), vec!["FieldMissing entity.type", "FieldMissing entity.id"]),
            (json!({"entity": {"type": " ", "id": 0}}), vec!["NotBlank entity.type", "TooLow entity.id"]),
            (json!({"entity": {"type": "le\u{1}ads", "id": 1}}), vec!["NotSupportedChoice entity.type"]),
            (json!({"entity": {"type": 5, "id": "5"}}), vec!["InvalidType entity.type", "InvalidType entity.id"]),
            (json!({"entity": {"type": null, "id": null}}), vec!["InvalidType entity.type", "InvalidType entity.id"]),
            (json!({"entity": {"type": long_type, "id": -1}}), vec!["TooLong entity.type", "TooLow entity.id"]),
            (json!({"timeout_seconds": 0}), vec!["TooLow timeout_seconds"]),
            (json!({"timeout_seconds": -5}), vec!["TooLow timeout_seconds"]),
            (json!({"timeout_seconds": "60"}), vec!["InvalidType timeout_seconds"]),
            (json!({"timeout_seconds": 30 * DAY + 1}), vec!["OutOfRange timeout_seconds"]),
            (json!({"reference": ""}), vec!["NotBlank reference"]),
            (json!({"reference": 5}), vec!["InvalidType reference"]),
            (json!({"reference": long_reference}), vec!["TooLong reference"]),
            (json!({"callback_url": ""}), vec!["NotBlank callback_url"]),
            (json!({"callback_url": 5}), vec!["InvalidType callback_url"]),
            (json!({"callback_url": long_address}), vec!["TooLong callback_url"]),
            (json!({"request": 5}), vec!["InvalidType request"]),
            (json!({"request": {}}), vec!["FieldMissing request.url"]),
            (
                json!({"request": {"url": " ", "data": "x", "encoding": "xml", "more": 1}}),
                vec![
                    "NotBlank request.url",
                    "InvalidType request.data",
                    "NotSupportedChoice request.encoding",
                    "NotExpected request.more",
                ],
            ),
            (
                json!({"account_id": -1, "widget_code": 5, "entity": 5, "timeout_seconds": 1.5, "reference": " ", "x": 1}),
                vec![
                    "TooLow account_id",
                    "InvalidType widget_code",
                    "InvalidType entity",
                    "InvalidType timeout_seconds",
                    "NotBlank reference",
                    "NotExpected x",
                ],
            ),
        ] {
            let body = opening(changes);
            assert_eq!(engine.post(PATH, &body).await.violations(), errors, "{body}");
        }
        for body in ["", "[]", "5", "null", r#""a""#] {
            assert_eq!(engine.post(PATH, body).await.violations(), ["InvalidType "], "{body}");
        }
        engine.post(PATH, "{").await.problem(400);
        assert_eq!(count(app).await, 0);
    });
}

#[test]
fn null_is_as_good_as_nothing() {
    test(async |app| {
        let engine = engine(app).await;
        let body = r#"{"widget_code":"bot_widget","entity":{"type":"leads","id":5},"account_id":null,"timeout_seconds":null,"reference":null}"#;
        for _ in 0..2 {
            let answer = engine.post(PATH, body).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        assert_eq!(count(app).await, 2);
    });
}

#[test]
fn a_bot_waits_for_as_long_as_it_says() {
    test(async |app| {
        let engine = engine(app).await;
        for (changes, seconds) in
            [(json!({}), DAY), (json!({"timeout_seconds": 1}), 1), (json!({"timeout_seconds": 30 * DAY}), 30 * DAY)]
        {
            let opened = engine.post(PATH, &opening(changes)).await.json();
            let record = show(&engine, &opened).await.json();
            let waits = instant(&record["expires_at"]) - instant(&record["opened_at"]);
            assert_eq!(waits, time::Duration::seconds(seconds));
        }
    });
}

#[test]
fn the_longest_texts_fit() {
    test(async |app| {
        let engine = engine(app).await;
        let (reference, entity) = ("ж".repeat(128), "ж".repeat(32));
        let changes = json!({"reference": reference, "entity": {"type": entity, "id": i64::MAX}});
        let opened = engine.post(PATH, &opening(changes)).await.json();
        let record = show(&engine, &opened).await.json();
        assert_eq!(
            (&record["reference"], &record["entity"]),
            (&reference.into(), &json!({"type": entity, "id": i64::MAX}))
        );
    });
}

#[test]
fn the_same_reference_again_is_the_same_record() {
    test(async |app| {
        let engine = engine(app).await;
        app.publish(&Sample::plain("other_widget")).await;
        let first = engine.post(PATH, &opening(json!({"reference": "r"}))).await;
        assert_eq!(first.status, 201);
        for changes in [json!({"reference": "r"}), json!({"reference": "r", "timeout_seconds": 5})] {
            let again = engine.post(PATH, &opening(changes)).await;
            assert_eq!((again.status, again.json()), (200, first.json()), "{again:?}");
        }
        for changes in [
            json!({"reference": "r", "widget_code": "other_widget"}),
            json!({"reference": "r", "entity": {"type": "contacts", "id": 5}}),
            json!({"reference": "r", "entity": {"type": "leads", "id": 6}}),
        ] {
            engine.post(PATH, &opening(changes)).await.problem(409);
        }
        assert_eq!(count(app).await, 1);
        assert_eq!(show(&engine, &first.json()).await.json()["widget_code"], "bot_widget");
        // The answer tells where the record stands by now.
        let address = format!("/api/v4/salesbot/77/continue/{}", first.json()["continue_id"]);
        assert_eq!(app.admin().post(&address, "{}").await.status, 202);
        let again = engine.post(PATH, &opening(json!({"reference": "r"}))).await;
        let mut expected = first.json();
        expected["state"] = json!("continued");
        assert_eq!((again.status, again.json()), (200, expected));
        // Another bot, another kind of bot, another account, another reference: each is a record of its own.
        let other_account = app.caller(Claims::user(2, 9).scopes(&["bots"]));
        for (client, path, reference) in [
            (&engine, "/registry/v1/salesbot/78/continuations", "r"),
            (&engine, "/registry/v1/marketingbot/77/continuations", "r"),
            (&other_account, PATH, "r"),
            (&engine, PATH, "R"),
        ] {
            let answer = client.post(path, &opening(json!({"reference": reference}))).await;
            assert_eq!(answer.status, 201, "{path} {reference}: {answer:?}");
            let again = client.post(path, &opening(json!({"reference": reference}))).await;
            assert_eq!((again.status, again.json()), (200, answer.json()), "{path} {reference}");
        }
        assert_eq!(count(app).await, 5);
    });
}

#[test]
fn without_a_reference_each_opening_is_a_record() {
    test(async |app| {
        let engine = engine(app).await;
        let first = engine.post(PATH, &opening(json!({}))).await.json();
        let second = engine.post(PATH, &opening(json!({}))).await.json();
        assert_ne!(first["continue_id"], second["continue_id"]);
        assert_eq!(count(app).await, 2);
    });
}

#[test]
fn an_expired_record_says_so() {
    test(async |app| {
        let engine = engine(app).await;
        let body = opening(json!({"reference": "r"}));
        let opened = engine.post(PATH, &body).await.json();
        sqlx::query("UPDATE continuations SET opened_at = opened_at - interval '2 days', expires_at = expires_at - interval '2 days'")
            .execute(&app.pool)
            .await
            .unwrap();
        let record = show(&engine, &opened).await.json();
        assert_eq!((&record["state"], &record["closed_at"]), (&"expired".into(), &Value::Null));
        let again = engine.post(PATH, &body).await;
        assert_eq!((again.status, &again.json()["state"]), (200, &"expired".into()), "{again:?}");
    });
}

#[test]
fn the_account_is_the_tokens() {
    test(async |app| {
        let engine = engine(app).await;
        let refused = engine.post(PATH, &opening(json!({"account_id": 2}))).await;
        let detail = "Insufficient rights to call this method: the token is of another account";
        assert_eq!(refused.problem(403), detail);
        let unscoped = app.caller(Claims::admin(1, 7).scopes(&["publish"])).post(PATH, "{").await;
        assert_eq!(unscoped.problem(403), "Insufficient rights to call this method: the token lacks the scope `bots`");
        assert_eq!(count(app).await, 0);
    });
}

#[test]
fn the_account_must_see_the_widget() {
    test(async |app| {
        let engine = engine(app).await;
        let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish", "bots"]));
        app.publish_as(&stranger, &Sample::plain("hidden"), "private").await;
        for code in ["absent", "hidden", "Upper", "../x"] {
            let answer = engine.post(PATH, &opening(json!({"widget_code": code}))).await;
            assert_eq!(answer.problem(404), "Widget isn't found or is unavailable", "{code}");
        }
        assert_eq!(stranger.post(PATH, &opening(json!({"widget_code": "hidden"}))).await.status, 201);
    });
}

#[test]
fn addresses_that_are_no_bot_and_no_record() {
    test(async |app| {
        let engine = engine(app).await;
        let opened = engine.post(PATH, &opening(json!({}))).await.json();
        let absent = "Record of the widget awaiting the execution result was not found";
        for bot in [
            "chatbot/77",
            "Salesbot/77",
            "salesbot/0",
            "salesbot/077",
            "salesbot/-1",
            "salesbot/x",
            "salesbot/9223372036854775808",
        ] {
            let answer = engine.post(&format!("/registry/v1/{bot}/continuations"), &opening(json!({}))).await;
            assert_eq!(answer.problem(404), absent, "{bot}");
        }
        let id = opened["continue_id"].as_i64().unwrap();
        for id in [format!("{}", id + 1), format!("0{id}"), format!("+{id}"), "0".to_owned(), "x".to_owned()] {
            let answer = engine.get(&format!("/registry/v1/continuations/{id}")).await;
            assert_eq!(answer.problem(404), absent, "{id}");
        }
        let other = app.caller(Claims::admin(2, 7).scopes(&["bots"]));
        assert_eq!(show(&other, &opened).await.problem(404), absent);
    });
}
