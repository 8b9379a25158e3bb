//! What a widget answers a waiting bot with.

use super::table::{World, check};
use super::{Row, invalid, refused};

/// A body and every violation of the answer.
#[rustfmt::skip]
const BODIES: &[(&str, &[&str])] = &[
    ("1", &["InvalidType "]),
    ("null", &["InvalidType "]),
    ("true", &["InvalidType "]),
    (r#""success""#, &["InvalidType "]),
    ("[1]", &["InvalidType "]),
    ("[{}]", &["InvalidType "]),
    (r#"{"data":1}"#, &["InvalidType data"]),
    (r#"{"data":1e999}"#, &["InvalidType data"]),
    (r#"{"data":true}"#, &["InvalidType data"]),
    (r#"{"data":"success"}"#, &["InvalidType data"]),
    (r#"{"data":""}"#, &["InvalidType data"]),
    (r#"{"execute_handlers":1}"#, &["InvalidType execute_handlers"]),
    (r#"{"execute_handlers":"show"}"#, &["InvalidType execute_handlers"]),
    (r#"{"execute_handlers":{}}"#, &["InvalidType execute_handlers"]),
    (r#"{"execute_handlers":{"handler":"show"}}"#, &["InvalidType execute_handlers"]),
    (r#"{"execute_handlers":true,"data":5}"#, &["InvalidType data", "InvalidType execute_handlers"]),
    (r#"{"execute_handlers":[]}"#, &["TooFew execute_handlers"]),
    (r#"{"data":{},"execute_handlers":[]}"#, &["TooFew execute_handlers"]),
    (r#"{"execute_handlers":[1]}"#, &["InvalidType execute_handlers.0"]),
    (r#"{"execute_handlers":[null]}"#, &["InvalidType execute_handlers.0"]),
    (r#"{"execute_handlers":["show"]}"#, &["InvalidType execute_handlers.0"]),
    (r#"{"execute_handlers":[[]]}"#, &["InvalidType execute_handlers.0"]),
    (r#"{"execute_handlers":[{}]}"#, &["FieldMissing execute_handlers.0.handler", "FieldMissing execute_handlers.0.params"]),
    (r#"{"execute_handlers":[{"handler":"show"}]}"#, &["FieldMissing execute_handlers.0.params"]),
    (r#"{"execute_handlers":[{"params":{}}]}"#, &["FieldMissing execute_handlers.0.handler"]),
];

/// A block's `handler`, its `params`, and every violation below it.
#[rustfmt::skip]
const BLOCKS: &[(&str, &str, &[&str])] = &[
    ("1", "{}", &["InvalidType handler"]),
    ("null", "{}", &["InvalidType handler"]),
    ("[]", "{}", &["InvalidType handler"]),
    (r#""""#, "{}", &["NotSupportedChoice handler"]),
    (r#""Show""#, "{}", &["NotSupportedChoice handler"]),
    (r#""show ""#, "{}", &["NotSupportedChoice handler"]),
    (r#""run""#, "{}", &["NotSupportedChoice handler"]),
    (r#""run""#, "1", &["NotSupportedChoice handler", "InvalidType params"]),
    (r#""show""#, "null", &["InvalidType params"]),
    (r#""show""#, "1", &["InvalidType params"]),
    (r#""show""#, r#""text""#, &["InvalidType params"]),
    (r#""show""#, "[]", &["InvalidType params"]),
    (r#""show""#, "{}", &["FieldMissing params.type", "FieldMissing params.value"]),
    (r#""show""#, r#"{"type":"text"}"#, &["FieldMissing params.value"]),
    (r#""show""#, r#"{"value":"a"}"#, &["FieldMissing params.type"]),
    (r#""show""#, r#"{"type":1,"value":"a"}"#, &["InvalidType params.type"]),
    (r#""show""#, r#"{"type":null,"value":"a"}"#, &["InvalidType params.type"]),
    (r#""show""#, r#"{"type":"video","value":"a"}"#, &["NotSupportedChoice params.type"]),
    (r#""show""#, r#"{"type":"question","value":"a"}"#, &["NotSupportedChoice params.type"]),
    (r#""show""#, r#"{"type":"text","value":1}"#, &["InvalidType params.value"]),
    (r#""show""#, r#"{"type":"text","value":null}"#, &["InvalidType params.value"]),
    (r#""show""#, r#"{"type":"text","value":["a"]}"#, &["InvalidType params.value"]),
    (r#""show""#, r#"{"type":"text","value":""}"#, &["NotBlank params.value"]),
    (r#""show""#, r#"{"type":"text","value":" "}"#, &["NotBlank params.value"]),
    (r#""show""#, r#"{"type":"text","value":"a","buttons":{}}"#, &["InvalidType params.buttons"]),
    (r#""show""#, r#"{"type":"text","value":"a","buttons":"b"}"#, &["InvalidType params.buttons"]),
    (r#""show""#, r#"{"type":"buttons","value":"a"}"#, &["FieldMissing params.buttons"]),
    (r#""show""#, r#"{"type":"buttons_url","value":"a"}"#, &["FieldMissing params.buttons"]),
    (r#""show""#, r#"{"type":"buttons","value":"a","buttons":null}"#, &["InvalidType params.buttons"]),
    (r#""show""#, r#"{"type":"buttons","value":"a","buttons":1}"#, &["InvalidType params.buttons"]),
    (r#""goto""#, "{}", &["FieldMissing params.type", "FieldMissing params.step"]),
    (r#""goto""#, r#"{"type":"question"}"#, &["FieldMissing params.step"]),
    (r#""goto""#, r#"{"step":1}"#, &["FieldMissing params.type"]),
    (r#""goto""#, r#"{"type":"text","step":1}"#, &["NotSupportedChoice params.type"]),
    (r#""goto""#, r#"{"type":["question"],"step":1}"#, &["InvalidType params.type"]),
    (r#""goto""#, r#"{"type":"finish","step":"1"}"#, &["InvalidType params.step"]),
    (r#""goto""#, r#"{"type":"finish","step":null}"#, &["InvalidType params.step"]),
    (r#""goto""#, r#"{"type":"finish","step":1.0}"#, &["InvalidType params.step"]),
    (r#""goto""#, r#"{"type":"finish","step":1e1}"#, &["InvalidType params.step"]),
    (r#""goto""#, r#"{"type":"finish","step":9223372036854775808}"#, &["InvalidType params.step"]),
    (r#""goto""#, r#"{"type":"finish","step":-1}"#, &["TooLow params.step"]),
];

const SHOW: &str = r#"{"handler":"show","params":{"type":"text","value":"a"}}"#;

#[test]
fn values() {
    check(60, |world| {
        let send = |body: &str| world.admin("POST", world.continue_path()).json(body);
        let mut rows: Vec<Row> =
            BODIES.iter().map(|(body, violations)| invalid(*body, send(body), violations)).collect();
        for (handler, params, violations) in BLOCKS {
            // The second of two blocks, so that its index shows.
            let body = format!(r#"{{"execute_handlers":[{SHOW},{{"handler":{handler},"params":{params}}}]}}"#);
            let placed: Vec<String> =
                violations.iter().map(|one| one.replacen(' ', " execute_handlers.1.", 1)).collect();
            let placed: Vec<&str> = placed.iter().map(String::as_str).collect();
            rows.push(invalid(format!("{handler} {params}"), send(&body), &placed));
        }
        let eleven = format!(r#"{{"execute_handlers":[{}]}}"#, [SHOW; 11].join(","));
        rows.push(invalid("eleven blocks", send(&eleven), &["TooMany execute_handlers"]));
        let show = |params: &str| format!(r#"{{"execute_handlers":[{{"handler":"show","params":{{{params}}}}}]}}"#);
        let long = show(&format!(r#""type":"text","value":"{}""#, "ж".repeat(81)));
        rows.push(invalid("81 characters", send(&long), &["TooLong execute_handlers.0.params.value"]));
        let buttons = ["\"b\""; 26].join(",");
        let many = show(&format!(r#""type":"buttons","value":"a","buttons":[{buttons}]"#));
        rows.push(invalid("26 buttons", send(&many), &["TooMany execute_handlers.0.params.buttons"]));
        rows
    });
}

#[test]
fn idempotency_keys() {
    check(9, |world| {
        let send = |key: &[u8]| world.admin("POST", world.continue_path()).json("{}").header("Idempotency-Key", key);
        let length = "The header Idempotency-Key must have 1 to 128 characters";
        let once = "must be given once, as text";
        vec![
            refused("empty", send(b""), 400, length),
            refused("blank", send(b"   "), 400, length),
            refused("129 characters", send(&[b'k'; 129]), 400, length),
            refused("very long", send(&[b'k'; 8_000]), 400, length),
            refused("not ASCII", send("ключ".as_bytes()), 400, once),
            refused("not UTF-8", send(b"\xff"), 400, once),
            refused("twice", send(b"a").header("Idempotency-Key", "b"), 400, once),
            refused("twice the same", send(b"a").header("idempotency-key", "a"), 400, once),
            refused("twice, one empty", send(b"").header("Idempotency-Key", "b"), 400, once),
        ]
    });
}

#[test]
fn keys_of_records_that_do_not_wait() {
    check(8, |world| {
        let gone = "Record of the widget awaiting the execution result was not found";
        let waiting = world.waiting;
        let mut rows = Vec::new();
        for (name, path) in [
            ("unknown", "/api/v4/salesbot/77/continue/999999".to_owned()),
            ("another bot", format!("/api/v4/salesbot/78/continue/{waiting}")),
            ("another engine", format!("/api/v4/marketingbot/77/continue/{waiting}")),
            ("the largest", format!("/api/v4/salesbot/77/continue/{}", i64::MAX)),
        ] {
            let send = |world: &World<'_>, body: &str| world.admin("POST", &path).json(body);
            rows.push(refused(name, send(world, "{}").header("Idempotency-Key", "k"), 404, gone));
            rows.push(refused(format!("{name}, bad values"), send(world, r#"{"data":1}"#), 404, gone));
        }
        rows.push(refused("a user", world.user("POST", world.continue_path()).json("{}"), 403, "Insufficient rights"));
        rows
    });
}
