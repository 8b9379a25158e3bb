//! Section 8 of the contract: a widget's answer to a waiting bot.

use serde_json::Value;

use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const ABSENT: &str = "Record of the widget awaiting the execution result was not found";

/// An administrator of account 1, and a widget that bots wait for.
async fn admin(app: &TestApp) -> Client {
    app.publish(&Sample::plain("bot_widget")).await;
    app.admin()
}

fn path(id: i64) -> String {
    format!("/api/v4/salesbot/77/continue/{id}")
}

fn is_accepted(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (202, 0, ""), "{answer:?}");
    assert!(!answer.header("x-request-id").is_empty());
}

fn is_absent(answer: &Answer) {
    assert_eq!(answer.problem(404), ABSENT);
}

async fn record(app: &TestApp, id: i64) -> Value {
    let answer = app.admin().get(&format!("/registry/v1/continuations/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Sends a body with an idempotency key.
async fn with_key(client: &Client, path: &str, key: &str, body: &str) -> Answer {
    let request = client.request("POST", path).header("idempotency-key", key);
    client.send(request.header("content-type", "application/json").body(body.to_owned())).await
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

/// The record is seen to wait, and then somebody else ends the wait.
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
