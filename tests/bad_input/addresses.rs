//! Paths and queries.

use super::table::check;
use super::{Row, World, refused};

const NO_WIDGET: &str = "Widget isn't found or is unavailable";
const NO_ROUTE: &str = "Cannot GET http://registry.test/";

/// Codes that are none, whichever way they are spelled.
const CODES: [&str; 38] = [
    "nobody",
    "PLAIN",
    "Plain",
    "plain%00",
    "%00",
    "plain%0d%0aX-Evil:1",
    "plain%20",
    "%20plain",
    "+plain",
    "plain+",
    "%2Bplain",
    "plain%2F",
    "%2Fplain",
    "every%2Fplain",
    "..%2Fplain",
    "%2e%2e%2fplain",
    "plain%5C",
    "..",
    ".",
    "%2e",
    "%2e%2e",
    ".plain",
    "-plain",
    "plain%ff",
    "%ff",
    "%C3%28",
    "%F0%9F%98%80",
    "pla%C4%B1n",
    "%EF%BD%90lain",
    "plain%25",
    "plain%2500",
    "%",
    "%zz",
    "plain;v=1",
    "plain%3Flimit=1",
    "plain'--",
    "%22plain%22",
    "*",
];

/// Addresses at which nothing is.
const NOWHERE: [&str; 26] = [
    "/",
    "//",
    "/api",
    "/api/",
    "/api/v4",
    "/api/v4/",
    "/api/v3/widgets",
    "/api/v4/widget",
    "/API/V4/WIDGETS",
    "/api/v4/widgets/",
    "/api/v4/widgets//",
    "//api/v4/widgets",
    "/api//v4/widgets",
    "/api/v4//widgets/plain",
    "/api/v4/widgets//plain",
    "/api/v4/widgets/plain/",
    "/api/v4/widgets/plain/settings",
    "/api/v4/./widgets",
    "/api/v4/widgets/../widgets",
    "/api/v4/account",
    "/registry",
    "/registry/v1",
    "/registry/v2/health/live",
    "/registry/v1/health",
    "/registry/v1/health/live/",
    "/.git/config",
];

/// Numbers that are none.
const NUMBERS: [&str; 20] = [
    "0",
    "00",
    "01",
    "+1",
    "%2B1",
    "-1",
    "1.0",
    "1e3",
    "0x1",
    "1_000",
    "abc",
    "1%00",
    "1%20",
    "%201",
    "%D9%A1",
    "%EF%BC%91",
    "9223372036854775808",
    "18446744073709551617",
    "99999999999999999999999999999999",
    "null",
];

#[test]
fn paths() {
    check(100, |world| {
        let mut rows = Vec::new();
        let long = "a".repeat(65);
        let id = world.widget.to_string();
        for code in CODES.into_iter().chain([long.as_str(), id.as_str()]) {
            for (method, path) in [("GET", ""), ("POST", ""), ("DELETE", "")] {
                let request = world.admin(method, format!("/api/v4/widgets/{code}{path}"));
                rows.push(refused(format!("{method} code {code}"), request, 404, NO_WIDGET));
            }
            let request = world.admin("PUT", format!("/registry/v1/installs/{code}/lead-source"));
            rows.push(refused(format!("lead source of {code}"), request.json(r#"{"pipeline_id":1}"#), 404, NO_WIDGET));
        }
        for path in NOWHERE {
            rows.push(refused(format!("nowhere {path}"), world.user("GET", path), 404, NO_ROUTE));
        }
        rows
    });
}

#[test]
fn numbers_in_paths() {
    check(90, numbers);
}

fn numbers(world: &World<'_>) -> Vec<Row> {
    const GONE: &str = "Record of the widget awaiting the execution result was not found";
    const OPENING: &str = r#"{"widget_code":"every","entity":{"type":"leads","id":5}}"#;
    let waiting = world.waiting;
    let mut rows = Vec::new();
    for number in NUMBERS {
        let with_bot = world.admin("POST", format!("/api/v4/salesbot/{number}/continue/{waiting}"));
        rows.push(refused(format!("continue bot {number}"), with_bot.json("{}"), 404, GONE));
        let with_record = world.admin("POST", format!("/api/v4/salesbot/77/continue/{number}"));
        rows.push(refused(format!("continue record {number}"), with_record.json("{}"), 404, GONE));
        let open = world.admin("POST", format!("/registry/v1/salesbot/{number}/continuations"));
        rows.push(refused(format!("open for bot {number}"), open.json(OPENING), 404, GONE));
        let show = world.admin("GET", format!("/registry/v1/continuations/{number}"));
        rows.push(refused(format!("show {number}"), show, 404, GONE));
    }
    // The id with leading zeros, signs and blanks is not the record either.
    for near in [format!("0{waiting}"), format!("+{waiting}"), format!("{waiting}%20"), format!("{waiting}.0")] {
        let request = world.admin("POST", format!("/api/v4/salesbot/77/continue/{near}"));
        rows.push(refused(format!("record {near}"), request.json("{}"), 404, GONE));
    }
    for kind in ["SalesBot", "salesbots", "bot", "salesbot%00", "salesbot%20", "%2e%2e", "marketingbot", "widgets"] {
        let request = world.admin("POST", format!("/api/v4/{kind}/77/continue/{waiting}"));
        rows.push(refused(format!("bot type {kind}"), request.json("{}"), 404, GONE));
    }
    for kind in ["SalesBot", "bot", "salesbot%00", "widgets"] {
        let request = world.admin("POST", format!("/registry/v1/{kind}/77/continuations"));
        rows.push(refused(format!("open {kind}"), request.json(OPENING), 404, GONE));
    }
    let other = world.admin("POST", format!("/api/v4/salesbot/78/continue/{waiting}"));
    rows.push(refused("another bot", other.json("{}"), 404, GONE));
    let trailing = world.admin("POST", format!("/api/v4/salesbot/77/continue/{waiting}/"));
    rows.push(refused("slash at the end", trailing.json("{}"), 404, "Cannot POST"));
    rows
}

#[test]
fn queries() {
    /// Values of `page` and `limit` that are no positive whole number.
    const VALUES: [&str; 20] = [
        "0", "00", "-1", "-0", "+1", "%2B1", "abc", "1e3", "1.0", "1,5", "", "%201", "1%20", "0x10", "1%00", "%ff",
        "%D9%A1", "null", "true", "1;2",
    ];
    check(40, |world| {
        let list = |query: &str| world.user("GET", format!("/api/v4/widgets?{query}"));
        let mut rows = Vec::new();
        for name in ["page", "limit"] {
            // A `limit` has no upper bound: more than the largest page is served as that.
            let says = match name {
                "page" => "The parameter `page` must be a whole number from 1 to 1000000".to_owned(),
                _ => format!("The parameter `{name}` must be a positive whole number"),
            };
            for value in VALUES {
                rows.push(refused(format!("{name}={value}"), list(&format!("{name}={value}")), 400, &says));
            }
            rows.push(refused(format!("{name} alone"), list(name), 400, &says));
            let twice = format!("The parameter `{name}` is given more than once");
            for query in ["=1&#=1", "=1&#=2", "&#", "=1&other=2&#=1"] {
                let query = format!("{name}{}", query.replace('#', name));
                rows.push(refused(query.clone(), list(&query), 400, &twice));
            }
        }
        let spelled = list("page=1&p%61ge=1");
        rows.push(refused("page spelled twice", spelled, 400, "The parameter `page` is given more than once"));
        for page in ["1000001", "18446744073709551616", "99999999999999999999999999"] {
            let says = "The parameter `page` must be a whole number from 1 to 1000000";
            rows.push(refused(format!("page={page}"), list(&format!("page={page}")), 400, says));
        }
        rows
    });
}
