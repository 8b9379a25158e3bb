//! HEAD is GET without a body, and `Allow` tells exactly what an address takes.

use std::collections::BTreeMap;

use widget_registry::routes;

use crate::support::{Answer, Claims, Raw, Sample, TestApp, test};

/// The headers that describe the answer, without those that differ from one to the next.
fn described(answer: &Answer) -> BTreeMap<String, String> {
    let changing = ["date", "x-request-id"];
    let described = answer.headers.iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    described.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

async fn assert_head_is_get(app: &TestApp, path: &str, token: &str, status: u16) {
    let ask = |method: &str| {
        let request = Raw::new(method, path);
        if token.is_empty() { request } else { request.token(token) }
    };
    let get = app.ask(&ask("GET")).await;
    let head = app.ask(&ask("HEAD")).await;
    assert_eq!((get.status, head.status), (status, status), "{path}: {get:?}");
    assert_eq!(head.body.len(), 0, "{path}: {head:?}");
    assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
    assert_eq!(described(&head), described(&get), "{path}");
}

#[test]
fn head_is_get_without_a_body() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        let record = format!("/registry/v1/continuations/{}", app.wait_for("w").await);
        let token = Claims::admin(1, 7).scopes(&["bots"]).sign(&app.key, app.now());
        for (path, token, status) in [
            ("/api/v4/widgets", token.as_str(), 200),
            ("/api/v4/widgets?page=7", &token, 200),
            ("/api/v4/widgets?page=0", &token, 400),
            ("/api/v4/widgets", "", 401),
            ("/api/v4/widgets", "forged", 401),
            ("/api/v4/widgets/w", &token, 200),
            ("/api/v4/widgets/none", &token, 404),
            (&record, &token, 200),
            ("/registry/v1/continuations/999", &token, 404),
            ("/registry/v1/widgets?q=w", &token, 200),
            ("/registry/v1/widgets?sort=best", &token, 400),
            ("/registry/v1/widgets/w", &token, 200),
            ("/registry/v1/widgets/w/versions", &token, 200),
            ("/registry/v1/widgets/w/versions/1.0.0", &token, 200),
            ("/registry/v1/widgets/w/versions/9", &token, 404),
            ("/widgets/w/1.0.0/script.js", "", 200),
            ("/widgets/w/1.0.0/none.js", "", 404),
            ("/.well-known/jwks.json", "", 200),
            ("/registry/v1/health/live", "", 200),
            ("/registry/v1/health/ready", "", 200),
            ("/registry/v1/openapi.json", "", 200),
        ] {
            assert_head_is_get(app, path, token, status).await;
        }
    });
}

/// Where there is no GET there is no HEAD either.
#[test]
fn head_where_nothing_can_be_got() {
    test(async |app| {
        let nowhere = app.ask(&Raw::new("HEAD", "/nowhere")).await;
        assert_eq!((nowhere.status, nowhere.body.len()), (404, 0));
        assert_eq!(nowhere.header("content-type"), "application/problem+json");
        for path in ["/registry/v1/salesbot/1/continuations", "/api/v4/salesbot/1/continue/1"] {
            let wrong = app.ask(&Raw::new("HEAD", path)).await;
            assert_eq!((wrong.status, wrong.body.len(), wrong.header("allow")), (405, 0, "POST, OPTIONS"));
        }
    });
}

/// An address of the route table, with something in place of each name.
fn address(path: &str) -> String {
    let filled = [
        ("{code}", "w"),
        ("{bot_type}", "salesbot"),
        ("{bot_id}", "1"),
        ("{continue_id}", "1"),
        ("{delivery_id}", "1"),
        ("{key}", "status"),
        ("{client_uuid}", "1"),
        ("{version}", "1.0.0"),
        ("{path}", "script.js"),
    ];
    let address = filled.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!address.contains('{'), "{path}: say here what stands for its names");
    address
}

/// Every address: OPTIONS and the refusal of every other method tell the methods of the route table, no more and no less.
#[test]
fn allow_is_the_route_table() {
    test(async |app| {
        let mut methods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for route in routes::table() {
            methods.entry(route.path).or_default().push(route.method.to_string());
        }
        for (path, mut allowed) in methods {
            if allowed.contains(&"GET".to_owned()) {
                allowed.push("HEAD".to_owned());
            }
            allowed.push("OPTIONS".to_owned());
            let allow = allowed.join(", ");
            let options = app.ask(&Raw::new("OPTIONS", address(path))).await;
            assert_eq!((options.status, options.header("allow")), (204, allow.as_str()), "{path}");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
                if !allowed.contains(&method.to_owned()) {
                    let answer = app.ask(&Raw::new(method, address(path))).await;
                    assert_eq!((answer.status, answer.header("allow")), (405, allow.as_str()), "{method} {path}");
                }
            }
        }
    });
}
