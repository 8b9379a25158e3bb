//! Headers: tokens, types and encodings of bodies, hosts.

use super::table::check;
use super::{World, refused};
use crate::support::Raw;

/// Every address that needs a token, with a body that would change something.
fn addresses(world: &World<'_>) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("GET", "/api/v4/widgets".to_owned(), ""),
        ("GET", "/api/v4/widgets/plain".to_owned(), ""),
        ("POST", "/api/v4/widgets/absent".to_owned(), "{}"),
        ("DELETE", "/api/v4/widgets/plain".to_owned(), ""),
        ("POST", world.continue_path(), "{}"),
        ("POST", "/registry/v1/widgets".to_owned(), "{}"),
        ("PUT", "/registry/v1/installs/every/lead-source".to_owned(), r#"{"pipeline_id":5}"#),
        (
            "POST",
            "/registry/v1/salesbot/77/continuations".to_owned(),
            r#"{"widget_code":"every","entity":{"type":"leads","id":5}}"#,
        ),
        ("PUT", "/registry/v1/widgets/every/current".to_owned(), r#"{"version":null}"#),
        ("POST", "/registry/v1/widgets/every/versions/1.0.0/yank".to_owned(), ""),
        ("GET", "/registry/v1/widgets/every/versions".to_owned(), ""),
        ("GET", format!("/registry/v1/continuations/{}", world.waiting), ""),
    ]
}

#[test]
fn tokens() {
    const SCHEMES: [&[u8]; 10] = [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer a.b.c",
        b"Basic YWRtaW46YWRtaW4=",
        b"Digest username=\"a\"",
        b"Token abc",
        b"\xd0\xb0\xd0\xb1",
        b"Bearer \xff\xfe",
        b"null",
    ];
    check(100, |world| {
        let says = "Invalid user name or password";
        let mut rows = Vec::new();
        for (method, path, body) in addresses(world) {
            let bare = || Raw::new(method, &path).json(body);
            rows.push(refused(format!("{method} {path} without"), bare(), 401, says));
            for scheme in SCHEMES {
                let name = format!("{method} {path} {}", scheme.escape_ascii());
                rows.push(refused(name, bare().header("Authorization", scheme), 401, says));
            }
            let twice = world.admin(method, &path).json(body).header("Authorization", "Bearer x");
            rows.push(refused(format!("{method} {path} twice"), twice, 401, says));
        }
        rows
    });
}

/// Every address that takes JSON, with a body that would change something.
fn json_addresses(world: &World<'_>) -> Vec<(&'static str, String, &'static str)> {
    let takes_json = |path: &str| path != "/registry/v1/widgets";
    addresses(world).into_iter().filter(|(_, path, body)| !body.is_empty() && takes_json(path)).collect()
}

#[test]
fn types_and_encodings() {
    const TYPES: [&[u8]; 14] = [
        b"",
        b"json",
        b"text/plain",
        b"text/json",
        b"text/html; charset=utf-8",
        b"application/x-www-form-urlencoded",
        b"application/jsonp",
        b"application/json-patch",
        b"application/xml",
        b"application/zip",
        b"multipart/form-data; boundary=x",
        b"image/svg+json",
        b"application/json, application/json",
        b"\xd0\xb6",
    ];
    const ENCODINGS: [&[u8]; 9] = [b"gzip", b"GZIP", b"deflate", b"br", b"zstd", b"identity, gzip", b"x", b"", b"\xff"];
    check(80, |world| {
        let mut rows = Vec::new();
        for (method, path, body) in json_addresses(world) {
            for one in TYPES {
                let request = world.admin(method, &path).header("Content-Type", one).body(body);
                let name = format!("{path} {}", one.escape_ascii());
                rows.push(refused(name, request, 415, "The body must be sent as application/json"));
            }
            let says = "The body must be sent without Content-Encoding";
            for one in ENCODINGS {
                let request = world.admin(method, &path).json(body).header("Content-Encoding", one);
                rows.push(refused(format!("{path} encoded {}", one.escape_ascii()), request, 415, says));
            }
            for (first, second) in [("gzip", "gzip"), ("identity", "gzip"), ("gzip", "identity")] {
                let request = world.admin(method, &path).json(body);
                let request = request.header("Content-Encoding", first).header("Content-Encoding", second);
                rows.push(refused(format!("{path} encoded {first} and {second}"), request, 415, says));
            }
        }
        rows
    });
}

#[test]
fn expectations_end_in_the_same_answers() {
    check(3, |world| {
        let expect = |request: Raw| request.header("Expect", "100-continue");
        let install = || world.admin("POST", "/api/v4/widgets/every");
        vec![
            refused("bad JSON", expect(install().json("{")), 400, "not valid JSON"),
            refused("text", expect(install().header("Content-Type", "text/plain").body("x")), 415, "application/json"),
            refused("no token", expect(Raw::new("POST", "/api/v4/widgets/every").json("{}")), 401, "Invalid user name"),
        ]
    });
}

/// What a client writes into `Host` must not come back unless it is a host.
#[test]
fn hosts() {
    const HOSTS: [&str; 18] = [
        "",
        " ",
        "<script>alert(1)</script>",
        "a/b",
        "/",
        "a b",
        "a\"b",
        "a?b",
        "a#b",
        "a@b",
        "user:pass@host",
        "a,b",
        "a:b",
        "a:99999",
        "a:",
        "a:+80",
        "[::1",
        "[not-an-address]",
    ];
    check(20, |world| {
        let address = world.app.url.clone();
        let says = format!("Cannot GET {address}/nowhere");
        let mut rows: Vec<_> = HOSTS
            .into_iter()
            .map(|host| {
                let request = Raw::get("/nowhere").without("host").header("Host", host);
                refused(format!("host `{host}`"), request, 404, &says)
            })
            .collect();
        rows.push(refused("host not ASCII", Raw::get("/nowhere").without("host").header("Host", "é"), 404, &says));
        rows.push(refused("HTTP/1.0 without host", Raw::line("GET /nowhere HTTP/1.0"), 404, &says));
        let long = "a".repeat(300);
        rows.push(refused("long host", Raw::get("/nowhere").without("host").header("Host", long), 404, &says));
        rows
    });
}
