//! What the engine says when a bot begins to wait.

use super::table::check;
use super::{invalid, refused};

/// A lawful body's members, each of which is replaced in turn.
const MEMBERS: [(&str, &str); 5] = [
    ("account_id", "1"),
    ("widget_code", r#""every""#),
    ("entity", r#"{"type":"leads","id":5}"#),
    ("timeout_seconds", "60"),
    ("reference", r#""a reference""#),
];

fn body_with(key: &str, value: &str) -> String {
    let member = |(name, lawful): (&str, &str)| {
        let value = if name == key { value } else { lawful };
        (!value.is_empty()).then(|| format!("\"{name}\":{value}"))
    };
    format!("{{{}}}", MEMBERS.into_iter().filter_map(member).collect::<Vec<_>>().join(","))
}

#[rustfmt::skip]
const VALUES: &[(&str, &str, &[&str])] = &[
    ("account_id", r#""1""#, &["InvalidType account_id"]),
    ("account_id", "1.0", &["InvalidType account_id"]),
    ("account_id", "[1]", &["InvalidType account_id"]),
    ("account_id", "{}", &["InvalidType account_id"]),
    ("account_id", "true", &["InvalidType account_id"]),
    ("account_id", "9223372036854775808", &["InvalidType account_id"]),
    ("account_id", "0", &["TooLow account_id"]),
    ("account_id", "-1", &["TooLow account_id"]),
    ("widget_code", "", &["FieldMissing widget_code"]),
    ("widget_code", "null", &["InvalidType widget_code"]),
    ("widget_code", "1", &["InvalidType widget_code"]),
    ("widget_code", "true", &["InvalidType widget_code"]),
    ("widget_code", "[]", &["InvalidType widget_code"]),
    ("widget_code", r#"{"code":"every"}"#, &["InvalidType widget_code"]),
    ("widget_code", r#""""#, &["NotBlank widget_code"]),
    ("widget_code", r#"" ""#, &["NotBlank widget_code"]),
    ("entity", "", &["FieldMissing entity"]),
    ("entity", "null", &["InvalidType entity"]),
    ("entity", "5", &["InvalidType entity"]),
    ("entity", r#""leads""#, &["InvalidType entity"]),
    ("entity", "[]", &["InvalidType entity"]),
    ("entity", r#"["leads",5]"#, &["InvalidType entity"]),
    ("entity", "{}", &["FieldMissing entity.type", "FieldMissing entity.id"]),
    ("entity", r#"{"type":"leads"}"#, &["FieldMissing entity.id"]),
    ("entity", r#"{"id":5}"#, &["FieldMissing entity.type"]),
    ("entity", r#"{"type":1,"id":5}"#, &["InvalidType entity.type"]),
    ("entity", r#"{"type":null,"id":5}"#, &["InvalidType entity.type"]),
    ("entity", r#"{"type":"","id":5}"#, &["NotBlank entity.type"]),
    ("entity", r#"{"type":"012345678901234567890123456789012","id":5}"#, &["TooLong entity.type"]),
    ("entity", r#"{"type":"leads","id":"5"}"#, &["InvalidType entity.id"]),
    ("entity", r#"{"type":"leads","id":null}"#, &["InvalidType entity.id"]),
    ("entity", r#"{"type":"leads","id":5.0}"#, &["InvalidType entity.id"]),
    ("entity", r#"{"type":"leads","id":0}"#, &["TooLow entity.id"]),
    ("entity", r#"{"type":"leads","id":-5}"#, &["TooLow entity.id"]),
    ("entity", r#"{"type":[],"id":{}}"#, &["InvalidType entity.type", "InvalidType entity.id"]),
    ("timeout_seconds", r#""60""#, &["InvalidType timeout_seconds"]),
    ("timeout_seconds", "1.5", &["InvalidType timeout_seconds"]),
    ("timeout_seconds", "[]", &["InvalidType timeout_seconds"]),
    ("timeout_seconds", "1e2", &["InvalidType timeout_seconds"]),
    ("timeout_seconds", "0", &["TooLow timeout_seconds"]),
    ("timeout_seconds", "-1", &["TooLow timeout_seconds"]),
    ("timeout_seconds", "2592001", &["OutOfRange timeout_seconds"]),
    ("timeout_seconds", "9223372036854775807", &["OutOfRange timeout_seconds"]),
    ("reference", "1", &["InvalidType reference"]),
    ("reference", "[]", &["InvalidType reference"]),
    ("reference", "{}", &["InvalidType reference"]),
    ("reference", "false", &["InvalidType reference"]),
    ("reference", r#""""#, &["NotBlank reference"]),
    ("reference", r#""a","callback_url":5"#, &["InvalidType callback_url"]),
    ("reference", r#""a","request":{}"#, &["FieldMissing request.url"]),
    ("reference", r#""a","":1"#, &["NotExpected "]),
];

#[test]
fn values() {
    check(60, |world| {
        let open = |body: &str| world.admin("POST", "/registry/v1/salesbot/77/continuations").json(body);
        let mut rows = Vec::new();
        for (key, value, violations) in VALUES {
            rows.push(invalid(format!("{key} {value}"), open(&body_with(key, value)), violations));
        }
        let long = format!("\"{}\"", "ж".repeat(129));
        rows.push(invalid("long reference", open(&body_with("reference", &long)), &["TooLong reference"]));
        for body in ["", "[]", "null", "1", r#""every""#, "[{}]"] {
            rows.push(invalid(format!("body `{body}`"), open(body), &["InvalidType "]));
        }
        rows.push(invalid("empty object", open("{}"), &["FieldMissing widget_code", "FieldMissing entity"]));
        let foreign = open(&body_with("account_id", "2"));
        rows.push(refused("another account", foreign, 403, "the token is of another account"));
        for code in
            ["nobody", "EVERY", "..", "every ", "0123456789012345678901234567890123456789012345678901234567890123x"]
        {
            let request = open(&body_with("widget_code", &format!("\"{code}\"")));
            rows.push(refused(format!("widget {code}"), request, 404, "Widget isn't found or is unavailable"));
        }
        let user = world.user("POST", "/registry/v1/salesbot/77/continuations").json(body_with("", ""));
        rows.push(refused("without the scope", user, 403, "the token lacks the scope `bots`"));
        let show = world.user("GET", format!("/registry/v1/continuations/{}", world.waiting));
        rows.push(refused("shown without the scope", show, 403, "the token lacks the scope `bots`"));
        rows
    });
}
