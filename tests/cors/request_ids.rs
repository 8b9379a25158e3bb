//! `X-Request-Id`: on every answer, the client's own where it is a short plain word.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::support::{Claims, Raw, TestApp, test};

/// The request id of the answer to a request with this one.
async fn id(app: &TestApp, given: &[u8]) -> String {
    let answer = app.ask(&Raw::get("/registry/v1/health/live").header("X-Request-Id", given)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
    answer.header("x-request-id").to_owned()
}

#[test]
fn kept() {
    test(async |app| {
        let long = "a".repeat(64);
        for given in ["a", "0", "-", "_", ".", "..", "AZaz09._-", "550e8400-e29b-41d4-a716-446655440000", long.as_str()]
        {
            assert_eq!(id(app, given.as_bytes()).await, given);
        }
    });
}

#[test]
fn replaced() {
    test(async |app| {
        let long = "a".repeat(65);
        let mut seen = BTreeSet::new();
        let given: [&[u8]; 16] = [
            b"",
            b" ",
            b"a b",
            b"a/b",
            b"a,b",
            b"a;b",
            b"a:b",
            b"a=b",
            b"<a>",
            b"a\"",
            b"a'",
            b"a\\n",
            b"a+b",
            b"\xc3\xa9",
            b"\xff",
            long.as_bytes(),
        ];
        for given in given {
            let id = id(app, given).await;
            assert!(id.parse::<Uuid>().is_ok(), "{}: {id}", given.escape_ascii());
            assert!(seen.insert(id), "each is a new one");
        }
        let twice =
            Raw::get("/registry/v1/health/live").header("X-Request-Id", "bad one").header("X-Request-Id", "b c");
        assert!(app.ask(&twice).await.header("x-request-id").parse::<Uuid>().is_ok());
    });
}

#[test]
fn on_every_answer() {
    test(async |app| {
        let token = Claims::user(1, 8).sign(&app.key, app.now());
        let long = format!("/{}", "a".repeat(3_000));
        let rows = [
            (200, Raw::get("/api/v4/widgets").token(&token)),
            (200, Raw::get("/registry/v1/openapi.json")),
            (200, Raw::new("HEAD", "/registry/v1/health/live")),
            (204, Raw::new("OPTIONS", "/api/v4/widgets")),
            (400, Raw::get("/api/v4/widgets?page=0").token(&token)),
            (401, Raw::get("/api/v4/widgets")),
            (403, Raw::new("POST", "/api/v4/widgets/a").token(&token)),
            (404, Raw::get("/nowhere")),
            (404, Raw::get("/api/v4/widgets/a").token(&token)),
            (405, Raw::new("PUT", "/api/v4/widgets")),
            (414, Raw::get(long)),
            (431, Raw::get("/").header("Filler", "a".repeat(40_000))),
        ];
        for (status, request) in rows {
            let own = app.ask(&request.clone().header("X-Request-Id", "of-the-client")).await;
            assert_eq!((own.status, own.header("x-request-id")), (status, "of-the-client"), "{request:?}");
            let new = app.ask(&request).await;
            assert!(new.header("x-request-id").parse::<Uuid>().is_ok(), "{request:?}: {new:?}");
            assert_eq!(new.header("x-content-type-options"), "nosniff");
        }
    });
}
