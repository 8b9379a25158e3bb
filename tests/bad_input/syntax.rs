//! Bytes that are no HTTP request, or one of which it is not plain where it ends. The server itself refuses them: whatever it
//! answers, it must not be a success, and the service must go on.

use crate::support::raw::{parse, parse_one};
use crate::support::{Claims, Raw, Sample, TestApp, test};

/// First lines that are none.
const LINES: [&[u8]; 21] = [
    b"",
    b"\r\n\r\n",
    b"GET",
    b"GET /api/v4/widgets",
    b"GET  HTTP/1.1",
    b"GET /api/v4/widgets HTTP/2.0",
    b"GET /api/v4/widgets HTTP/9.9",
    b"GET /api/v4/widgets HTTP/1.1.1",
    b"GET /api/v4/widgets http/1.1",
    b"GET /api/v4/widgets FTP/1.1",
    b"GET /a b HTTP/1.1",
    b"GET /\x01 HTTP/1.1",
    b"GET /\0 HTTP/1.1",
    b"GET /\xff HTTP/1.1",
    b"GET /api/v4/widgets/\xd0\xb0 HTTP/1.1",
    b"GET api/v4/widgets HTTP/1.1",
    b"G\x01T / HTTP/1.1",
    b"G(T / HTTP/1.1",
    b" / HTTP/1.1",
    b"PRI * HTTP/2.0\r\n\r\nSM",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

/// Headers that are none, or that contradict each other, before the body `{}`.
const HEADERS: [&str; 32] = [
    "Content-Length: 2\r\nContent-Length: 2",
    "Content-Length: 2\r\nContent-Length: 3",
    "Content-Length: 2, 2",
    "Content-Length: +2",
    "Content-Length: -2",
    "Content-Length: 0x2",
    "Content-Length: 2.0",
    "Content-Length: two",
    "Content-Length:",
    "Content-Length: 99999999999999999999999999",
    "Content-Length : 2",
    "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 2",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity\r\nContent-Length: 2",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: \u{b}chunked",
    "Host: other.test",
    "No colon",
    ": no name",
    "Bad name: 1",
    "Bad\u{1}name: 1",
    "Bad(name): 1",
    "Value: a\0b",
    "Value: a\u{1}b",
    " Folded: 1",
    "Value: a\r\n folded",
];

/// Chunked bodies that are none.
const CHUNKS: [&str; 16] = [
    "garbage",
    "\r\n",
    "2\r\n{}",
    "2\r\n{}\r\n",
    "2\r\n{}xx0\r\n\r\n",
    "3\r\n{}\r\n0\r\n\r\n",
    "1\r\n{}\r\n0\r\n\r\n",
    "-2\r\n{}\r\n0\r\n\r\n",
    "+2\r\n{}\r\n0\r\n\r\n",
    "0x2\r\n{}\r\n0\r\n\r\n",
    "g\r\n{}\r\n0\r\n\r\n",
    "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "2\n{}\n0\n\n",
    "2 2\r\n{}\r\n0\r\n\r\n",
    "\0\r\n{}\r\n0\r\n\r\n",
];

/// What an administrator would have to send to install `absent`, up to the headers that frame the body.
fn install(token: &str) -> Raw {
    Raw::new("POST", "/api/v4/widgets/absent").token(token).header("Content-Type", "application/json").unframed()
}

async fn assert_refused(app: &TestApp, name: &str, bytes: &[u8]) {
    let answer = app.converse(bytes, true).await;
    if let Some(answer) = parse(&answer) {
        assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
    } else {
        assert_eq!(answer.escape_ascii().to_string(), "", "{name}: neither an answer nor silence");
    }
    let alive = app.ask(&Raw::get("/registry/v1/health/live")).await;
    assert_eq!(alive.status, 200, "{name}: {alive:?}");
}

async fn token(app: &TestApp) -> String {
    app.publish(&Sample::plain("absent")).await;
    Claims::admin(1, 7).sign(&app.key, app.now())
}

#[test]
fn heads() {
    test(async |app| {
        let token = token(app).await;
        let before = app.contents().await;
        for line in LINES {
            let request = Raw::line(line).header("Host", "registry.test").header("Connection", "close").token(&token);
            assert_refused(app, &line.escape_ascii().to_string(), &request.bytes()).await;
            assert_refused(app, &format!("only {}", line.escape_ascii()), line).await;
        }
        for header in HEADERS {
            let mut bytes = install(&token).bytes();
            bytes.truncate(bytes.len() - 2);
            bytes.extend([header.as_bytes(), b"\r\n\r\n{}"].concat());
            assert_refused(app, &header.escape_debug().to_string(), &bytes).await;
        }
        let without_host = install(&token).without("host").header("Content-Length", "2").body("{}");
        assert_refused(app, "without host", &without_host.bytes()).await;
        let old = Raw::line("POST /api/v4/widgets/absent HTTP/1.0").token(&token).unframed();
        let old = old.header("Transfer-Encoding", "chunked").body("2\r\n{}\r\n0\r\n\r\n");
        assert_refused(app, "HTTP/1.0 in chunks", &old.bytes()).await;
        assert_eq!(app.contents().await, before);
    });
}

#[test]
fn sizes() {
    test(async |app| {
        let before = app.contents().await;
        let long = |length: usize| "a".repeat(length);
        assert_refused(app, "a path", &Raw::get(format!("/{}", long(70_000))).bytes()).await;
        assert_refused(app, "a query", &Raw::get(format!("/?{}", long(70_000))).bytes()).await;
        assert_refused(app, "a line", &Raw::get(format!("/{}", long(300_000))).bytes()).await;
        assert_refused(app, "a method", &Raw::new(&long(200_000), "/").bytes()).await;
        assert_refused(app, "a header", &Raw::get("/").header("A", long(300_000)).bytes()).await;
        assert_refused(app, "a name", &Raw::get("/").header(&long(70_000), "1").bytes()).await;
        let many = (0..200).fold(Raw::get("/"), |request, number| request.header(&format!("A{number}"), "1"));
        assert_refused(app, "many headers", &many.bytes()).await;
        let endless = [b"GET / HTTP/1.1\r\n".as_slice(), &b"A: 1\r\n".repeat(50_000)].concat();
        assert_refused(app, "headers without an end", &endless).await;
        assert_refused(app, "noise", &(0..=255).cycle().take(200_000).collect::<Vec<u8>>()).await;
        assert_refused(app, "line ends", &b"\r\n".repeat(100_000)).await;
        assert_eq!(app.contents().await, before);
    });
}

#[test]
fn chunks() {
    test(async |app| {
        let token = token(app).await;
        let before = app.contents().await;
        for chunks in CHUNKS {
            let request = install(&token).header("Transfer-Encoding", "chunked").body(chunks);
            assert_refused(app, &chunks.escape_debug().to_string(), &request.bytes()).await;
        }
        let short = install(&token).header("Content-Length", "10").body("{}");
        assert_refused(app, "less than the length", &short.bytes()).await;
        assert_eq!(app.contents().await, before);
    });
}

/// What follows a body is another request with a token of its own, and never a part of the one before.
#[test]
fn what_follows_a_body_is_another_request() {
    test(async |app| {
        let token = token(app).await;
        let before = app.contents().await;
        let first = Raw::new("POST", "/api/v4/widgets/nobody").without("connection").token(&token).json("{}");
        let second = Raw::new("POST", "/api/v4/widgets/absent").json("{}");
        let bytes = app.converse(&[first.bytes(), second.bytes()].concat(), false).await;
        let (answer, rest) = parse_one(&bytes).unwrap();
        answer.problem(404);
        let (answer, rest) = parse_one(rest).unwrap();
        answer.problem(401);
        assert_eq!((rest.len(), app.contents().await), (0, before));
    });
}
