//! Limits of time: a connection stalls, and what comes back is read to its end.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::raw::parse;
use crate::support::{Answer, Claims, Raw, Setup, TestApp, test, test_with};

/// The administrator's request to this address, of whose body nothing has come yet.
fn request(app: &TestApp, path: &str, content_type: &str) -> Raw {
    let token = Claims::admin(1, 7).scopes(&["publish"]).sign(&app.key, app.now());
    Raw::new("POST", path).token(&token).header("Content-Type", content_type).unframed()
}

/// Sends a request that ends too early, and waits for the answer.
async fn stall(app: &TestApp, request: &Raw) -> Answer {
    let bytes = app.converse(&request.bytes(), false).await;
    parse(&bytes).unwrap_or_else(|| panic!("{request:?}: {:?}", String::from_utf8_lossy(&bytes)))
}

#[test]
fn head() {
    test_with(Setup::default().set("limits.head_time", "1s"), async |app| {
        const STARTS: [&str; 5] = [
            "",
            "GET",
            "GET /registry/v1/health/live HTTP/1.1\r\n",
            "GET /registry/v1/health/live HTTP/1.1\r\nHost: registry.test\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\nA",
        ];
        for bytes in join_all(STARTS.map(|start| app.converse(start.as_bytes(), false))).await {
            assert!(bytes.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&bytes));
        }
    });
}

#[test]
fn json_body() {
    test_with(Setup::default().set("limits.body_time", "100ms"), async |app| {
        let before = app.contents().await;
        let rows = ["/api/v4/widgets/w", "/api/v4/salesbot/77/continue/1"].into_iter().flat_map(|path| {
            let json = || request(app, path, "application/json");
            [
                json().header("Content-Length", "10"),
                json().header("Content-Length", "10").body("{}"),
                json().header("Content-Length", "10").body("{}").without("connection"),
                json().header("Content-Length", "10").header("Expect", "100-continue"),
                json().header("Transfer-Encoding", "chunked"),
                json().header("Transfer-Encoding", "chunked").body("2\r\n{}\r\n"),
                json().header("Transfer-Encoding", "chunked").body("2\r\n{}\r\n").without("connection"),
            ]
        });
        // Each waits until the connection is closed, too.
        for answer in join_all(rows.map(async |row| stall(app, &row).await)).await {
            assert_eq!(answer.problem(408), "The body did not arrive in time");
            assert_eq!(answer.header("connection"), "close");
        }
        assert_eq!(app.contents().await, before);
        assert_eq!(app.ask(&Raw::get("/registry/v1/health/ready")).await.status, 200);
    });
}

/// Writes chunks until the server has closed the connection; returns what it answered.
async fn write_for_ever(app: &TestApp, request: &Raw) -> Answer {
    let mut stream = app.connect().await;
    let (mut from, mut to) = stream.split();
    to.write_all(&request.bytes()).await.unwrap();
    let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
    let mut bytes = Vec::new();
    let write = async { while to.write_all(&chunk).await.is_ok() {} };
    let read = async {
        let _ = from.read_to_end(&mut bytes).await;
    };
    // Both end when the server has closed the connection.
    tokio::join!(write, read);
    parse(&bytes).unwrap_or_else(|| panic!("{request:?}: {:?}", String::from_utf8_lossy(&bytes)))
}

/// A body in chunks has no end of its own. Whoever is answered before it is read is not read from any more.
#[test]
fn bodies_without_an_end() {
    test(async |app| {
        let chunked = |request: Raw| request.without("connection").unframed().header("Transfer-Encoding", "chunked");
        let admin = |path: &str| chunked(request(app, path, "application/json"));
        let rows = [
            (401, chunked(Raw::new("POST", "/api/v4/widgets/w"))),
            (404, chunked(Raw::new("POST", "/nowhere"))),
            (405, chunked(Raw::new("PATCH", "/api/v4/widgets"))),
            (200, chunked(Raw::get("/registry/v1/health/live"))),
            (204, chunked(Raw::new("OPTIONS", "/api/v4/widgets"))),
            (413, admin("/api/v4/widgets/w")),
            (413, admin("/api/v4/salesbot/77/continue/1")),
        ];
        for (status, answer) in
            join_all(rows.map(async |(status, row)| (status, write_for_ever(app, &row).await))).await
        {
            assert_eq!((answer.status, answer.header("connection")), (status, "close"), "{answer:?}");
        }
    });
}

#[test]
fn upload() {
    test_with(Setup::default().set("limits.upload_time", "100ms").set("limits.uploads", 1), async |app| {
        let before = app.contents().await;
        let part = "--b\r\nContent-Disposition: form-data; name=\"archive\"\r\n\r\nPK\x03\x04";
        let path = "/registry/v1/widgets?code=w";
        let zip = || request(app, path, "application/zip").header("Content-Length", "1000");
        let form = || request(app, path, "multipart/form-data; boundary=b").header("Content-Length", "1000");
        // The one place for uploads is free again each time.
        for row in [zip().body("PK\x03\x04"), form(), form().body(part)] {
            assert_eq!(stall(app, &row).await.problem(408), "The body did not arrive in time");
        }
        assert_eq!(app.contents().await, before);
    });
}

/// A stalled upload is not cut by the shorter limit of other bodies, and the other way round.
#[test]
fn each_body_has_its_own_time() {
    test_with(Setup::default().set("limits.body_time", "100ms").set("limits.upload_time", "1h"), async |app| {
        let path = "/registry/v1/widgets?code=w";
        let upload = request(app, path, "application/zip").header("Content-Length", "4").bytes();
        let mut stream = app.connect().await;
        stream.write_all(&upload).await.unwrap();
        let json = request(app, "/api/v4/widgets/w", "application/json").header("Content-Length", "10");
        stall(app, &json).await.problem(408);
        // The body's time has passed meanwhile; the upload goes on and is judged for what it is.
        stream.write_all(b"none").await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        assert!(parse(&bytes).unwrap().problem(400).starts_with("The archive was refused"));
    });
}

#[test]
fn handler() {
    let setup = Setup::default().set("limits.handler_time", "100ms");
    test_with(setup.set("limits.lock_time", "1h").set("limits.statement_time", "1h"), async |app| {
        let lock = app.lock("installs").await;
        for path in ["/api/v4/widgets", "/api/v4/widgets/w"] {
            let answer = app.user().get(path).await;
            assert_eq!(answer.problem(503), "The request took too long; try again in a moment");
            assert_eq!(answer.header("retry-after"), "1");
        }
        lock.rollback().await.unwrap();
        app.undisturbed().await;
        // What was cut keeps neither its connection nor its place.
        assert_eq!(app.user().get("/api/v4/widgets").await.status, 200);
    });
}
