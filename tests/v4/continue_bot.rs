//! Section 8 of the contract: a widget's answer to a waiting bot.

use serde_json::Value;

use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const ABSENT: &str = "Record of the widget awaiting the execution result was not found";

/// An administrator of account 1, and a widget that bots wait for.
pub(super) async fn admin(app: &TestApp) -> Client {
    app.publish(&Sample::plain("bot_widget")).await;
    app.admin()
}

pub(super) fn path(id: i64) -> String {
    format!("/api/v4/salesbot/77/continue/{id}")
}

pub(super) fn is_accepted(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (202, 0, ""), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty());
}

pub(super) fn is_absent(answer: &Answer) {
    assert_eq!(answer.problem(404), ABSENT);
}

pub(super) async fn record(app: &TestApp, id: i64) -> Value {
    let answer = app.admin().get(&format!("/registry/v1/continuations/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn no_data_is_an_answer_too() {
    test(async |app| {
        let admin = admin(app).await;
        for body in ["{}", "[]", "", " \n", " [ ] ", r#"{"data":null,"execute_handlers":null}"#, r#"{"more":1}"#] {
            let id = app.wait_for("bot_widget").await;
            is_accepted(&admin.post(&path(id), body).await);
            let record = record(app, id).await;
            assert_eq!((&record["state"], &record["data"]), (&"continued".into(), &Value::Null), "{body}");
            assert_eq!((&record["execute_handlers"], &record["data_sha256"]), (&Value::Null, &Value::Null), "{body}");
        }
        let id = app.wait_for("bot_widget").await;
        is_accepted(&admin.send(admin.request("POST", &path(id))).await);
    });
}

#[test]
fn data_is_an_object_or_an_array() {
    test(async |app| {
        let admin = admin(app).await;
        for data in ["{}", "[]", r#"{"status":"success"}"#, "[1,{}]", "[[]]"] {
            let id = app.wait_for("bot_widget").await;
            is_accepted(&admin.post(&path(id), &format!(r#"{{"data":{data}}}"#)).await);
            assert_eq!(record(app, id).await["data"].to_string(), data);
        }
        let id = app.wait_for("bot_widget").await;
        for data in [r#""success""#, "5", "true", "0"] {
            let refused = admin.post(&path(id), &format!(r#"{{"data":{data}}}"#)).await;
            assert_eq!(refused.violations(), ["InvalidType data"], "{data}");
        }
        for body in ["5", r#""a""#, "null", "[1]", r#"[{"data":{}}]"#] {
            assert_eq!(admin.post(&path(id), body).await.violations(), ["InvalidType "], "{body}");
        }
        // None of these has ended the waiting.
        assert_eq!(record(app, id).await["state"], "waiting");
        is_accepted(&admin.post(&path(id), "{}").await);
    });
}

#[test]
fn bytes_and_digest_are_kept() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let (data, handlers) = (
            "{\"b\" : 1e131071,\n\"a\":\"\\u0041\\/\"}",
            r#"[ {"params":{"step":5,"type":"finish"},"handler":"goto"} ]"#,
        );
        let body = format!(r#"{{"execute_handlers": {handlers} , "data": {data} }}"#);
        is_accepted(&admin.post(&path(id), &body).await);
        let shown = admin.get(&format!("/registry/v1/continuations/{id}")).await;
        let digest = "SELECT encode(sha256(data), 'hex') FROM continuations";
        let digest: String = sqlx::query_scalar(digest).fetch_one(&app.pool).await.unwrap();
        let end = format!(r#""data":{data},"data_sha256":"{digest}","data_size":32,"execute_handlers":{handlers},"#);
        assert!(shown.text().contains(&end), "{shown:?}");
    });
}

#[test]
fn limits() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        // The body's own braces are the first level.
        let nested = |depth: usize| format!(r#"{{"data":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        let refused = admin.post(&path(id), &nested(33)).await.problem(400);
        assert!(refused.contains("deeper than 32 levels"), "{refused}");
        let sized = |size: usize| format!(r#"{{"data":["{}"]}}"#, "x".repeat(size - r#"{"data":[""]}"#.len()));
        let refused = admin.post(&path(id), &sized(64 * 1024 + 1)).await.problem(413);
        assert_eq!(refused, "The body is larger than 65536 bytes");
        is_accepted(&admin.post(&path(id), &nested(32)).await);
        is_accepted(&admin.post(&path(app.wait_for("bot_widget").await), &sized(64 * 1024)).await);
    });
}

#[test]
fn a_record_is_found_by_its_own_account_and_bot_only() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        for (kind, bot, id) in [
            ("salesbot", "77", (id + 1).to_string()),
            ("salesbot", "78", id.to_string()),
            ("marketingbot", "77", id.to_string()),
            ("Salesbot", "77", id.to_string()),
            ("chatbot", "77", id.to_string()),
            ("salesbot", "077", id.to_string()),
            ("salesbot", "+77", id.to_string()),
            ("salesbot", "0", id.to_string()),
            ("salesbot", "77", format!("0{id}")),
            ("salesbot", "77", format!("-{id}")),
            ("salesbot", "77", format!("{id}%20")),
            ("salesbot", "77", "0".to_owned()),
            ("salesbot", "77", "x".to_owned()),
            ("salesbot", "77", "9223372036854775808".to_owned()),
            ("salesbot", "77", "99999999999999999999".to_owned()),
        ] {
            is_absent(&admin.post(&format!("/api/v4/{kind}/{bot}/continue/{id}"), "{}").await);
        }
        is_absent(&app.caller(Claims::admin(2, 7)).post(&path(id), "{}").await);
        assert_eq!(app.user().post(&path(id), "{}").await.problem(403), "Insufficient rights to call this method");
        is_accepted(&admin.post(&path(id), "{}").await);
    });
}

#[test]
fn a_marketingbot_waits_as_well() {
    test(async |app| {
        let admin = admin(app).await;
        let opening = r#"{"widget_code":"bot_widget","entity":{"type":"leads","id":5}}"#;
        let opened = admin.post("/registry/v1/marketingbot/77/continuations", opening).await.json();
        is_absent(&admin.post(&path(opened["continue_id"].as_i64().unwrap()), "{}").await);
        let address = opened["return_url"].as_str().unwrap().strip_prefix(&app.url).unwrap();
        is_accepted(&admin.post(address, "{}").await);
    });
}

#[test]
fn what_waits_no_more_is_not_found() {
    test(async |app| {
        let admin = admin(app).await;
        let id = app.wait_for("bot_widget").await;
        is_accepted(&admin.post(&path(id), r#"{"data":{"n":1}}"#).await);
        is_absent(&admin.post(&path(id), r#"{"data":{"n":2}}"#).await);
        assert_eq!(record(app, id).await["data"]["n"], 1);
        for (change, state) in [
            ("state = 'failed', failure = 'gave up', closed_at = now()", "failed"),
            ("state = 'cancelled', closed_at = now()", "cancelled"),
            ("state = 'expired', closed_at = now()", "expired"),
            // A deadline that has passed counts, whether or not anything has written so.
            ("opened_at = now() - interval '2 hours', expires_at = now() - interval '1 second'", "expired"),
        ] {
            let id = app.wait_for("bot_widget").await;
            let update = sqlx::AssertSqlSafe(format!("UPDATE continuations SET {change} WHERE id = $1"));
            assert_eq!(sqlx::query(update).bind(id).execute(&app.pool).await.unwrap().rows_affected(), 1);
            is_absent(&admin.post(&path(id), r#"{"data":{}}"#).await);
            // The record comes before the rules.
            is_absent(&admin.post(&path(id), r#"{"data":5}"#).await);
            let record = record(app, id).await;
            assert_eq!((&record["state"], &record["data"]), (&state.into(), &Value::Null), "{change}");
        }
    });
}

#[test]
fn a_body_that_is_no_json_comes_before_the_record() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        for body in ["{", r#"{"data":{},"data":{}}"#, r#"{"data":{"a":1,"\u0061":1}}"#, r#"{"data":["\u0000"]}"#] {
            admin.post(&path(id + 1), body).await.problem(400);
        }
        let text = admin.post_bytes(&path(id), "text/html", b"{}".to_vec()).await;
        assert_eq!(text.problem(415), "The body must be sent as application/json");
        is_absent(&admin.post(&path(id + 1), r#"{"data":5,"execute_handlers":[]}"#).await);
    });
}

#[test]
fn blocks_that_are_taken() {
    test(async |app| {
        let admin = admin(app).await;
        let goto = r#"{"handler":"goto","params":{"type":"question","step":0}}"#;
        let buttons = |count| vec![r#""b""#; count].join(",");
        for handlers in [
            goto.to_owned(),
            [goto; 10].join(","),
            r#"{"handler":"goto","params":{"type":"answer","step":9223372036854775807}}"#.to_owned(),
            r#"{"handler":"goto","params":{"type":"finish","step":5,"more":1},"more":1}"#.to_owned(),
            r#"{"handler":"show","params":{"type":"text","value":"Hello"}}"#.to_owned(),
            format!(r#"{{"handler":"show","params":{{"type":"text","value":"{}"}}}}"#, "ж".repeat(80)),
            format!(r#"{{"handler":"show","params":{{"type":"buttons","value":"?","buttons":[{}]}}}}"#, buttons(25)),
            r#"{"handler":"show","params":{"type":"buttons_url","value":"?","buttons":["https://example.com/"]}}"#
                .to_owned(),
        ] {
            let id = app.wait_for("bot_widget").await;
            let answer = admin.post(&path(id), &format!(r#"{{"execute_handlers":[{handlers}]}}"#)).await;
            assert_eq!(answer.status, 202, "{handlers}: {answer:?}");
        }
    });
}

#[test]
fn blocks_that_are_refused() {
    test(async |app| {
        let (admin, id) = (admin(app).await, app.wait_for("bot_widget").await);
        let goto = r#"{"handler":"goto","params":{"type":"question","step":0}}"#;
        let eleven = format!("[{}]", [goto; 11].join(","));
        let long = format!(r#"[{{"handler":"show","params":{{"type":"text","value":"{}"}}}}]"#, "ж".repeat(81));
        let buttons = vec![r#""b""#; 26].join(",");
        let many = format!(r#"[{{"handler":"show","params":{{"type":"buttons","value":"?","buttons":[{buttons}]}}}}]"#);
        let table: &[(&str, &[&str])] = &[
            ("[]", &["TooFew "]),
            (&eleven, &["TooMany "]),
            ("{}", &["InvalidType "]),
            ("5", &["InvalidType "]),
            ("[5,null,[]]", &["InvalidType .0", "InvalidType .1", "InvalidType .2"]),
            ("[{}]", &["FieldMissing .0.handler", "FieldMissing .0.params"]),
            (r#"[{"handler":"stop","params":{}}]"#, &["NotSupportedChoice .0.handler"]),
            (r#"[{"handler":"Goto","params":{}}]"#, &["NotSupportedChoice .0.handler"]),
            (r#"[{"handler":5,"params":5}]"#, &["InvalidType .0.handler", "InvalidType .0.params"]),
            (r#"[{"handler":null}]"#, &["InvalidType .0.handler", "FieldMissing .0.params"]),
            (r#"[{"handler":"goto","params":{}}]"#, &["FieldMissing .0.params.type", "FieldMissing .0.params.step"]),
            (
                r#"[{"handler":"goto","params":{"type":"start","step":-1}}]"#,
                &["NotSupportedChoice .0.params.type", "TooLow .0.params.step"],
            ),
            (
                r#"[{"handler":"goto","params":{"type":5,"step":"5"}},{"handler":"goto","params":{"type":"finish","step":1.0}}]"#,
                &["InvalidType .0.params.type", "InvalidType .0.params.step", "InvalidType .1.params.step"],
            ),
            (r#"[{"handler":"goto","params":{"type":"finish","step":null}}]"#, &["InvalidType .0.params.step"]),
            (r#"[{"handler":"show","params":{}}]"#, &["FieldMissing .0.params.type", "FieldMissing .0.params.value"]),
            (
                r#"[{"handler":"show","params":{"type":"image","value":5}}]"#,
                &["NotSupportedChoice .0.params.type", "InvalidType .0.params.value"],
            ),
            (r#"[{"handler":"show","params":{"type":"text","value":" "}}]"#, &["NotBlank .0.params.value"]),
            (&long, &["TooLong .0.params.value"]),
            (&many, &["TooMany .0.params.buttons"]),
            (r#"[{"handler":"show","params":{"type":"buttons","value":"?"}}]"#, &["FieldMissing .0.params.buttons"]),
            (
                r#"[{"handler":"show","params":{"type":"buttons_url","value":"?","buttons":{"a":"b"}}}]"#,
                &["InvalidType .0.params.buttons"],
            ),
        ];
        for (handlers, expected) in table {
            let expected: Vec<String> = expected
                .iter()
                .map(|error| {
                    let (code, path) = error.split_once(' ').unwrap();
                    format!("{code} execute_handlers{path}")
                })
                .collect();
            let answer = admin.post(&path(id), &format!(r#"{{"execute_handlers":{handlers}}}"#)).await;
            assert_eq!(answer.violations(), expected, "{handlers}");
        }
        // Both members are told of at once, and nothing has ended the waiting.
        let both = admin.post(&path(id), r#"{"execute_handlers":[],"data":1}"#).await;
        assert_eq!(both.violations(), ["InvalidType data", "TooFew execute_handlers"]);
        assert_eq!(record(app, id).await["state"], "waiting");
    });
}
