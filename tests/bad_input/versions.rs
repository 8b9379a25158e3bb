//! Versions and files that are none.

use super::table::check;
use super::{invalid, refused};
use crate::support::Raw;

/// Versions that are none, whichever way they are spelled.
const VERSIONS: [&str; 18] = [
    "9.9.9",
    "1.0.1",
    "1.0.0.0.0",
    "1.0.0-beta",
    "v1.0.0",
    "1.0.0%20",
    "%201.0.0",
    "1.0.0%00",
    "+1.0.0",
    "-1.0.0",
    "1..0",
    ".1",
    "1.",
    "latest",
    "%D9%A1",
    "%ff",
    "..",
    "%2e%2e",
];

#[test]
fn versions() {
    check(70, |world| {
        let says = "The widget has no such version";
        let path = |version: &str| format!("/registry/v1/widgets/every/versions/{version}");
        let mut rows = Vec::new();
        for version in VERSIONS {
            rows.push(refused(format!("show {version}"), world.user("GET", path(version)), 404, says));
            for verb in ["yank", "restore"] {
                let request = world.admin("POST", format!("{}/{verb}", path(version)));
                rows.push(refused(format!("{verb} {version}"), request, 404, says));
            }
        }
        for version in ["9.9.9", "", " 1.0.0", "1.0.0 ", "latest", "v1.0.0", "1.0.0\\n"] {
            let body = format!("{{\"version\":\"{version}\"}}");
            let request = world.admin("PUT", "/registry/v1/widgets/every/current").json(body);
            rows.push(refused(format!("pin `{version}`"), request, 404, says));
        }
        for code in ["nobody", "EVERY", "..", "every%00", "every%2F"] {
            let says = "Widget isn't found or is unavailable";
            let widget = format!("/registry/v1/widgets/{code}");
            let ask = |method, path: &str| world.admin(method, format!("{widget}/{path}"));
            rows.push(refused(format!("list {code}"), ask("GET", "versions"), 404, says));
            rows.push(refused(format!("show {code}"), ask("GET", "versions/1.0.0"), 404, says));
            rows.push(refused(format!("yank {code}"), ask("POST", "versions/1.0.0/yank"), 404, says));
            rows.push(refused(format!("restore {code}"), ask("POST", "versions/1.0.0/restore"), 404, says));
            let pin = ask("PUT", "current").json(r#"{"version":"1.0.0"}"#);
            rows.push(refused(format!("pin {code}"), pin, 404, says));
        }
        rows
    });
}

#[test]
fn pins_and_pages() {
    check(20, |world| {
        let pin = |body: &str| world.admin("PUT", "/registry/v1/widgets/every/current").json(body);
        let mut rows = Vec::new();
        for value in ["1", "1.0", "true", "[]", "{}", r#"["1.0.0"]"#] {
            let request = pin(&format!("{{\"version\":{value}}}"));
            rows.push(invalid(format!("pin {value}"), request, &["InvalidType version"]));
        }
        for body in ["{}", r#"{"Version":"1.0.0"}"#] {
            rows.push(invalid(format!("body {body}"), pin(body), &["FieldMissing version"]));
        }
        rows.push(invalid("no body".to_owned(), pin(""), &["FieldMissing version"]));
        for body in ["[]", "null", r#""1.0.0""#, "1"] {
            rows.push(invalid(format!("body {body}"), pin(body), &["InvalidType "]));
        }
        let list = |query: &str| world.user("GET", format!("/registry/v1/widgets/every/versions?{query}"));
        for query in ["after=", "after=x", "after=1.0.0%00", "after=-1", "after"] {
            rows.push(refused(query, list(query), 400, "The parameter `after` is no version"));
        }
        rows.push(refused(
            "after twice",
            list("after=1&after=1"),
            400,
            "The parameter `after` is given more than once",
        ));
        let user = |method, path: &str| world.user(method, format!("/registry/v1/widgets/every/{path}"));
        let says = "the token lacks the scope `publish`";
        rows.push(refused("a user yanks", user("POST", "versions/1.0.0/yank"), 403, says));
        rows.push(refused("a user restores", user("POST", "versions/1.0.0/restore"), 403, says));
        rows.push(refused("a user pins", user("PUT", "current").json(r#"{"version":null}"#), 403, says));
        rows
    });
}

/// Paths under which no file is.
const PATHS: [&str; 24] = [
    "",
    "/",
    "nothing.js",
    "SCRIPT.JS",
    "script.js/",
    "/script.js",
    "./script.js",
    "../1.0.0/script.js",
    "..",
    "%2e%2e/1.0.0/script.js",
    "..%2f..%2fscript.js",
    "script.js%00",
    "%00",
    "script.js%20",
    "%ff",
    "script%ff.js",
    "script.js%2f",
    "i18n",
    "i18n/",
    "i18n%5Cen.json",
    "%252e%252e/script.js",
    "script%252ejs",
    "%",
    "~root/.ssh",
];

#[test]
fn files() {
    check(60, |_| {
        let says = "File isn't found or is unavailable";
        let mut rows = Vec::new();
        for path in PATHS {
            let request = Raw::get(format!("/widgets/every/1.0.0/{path}"));
            rows.push(refused(format!("path {path}"), request, 404, says));
        }
        for version in VERSIONS {
            let request = Raw::get(format!("/widgets/every/{version}/script.js"));
            rows.push(refused(format!("version {version}"), request, 404, says));
        }
        for code in ["nobody", "EVERY", "..", "every%00", "every%2F", "%2e%2e"] {
            for version in ["1.0.0", "current"] {
                let request = Raw::get(format!("/widgets/{code}/{version}/script.js"));
                rows.push(refused(format!("{version} of {code}"), request, 404, says));
            }
        }
        let script = || Raw::get("/widgets/every/1.0.0/script.js");
        for token in ["x", "a.b.c", ""] {
            rows.push(refused(format!("token {token}"), script().token(token), 401, "Invalid user name or password"));
        }
        for range in ["bytes=100000-", "bytes=-0", "bytes=99999999999999999999-"] {
            rows.push(refused(range, script().header("Range", range), 416, "the range is outside"));
        }
        for name in ["range", "if-none-match", "if-range"] {
            let says = format!("The header {name} must be given once, as text");
            rows.push(refused(format!("{name} not text"), script().header(name, b"\xff"), 400, says));
        }
        rows
    });
}
