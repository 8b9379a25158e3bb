//! Installs whose settings break the template's rules, and lead sources that are none.

use super::table::{check, settings_with};
use super::{invalid, refused};

/// A key, its bad value (none when empty), and every violation of the answer.
#[rustfmt::skip]
const VALUES: &[(&str, &str, &[&str])] = &[
    ("text", "", &["FieldMissing text"]),
    ("text", "null", &["NotBlank text"]),
    ("text", r#""""#, &["NotBlank text"]),
    ("text", r#"" \t\n""#, &["NotBlank text"]),
    ("text", r#""\u00a0""#, &["NotBlank text"]),
    ("text", "1", &["InvalidType text"]),
    ("text", "1.5", &["InvalidType text"]),
    ("text", "true", &["InvalidType text"]),
    ("text", "[]", &["InvalidType text"]),
    ("text", r#"["a"]"#, &["InvalidType text"]),
    ("text", "{}", &["InvalidType text"]),
    ("pass", "", &["FieldMissing pass"]),
    ("pass", "null", &["NotBlank pass"]),
    ("pass", r#""""#, &["NotBlank pass"]),
    ("pass", "0", &["InvalidType pass"]),
    ("pass", "false", &["InvalidType pass"]),
    ("pass", "[]", &["InvalidType pass"]),
    ("pass", r#"{"a":"b"}"#, &["InvalidType pass"]),
    ("users", "", &["FieldMissing users"]),
    ("users", "null", &["NotBlank users"]),
    ("users", "{}", &["NotBlank users"]),
    ("users", "[]", &["NotBlank users"]),
    ("users", r#""7""#, &["InvalidType users"]),
    ("users", "7", &["InvalidType users"]),
    ("users", "true", &["InvalidType users"]),
    ("users", r#"["101"]"#, &["InvalidType users"]),
    ("users", r#"[{"7":"101"}]"#, &["InvalidType users"]),
    ("users", r#"{"":"1"}"#, &["NotExpected users."]),
    ("users", r#"{"0":"1"}"#, &["NotExpected users.0"]),
    ("users", r#"{"01":"1"}"#, &["NotExpected users.01"]),
    ("users", r#"{"+1":"1"}"#, &["NotExpected users.+1"]),
    ("users", r#"{"-1":"1"}"#, &["NotExpected users.-1"]),
    ("users", r#"{"1 ":"1"}"#, &["NotExpected users.1 "]),
    ("users", r#"{"1.0":"1"}"#, &["NotExpected users.1.0"]),
    ("users", r#"{"abc":"1"}"#, &["NotExpected users.abc"]),
    ("users", r#"{"9223372036854775808":"1"}"#, &["NotExpected users.9223372036854775808"]),
    ("users", r#"{"1":null}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":true}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":1.5}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":1e3}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":123456789012345678901234567890123}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":[]}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":{"a":"b"}}"#, &["InvalidType users.1"]),
    ("users", r#"{"1":"a","2":[],"x":"b"}"#, &["InvalidType users.2", "NotExpected users.x"]),
    ("lp", "", &["FieldMissing lp"]),
    ("lp", "null", &["NotBlank lp"]),
    ("lp", "{}", &["NotBlank lp"]),
    ("lp", "[]", &["NotBlank lp"]),
    ("lp", r#""a:b""#, &["InvalidType lp"]),
    ("lp", r#"["a","b"]"#, &["InvalidType lp"]),
    ("lp", r#"{"login":"a","password":"b"}"#, &["NotExpected lp.login", "NotExpected lp.password"]),
    ("lp", r#"{"1":null}"#, &["InvalidType lp.1"]),
    ("lp", r#"{"1":"a"}"#, &["InvalidType lp.1"]),
    ("lp", r#"{"1":["a","b"]}"#, &["InvalidType lp.1"]),
    ("lp", r#"{"1":{}}"#, &["FieldMissing lp.1.login", "FieldMissing lp.1.password"]),
    ("lp", r#"{"1":[]}"#, &["FieldMissing lp.1.login", "FieldMissing lp.1.password"]),
    ("lp", r#"{"1":{"login":"a"}}"#, &["FieldMissing lp.1.password"]),
    ("lp", r#"{"1":{"password":"b"}}"#, &["FieldMissing lp.1.login"]),
    ("lp", r#"{"1":{"login":1,"password":"b"}}"#, &["InvalidType lp.1.login"]),
    ("lp", r#"{"1":{"login":"a","password":null}}"#, &["InvalidType lp.1.password"]),
    ("lp", r#"{"1":{"login":"a","password":["b"]}}"#, &["InvalidType lp.1.password"]),
    ("lp", r#"{"1":{"login":"","password":"b"}}"#, &["NotBlank lp.1.login"]),
    ("lp", r#"{"1":{"login":"a","password":" "}}"#, &["NotBlank lp.1.password"]),
    ("lp", r#"{"1":{"login":"a","password":"b","host":"c"}}"#, &["NotExpected lp.1.host"]),
    ("lp", r#"{"1":{"Login":"a","password":"b"}}"#, &["FieldMissing lp.1.login", "NotExpected lp.1.Login"]),
    ("lp", r#"{"x":{"login":"a","password":"b"}}"#, &["NotExpected lp.x"]),
    ("custom", "", &["FieldMissing custom"]),
    ("custom", "null", &["NotBlank custom"]),
    ("custom", r#""""#, &["NotBlank custom"]),
    ("custom", r#""  ""#, &["NotBlank custom"]),
    ("custom", "{}", &["NotBlank custom"]),
    ("custom", "[]", &["NotBlank custom"]),
    ("custom", "[ ]", &["NotBlank custom"]),
];

#[test]
fn values() {
    check(70, |world| {
        let request = || world.admin("POST", "/api/v4/widgets/every");
        let mut rows = Vec::new();
        for (key, value, violations) in VALUES {
            let body = settings_with(key, value);
            rows.push(invalid(format!("{key} {value}"), request().json(body), violations));
        }
        rows
    });
}

#[test]
fn whole_bodies() {
    const ALL_MISSING: [&str; 5] =
        ["FieldMissing text", "FieldMissing pass", "FieldMissing users", "FieldMissing lp", "FieldMissing custom"];
    check(20, |world| {
        let install = |code: &str| world.admin("POST", format!("/api/v4/widgets/{code}"));
        let mut rows = Vec::new();
        for body in [r#""text""#, "1", "true", "false", "null", "[1]", "[[]]", "[{}]", "[null]"] {
            for code in ["every", "plain", "absent"] {
                let name = format!("{body} to {code}");
                rows.push(invalid(name, install(code).json(body), &["InvalidType "]));
            }
        }
        for body in ["", "{}", "[]", " ", "[ ]"] {
            rows.push(invalid(format!("`{body}`"), install("every").json(body), &ALL_MISSING));
        }
        rows.push(invalid("no content type", install("every"), &ALL_MISSING));
        let wrapped = format!("{{\"settings\":{}}}", settings_with("", ""));
        let expected: Vec<&str> = ALL_MISSING.into_iter().chain(["NotExpected settings"]).collect();
        rows.push(invalid("wrapped", install("every").json(wrapped), &expected));
        for key in ["a", "", "Text", "text ", "__proto__", "id", "text.a"] {
            let body = settings_with("text", &format!(r#""x","{key}":1"#));
            rows.push(invalid(format!("key `{key}`"), install("every").json(body), &[&format!("NotExpected {key}")]));
        }
        rows.push(invalid("key of another widget", install("plain").json(r#"{"text":"x"}"#), &["NotExpected text"]));
        let user = world.user("POST", "/api/v4/widgets/every").json("{}");
        rows.push(refused("a user", user, 403, "Insufficient rights to call this method"));
        let uninstall = world.admin("DELETE", "/api/v4/widgets/absent");
        rows.push(refused("uninstall what is not installed", uninstall, 404, "Widget isn't found"));
        let user = world.user("DELETE", "/api/v4/widgets/every");
        rows.push(refused("a user uninstalls", user, 403, "Insufficient rights to call this method"));
        rows
    });
}

#[test]
fn lead_sources() {
    check(20, |world| {
        let set =
            |code: &str, body: &str| world.admin("PUT", format!("/registry/v1/installs/{code}/lead-source")).json(body);
        let mut rows = Vec::new();
        for value in ["\"5\"", "1.5", "1.0", "1e3", "true", "[]", "{}", "[5]", "9223372036854775808"] {
            let request = set("every", &format!("{{\"pipeline_id\":{value}}}"));
            rows.push(invalid(format!("pipeline {value}"), request, &["InvalidType pipeline_id"]));
        }
        for value in ["0", "-0", "-1", "-9223372036854775808"] {
            let request = set("every", &format!("{{\"pipeline_id\":{value}}}"));
            rows.push(invalid(format!("pipeline {value}"), request, &["TooLow pipeline_id"]));
        }
        for body in ["", " ", "{}", r#"{"pipeline":5}"#, r#"{"Pipeline_id":5}"#] {
            rows.push(invalid(format!("body `{body}`"), set("every", body), &["FieldMissing pipeline_id"]));
        }
        for body in ["5", "null", "[]", "[5]", "\"5\""] {
            rows.push(invalid(format!("body `{body}`"), set("every", body), &["InvalidType "]));
        }
        for body in [r#"{"pipeline_id":5}"#, r#"{"pipeline_id":null}"#, "{}", "[]"] {
            for code in ["absent", "nobody", "..", "EVERY"] {
                let name = format!("{body} of {code}");
                rows.push(refused(name, set(code, body), 404, "Widget isn't found"));
            }
        }
        let impossible = set("plain", r#"{"pipeline_id":5}"#);
        rows.push(refused("no lead source", impossible, 409, "cannot be a lead source"));
        let user = world.user("PUT", "/registry/v1/installs/every/lead-source").json(r#"{"pipeline_id":5}"#);
        rows.push(refused("a user", user, 403, "Insufficient rights to call this method"));
        rows
    });
}
