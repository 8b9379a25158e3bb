//! Methods that an address does not take: answered before any token is looked at, with what it does take.

use super::refused;
use super::table::check;
use crate::support::{Raw, TestApp, test};

/// Addresses, and what they take.
const ADDRESSES: [(&str, &str); 27] = [
    ("/api/v4/widgets", "GET, HEAD, OPTIONS"),
    ("/registry/v1/audit", "GET, HEAD, OPTIONS"),
    ("/api/v4/widgets/every", "GET, POST, DELETE, HEAD, OPTIONS"),
    ("/api/v4/salesbot/77/continue/1", "POST, OPTIONS"),
    ("/registry/v1/widgets", "GET, POST, HEAD, OPTIONS"),
    ("/registry/v1/widgets/every/versions", "GET, HEAD, OPTIONS"),
    ("/registry/v1/widgets/every/versions/1.0.0", "GET, HEAD, OPTIONS"),
    ("/registry/v1/widgets/every/versions/1.0.0/yank", "POST, OPTIONS"),
    ("/registry/v1/widgets/every/versions/1.0.0/restore", "POST, OPTIONS"),
    ("/registry/v1/widgets/every/current", "PUT, OPTIONS"),
    ("/widgets/every/1.0.0/script.js", "GET, HEAD, OPTIONS"),
    ("/registry/v1/installs/every/lead-source", "PUT, OPTIONS"),
    ("/registry/v1/widgets/every", "DELETE, GET, HEAD, OPTIONS"),
    ("/registry/v1/widgets/every/explain", "GET, HEAD, OPTIONS"),
    ("/registry/v1/widgets/every/owner", "PUT, OPTIONS"),
    ("/registry/v1/widgets/every/deprecate", "POST, DELETE, OPTIONS"),
    ("/registry/v1/integrations", "POST, GET, HEAD, OPTIONS"),
    ("/registry/v1/integrations/1", "GET, PATCH, HEAD, OPTIONS"),
    ("/registry/v1/integrations/1/secrets", "POST, OPTIONS"),
    ("/registry/v1/salesbot/77/continuations", "POST, OPTIONS"),
    ("/registry/v1/continuations/1", "GET, HEAD, OPTIONS"),
    ("/registry/v1/revocations", "POST, GET, HEAD, OPTIONS"),
    ("/oauth2/access_token", "POST, OPTIONS"),
    ("/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
    ("/registry/v1/health/live", "GET, HEAD, OPTIONS"),
    ("/registry/v1/health/ready", "GET, HEAD, OPTIONS"),
    ("/registry/v1/openapi.json", "GET, HEAD, OPTIONS"),
];

const METHODS: [&str; 16] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "MKCOL", "QUERY", "get", "Post", "delete",
    "M-SEARCH", "GET1", "X_Y.Z~!",
];

fn takes(allow: &str, method: &str) -> bool {
    allow.split(", ").any(|one| one == method)
}

#[test]
fn wrong_methods() {
    check(200, |world| {
        let mut rows = Vec::new();
        for (path, allow) in ADDRESSES {
            // The answer to HEAD has no body; the next test has it.
            for method in METHODS.into_iter().filter(|method| *method != "HEAD" && !takes(allow, method)) {
                let says = format!("{method} is not allowed here; allowed: {allow}");
                rows.push(refused(format!("{method} {path}"), world.admin(method, path), 405, &says));
            }
        }
        // The server keeps such a connection open for a while, so one row is enough.
        let connect = world.admin("CONNECT", "/api/v4/widgets");
        rows.push(refused("CONNECT", connect, 405, "CONNECT is not allowed here"));
        rows
    });
}

#[test]
fn allow_is_exact_with_and_without_a_token() {
    test(async |app| {
        for (path, allow) in ADDRESSES {
            for method in METHODS.into_iter().filter(|method| !takes(allow, method)) {
                assert_allow(app, method, path, allow).await;
            }
        }
    });
}

async fn assert_allow(app: &TestApp, method: &str, path: &str, allow: &str) {
    let answer = app.ask(&Raw::new(method, path)).await;
    assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}: {answer:?}");
}
