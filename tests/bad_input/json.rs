//! JSON bodies that are no JSON, or more than JSON may hold here; at every address that takes JSON.

use super::table::check;
use super::{Row, World, refused};
use crate::support::Raw;

const SYNTAX: &str = "The body is not valid JSON";
const TWICE: &str = "stands twice in one object";
const NUL: &str = "holds the character U+0000";
const HALF: &str = "cannot be decoded";
const UTF8: &str = "The body is not valid UTF-8 at byte";

/// Bodies and what is said of them.
const BODIES: [(&[u8], &str); 63] = [
    (b"{", SYNTAX),
    (b"}", SYNTAX),
    (b"[", SYNTAX),
    (b"{]", SYNTAX),
    (b"{} {}", SYNTAX),
    (b"{},", SYNTAX),
    (b"{}x", SYNTAX),
    (b"nul", SYNTAX),
    (b"NULL", SYNTAX),
    (b"True", SYNTAX),
    (b"undefined", SYNTAX),
    (b"text", SYNTAX),
    (b"'text'", SYNTAX),
    (b"a=1&b=2", SYNTAX),
    (b"<settings/>", SYNTAX),
    (b"{\"a\"}", SYNTAX),
    (b"{\"a\":}", SYNTAX),
    (b"{\"a\" 1}", SYNTAX),
    (b"{\"a\":1,}", SYNTAX),
    (b"{,\"a\":1}", SYNTAX),
    (b"{\"a\":1 \"b\":2}", SYNTAX),
    (b"{a:1}", SYNTAX),
    (b"{'a':1}", SYNTAX),
    (b"{1:1}", SYNTAX),
    (b"{null:1}", SYNTAX),
    (b"{\"a\":[1,]}", SYNTAX),
    (b"{\"a\":[,1]}", SYNTAX),
    (b"{\"a\":01}", SYNTAX),
    (b"{\"a\":+1}", SYNTAX),
    (b"{\"a\":-}", SYNTAX),
    (b"{\"a\":.5}", SYNTAX),
    (b"{\"a\":5.}", SYNTAX),
    (b"{\"a\":1e}", SYNTAX),
    (b"{\"a\":0x1}", SYNTAX),
    (b"{\"a\":NaN}", SYNTAX),
    (b"{\"a\":Infinity}", SYNTAX),
    (b"{\"a\":\"\\x41\"}", SYNTAX),
    (b"{\"a\":\"\\u12\"}", SYNTAX),
    (b"{\"a\":\"\\", SYNTAX),
    (b"{\"a\":\"b", SYNTAX),
    (b"{\"a\":\"b\nc\"}", SYNTAX),
    (b"{\"a\":\"b\tc\"}", SYNTAX),
    (b"{\"a\":\"b\0c\"}", SYNTAX),
    (b"{\"a\0\":1}", SYNTAX),
    (b"\0", SYNTAX),
    (b"// comment\n{}", SYNTAX),
    (b"{/* comment */}", SYNTAX),
    (b"\xef\xbb\xbf{}", SYNTAX),
    (b"\xff\xfe{\0}\0", UTF8),
    (b"{\"a\":\"\xff\"}", UTF8),
    (b"{\"\xc3\x28\":1}", UTF8),
    (b"{\"a\":\"\xc0\x80\"}", UTF8),
    (b"{\"a\":\"\xed\xa0\x80\"}", UTF8),
    (b"{\"a\":\"\xf4\x90\x80\x80\"}", UTF8),
    (b"{\"a\":\"\\u0000\"}", NUL),
    (b"{\"a\":\"b\\u0000c\"}", NUL),
    (b"{\"a\\u0000\":1}", NUL),
    (b"{\"a\":[{\"b\":\"\\u0000\"}]}", NUL),
    (b"{\"a\":{\"b\\u0000\":{}}}", NUL),
    (b"{\"a\":\"\\ud800\"}", HALF),
    (b"{\"a\":\"\\udc00\"}", HALF),
    (b"{\"a\":\"\\ud800\\ud800\"}", HALF),
    (b"{\"\\ud83d\":1}", HALF),
];

/// Objects in which a key stands twice, at every depth and however it is spelled.
const TWICE_BODIES: [&str; 9] = [
    r#"{"a":1,"a":1}"#,
    r#"{"a":1,"b":2,"a":3}"#,
    r#"{"a":1,"\u0061":2}"#,
    r#"{"\u0061":1,"\u0061":2}"#,
    r#"{"":1,"":2}"#,
    r#"{"/":1,"\/":2}"#,
    r#"{"a":{"b":{"c":1,"c":2}}}"#,
    r#"{"a":[[{"b":1,"b":1}]]}"#,
    r#"{"data":{"a":1,"a":2},"execute_handlers":[]}"#,
];

/// Every address that takes JSON.
fn addresses(world: &World<'_>) -> [(&'static str, Raw); 5] {
    [
        ("install", world.admin("POST", "/api/v4/widgets/every")),
        ("continue", world.admin("POST", world.continue_path())),
        ("open", world.admin("POST", "/registry/v1/salesbot/77/continuations")),
        ("lead source", world.admin("PUT", "/registry/v1/installs/every/lead-source")),
        ("pin", world.admin("PUT", "/registry/v1/widgets/every/current")),
    ]
}

#[test]
fn texts() {
    check(300, |world| {
        let mut rows = Vec::new();
        for (address, request) in addresses(world) {
            for (body, says) in BODIES {
                let name = format!("{address} {}", body.escape_ascii());
                rows.push(refused(name, request.clone().json(body), 400, says));
            }
            for body in TWICE_BODIES {
                rows.push(refused(format!("{address} {body}"), request.clone().json(body), 400, TWICE));
            }
        }
        rows
    });
}

#[test]
fn depth_and_width() {
    check(30, |world| {
        let mut rows = Vec::new();
        for (address, request) in addresses(world) {
            let (deepest, largest) = if address == "install" { (16, 256 << 10) } else { (32, 64 << 10) };
            rows.extend(deep(address, &request, deepest, largest));
            let wide: Vec<String> = (0..1_001).map(|key| format!("\"{key}\":0")).collect();
            for (name, body) in
                [("wide", format!("{{{}}}", wide.join(","))), ("inside", format!("[{{{}}}]", wide.join(",")))]
            {
                let says = "has more than 1000 members";
                rows.push(refused(format!("{address} {name}"), request.clone().json(body), 400, says));
            }
            let body = [b"\"".as_slice(), &vec![b'a'; largest - 1], b"\""].concat();
            let says = format!("The body is larger than {largest} bytes");
            rows.push(refused(format!("{address} large"), request.clone().json(body), 413, says));
        }
        rows
    });
}

fn deep(address: &str, request: &Raw, deepest: usize, largest: usize) -> Vec<Row> {
    let says = format!("The body nests deeper than {deepest} levels");
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
    let bodies = [
        ("one array too deep", nested("[", "]", deepest + 1)),
        ("one object too deep", nested("{\"a\":", "}", deepest + 1)),
        ("mixed", nested("[{\"a\":", "}]", deepest / 2 + 1)),
        ("never closed", "[".repeat(largest)),
        ("objects never closed", "{\"a\":".repeat(largest / 5)),
        ("after a lawful part", format!("{{\"a\":\"]\",\"b\":{}}}", nested("[", "]", deepest))),
    ];
    let row =
        |(name, body): (&str, String)| refused(format!("{address} {name}"), request.clone().json(body), 400, &says);
    bodies.into_iter().map(row).collect()
}

#[test]
fn a_hundred_thousand_brackets() {
    let limits = crate::support::Setup::default();
    let limits = ["limits.install_body", "limits.continue_body", "limits.json_body"]
        .into_iter()
        .fold(limits, |setup, name| setup.set(name, "1MiB"));
    super::table::check_with(limits, 8, |world| {
        let mut rows = Vec::new();
        for (address, request) in addresses(world) {
            for (name, bracket) in [("arrays", "["), ("objects", "{\"a\":")] {
                let body = bracket.repeat(100_000);
                let says = "The body nests deeper than";
                rows.push(refused(format!("{address} {name}"), request.clone().json(body), 400, says));
            }
        }
        rows
    });
}
