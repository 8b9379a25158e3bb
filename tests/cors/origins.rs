//! Requests from pages of other origins: the configured ones by name, and nobody else.

use crate::support::{Answer, Claims, Raw, Setup, TestApp, test, test_with};

const KNOWN: &str = "https://crm.test";

fn configured() -> Setup {
    Setup::default().set("cors_origins", "https://crm.test, http://localhost:3000")
}

/// Every header that gives a browser leave.
const LEAVE: [&str; 6] = [
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-allow-credentials",
    "access-control-max-age",
    "access-control-expose-headers",
];

/// Whether caches are told that the answer depends on the page that asks.
fn varies(answer: &Answer) -> bool {
    answer.headers.get_all("vary").iter().any(|value| value == "Origin")
}

fn assert_no_leave(answer: &Answer) {
    for name in LEAVE {
        assert_eq!(answer.header(name), "", "{name}: {answer:?}");
    }
}

fn preflight(path: &str, origin: &str) -> Raw {
    Raw::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, content-type")
}

fn simple(app: &TestApp, origin: &str) -> Raw {
    let token = Claims::user(1, 8).sign(&app.key, app.now());
    Raw::get("/api/v4/widgets").token(&token).header("Origin", origin)
}

#[test]
fn preflights_of_configured_origins() {
    test_with(configured(), async |app| {
        for (path, allow) in [
            ("/api/v4/widgets", "GET, HEAD, OPTIONS"),
            ("/api/v4/widgets/any", "GET, POST, DELETE, HEAD, OPTIONS"),
            ("/api/v4/salesbot/1/continue/1", "POST, OPTIONS"),
            ("/registry/v1/installs/any/lead-source", "PUT, OPTIONS"),
        ] {
            for origin in [KNOWN, "http://localhost:3000"] {
                let answer = app.ask(&preflight(path, origin)).await;
                assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
                assert_eq!(answer.header("access-control-allow-origin"), origin);
                assert_eq!((answer.header("access-control-allow-methods"), answer.header("allow")), (allow, allow));
                let sent = answer.header("access-control-allow-headers");
                for name in ["Authorization", "Content-Type", "Accept-Language", "Idempotency-Key", "X-Request-Id"] {
                    assert!(sent.split(", ").any(|one| one == name), "{name}: {sent}");
                }
                assert_eq!(answer.header("access-control-max-age"), "600");
                assert_eq!(answer.header("access-control-allow-credentials"), "");
                assert!(varies(&answer));
            }
        }
    });
}

/// Origins that differ from a configured one in whatever way.
const FOREIGN: [&str; 16] = [
    "https://evil.test",
    "http://crm.test",
    "https://crm.test:443",
    "https://crm.test:8443",
    "https://crm.test/",
    "https://crm.test.evil.test",
    "https://evilcrm.test",
    "https://sub.crm.test",
    "https://CRM.test",
    "https://crm.test, https://evil.test",
    "https://crm.test https://evil.test",
    "http://localhost",
    "http://localhost:3001",
    "null",
    "*",
    "",
];

#[test]
fn foreign_origins() {
    test_with(configured(), async |app| {
        for origin in FOREIGN {
            let answer = app.ask(&preflight("/api/v4/widgets/any", origin)).await;
            assert_eq!(answer.status, 204, "{origin}: {answer:?}");
            assert_no_leave(&answer);
            assert!(varies(&answer), "{origin}: {answer:?}");
            // The request itself is answered: it is the browser that keeps it from the page.
            let answer = app.ask(&simple(app, origin)).await;
            assert_eq!(answer.status, 200, "{origin}: {answer:?}");
            assert_no_leave(&answer);
            assert!(varies(&answer), "{origin}: {answer:?}");
        }
    });
}

#[test]
fn simple_requests_of_configured_origins() {
    test_with(configured(), async |app| {
        let ok = app.ask(&simple(app, KNOWN)).await;
        assert_eq!(ok.status, 200);
        // Refusals can be read by the page as well: they say what to do.
        let unauthorized = app.ask(&Raw::get("/api/v4/widgets").header("Origin", KNOWN)).await;
        let nowhere = app.ask(&Raw::get("/nowhere").header("Origin", KNOWN)).await;
        let wrong_method = app.ask(&Raw::new("PATCH", "/api/v4/widgets").header("Origin", KNOWN)).await;
        let health = app.ask(&Raw::get("/registry/v1/health/live").header("Origin", KNOWN)).await;
        for (status, answer) in
            [(200, &ok), (401, &unauthorized), (404, &nowhere), (405, &wrong_method), (200, &health)]
        {
            assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, KNOWN), "{answer:?}");
            assert!(answer.header("access-control-expose-headers").contains("X-Request-Id"), "{answer:?}");
            assert!(answer.header("access-control-expose-headers").contains("Retry-After"), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), "");
            assert!(varies(answer));
        }
    });
}

#[test]
fn requests_without_an_origin() {
    test_with(configured(), async |app| {
        let answer = app.ask(&simple(app, KNOWN).without("origin")).await;
        assert_eq!(answer.status, 200);
        assert_no_leave(&answer);
        assert!(varies(&answer), "a cache must not serve it to a page");
        let answer = app.ask(&preflight("/api/v4/widgets", KNOWN).without("origin")).await;
        assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD, OPTIONS"));
        assert_no_leave(&answer);
    });
}

/// Without `Access-Control-Request-Method` OPTIONS is no preflight; it only tells what is allowed.
#[test]
fn options_that_is_no_preflight() {
    test_with(configured(), async |app| {
        let answer = app.ask(&Raw::new("OPTIONS", "/api/v4/widgets").header("Origin", KNOWN)).await;
        assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD, OPTIONS"));
        assert_eq!(answer.header("access-control-allow-methods"), "");
    });
}

#[test]
fn a_preflight_needs_an_address() {
    test_with(configured(), async |app| {
        for path in ["/nowhere", "/api/v4/widgets/", "/api/v4/widgets/a/b"] {
            let answer = app.ask(&preflight(path, KNOWN)).await;
            assert!(answer.problem(404).contains("Cannot OPTIONS"));
            assert_eq!(answer.header("access-control-allow-methods"), "");
        }
    });
}

#[test]
fn no_origin_is_configured_by_default() {
    test(async |app| {
        for origin in [KNOWN, "null", "*"] {
            let answer = app.ask(&preflight("/api/v4/widgets", origin)).await;
            assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD, OPTIONS"));
            assert_no_leave(&answer);
            let answer = app.ask(&simple(app, origin)).await;
            assert_eq!(
                (answer.status, answer.header("vary")),
                (200, "Accept-Encoding, Authorization, Accept-Language")
            );
            assert_no_leave(&answer);
        }
    });
}

/// A preflight carries no token, so it needs none, and it is no request that would count.
#[test]
fn preflights_need_no_token_and_no_place() {
    test_with(configured().set("rate", 1).set("limits.requests", 1), async |app| {
        for _ in 0..20 {
            assert_eq!(app.ask(&preflight("/api/v4/widgets", KNOWN)).await.status, 204);
        }
        let wrong = app.ask(&preflight("/api/v4/widgets", KNOWN).token("forged")).await;
        assert_eq!(wrong.status, 204);
    });
}
