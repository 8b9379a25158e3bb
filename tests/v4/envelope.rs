//! Section 1 of the contract: types, errors, request ids, links, and the order of checks.

use std::collections::HashSet;

use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, test, test_with};

const CONTINUE: &str = "/api/v4/salesbot/77/continue/1";

/// An error's whole body.
fn body(title: &str, status: u16, detail: &str) -> String {
    format!(r#"{{"title":"{title}","type":"https://httpstatus.es/{status}","status":{status},"detail":"{detail}"}}"#)
}

/// A validation error's whole body; each error is code, path and text.
fn invalid(errors: &[(&str, &str, &str)]) -> String {
    let errors: Vec<String> = errors
        .iter()
        .map(|(code, path, detail)| format!(r#"{{"code":"{code}","path":"{path}","detail":"{detail}"}}"#))
        .collect();
    let rest = body("Bad Request", 400, "Request validation failed");
    format!(
        r#"{{"validation-errors":[{{"request_id":"0","errors":[{}]}}],{}"#,
        errors.join(","),
        rest.trim_start_matches('{')
    )
}

/// Checks an error to its last byte.
fn is_error(answer: &Answer, status: u16, body: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{answer:?}");
    assert_eq!(answer.headers.get_all("content-type").iter().count(), 1, "{answer:?}");
    assert_eq!(answer.text(), body);
}

/// A caller without a token.
fn stranger(app: &TestApp) -> Client {
    app.with_token(None)
}

/// Sends a body of this type; no type when it is empty.
async fn send(client: &Client, method: &str, path: &str, content_type: &str, body: &str) -> Answer {
    let mut request = client.request(method, path).body(body.to_owned());
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    client.send(request).await
}

#[test]
fn success_is_hal_json_without_a_charset() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        for answer in [
            app.user().get("/api/v4/widgets").await,
            app.user().get("/api/v4/widgets/a").await,
            app.admin().post("/api/v4/widgets/a", "{}").await,
        ] {
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"), "{answer:?}");
        }
    });
}

#[test]
fn an_answer_without_a_body_has_no_type() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let id = app.wait_for("a").await;
        app.admin().post("/api/v4/widgets/a", "{}").await;
        let continued = app.admin().post(&format!("/api/v4/salesbot/77/continue/{id}"), "{}").await;
        let uninstalled = app.admin().delete("/api/v4/widgets/a").await;
        for (answer, status) in [(continued, 202), (uninstalled, 204)] {
            assert_eq!((answer.status, answer.header("content-type"), answer.text()), (status, "", ""), "{answer:?}");
        }
    });
}

#[test]
fn errors_are_problem_json_byte_for_byte() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        app.admin().post("/api/v4/widgets/a", "{}").await;
        let (admin, user) = (app.admin(), app.user());

        let detail = "The parameter `page` must be a whole number from 1 to 1000000";
        is_error(&user.get("/api/v4/widgets?page=0").await, 400, &body("Bad Request", 400, detail));
        let detail = "The body is not valid JSON: EOF while parsing an object at line 1 column 1";
        is_error(&admin.post("/api/v4/widgets/a", "{").await, 400, &body("Bad Request", 400, detail));

        let detail = "Widget isn't found or is unavailable";
        is_error(&user.get("/api/v4/widgets/b").await, 404, &body("Not Found", 404, detail));
        let detail = "Record of the widget awaiting the execution result was not found";
        is_error(&admin.post(CONTINUE, "{}").await, 404, &body("Not Found", 404, detail));

        let detail = "The widget `a` cannot be a lead source: its manifest does not name the location lead_sources";
        let answer = admin.put("/registry/v1/installs/a/lead-source", r#"{"pipeline_id":1}"#).await;
        is_error(&answer, 409, &body("Conflict", 409, detail));

        let answer = send(&admin, "POST", "/api/v4/widgets/a", "text/plain", "{}").await;
        let detail = "The body must be sent as application/json";
        is_error(&answer, 415, &body("Unsupported Media Type", 415, detail));
    });
}

#[test]
fn every_method_refuses_strangers_with_the_same_bytes() {
    test(async |app| {
        for (method, path) in [
            ("GET", "/api/v4/widgets"),
            ("GET", "/api/v4/widgets/a"),
            ("POST", "/api/v4/widgets/a"),
            ("DELETE", "/api/v4/widgets/a"),
            ("POST", CONTINUE),
        ] {
            for client in [stranger(app), app.with_token(Some("a.b.c".to_owned()))] {
                let answer = send(&client, method, path, "", "").await;
                is_error(&answer, 401, &body("Unauthorized", 401, "Invalid user name or password"));
            }
        }
    });
}

#[test]
fn users_may_not_call_what_is_for_administrators() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        for (method, path) in [("POST", "/api/v4/widgets/a"), ("DELETE", "/api/v4/widgets/a"), ("POST", CONTINUE)] {
            let answer = send(&app.user(), method, path, "application/json", "{}").await;
            is_error(&answer, 403, &body("Forbidden", 403, "Insufficient rights to call this method"));
        }
    });
}

#[test]
fn an_unknown_route_is_named_in_full() {
    test(async |app| {
        for path in
            ["/", "/api", "/api/v4", "/api/v4/widgets/", "/api/v4/widgets/a/b", "/api/v5/widgets", "/Api/v4/widgets"]
        {
            for method in ["GET", "DELETE", "PATCH"] {
                let answer = send(&app.admin(), method, &format!("{path}?page=1"), "", "").await;
                is_error(&answer, 404, &body("Not Found", 404, &format!("Cannot {method} {}{path}", app.url)));
            }
        }
    });
}

#[test]
fn another_method_is_told_what_is_allowed() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        for (path, allow, refused) in [
            ("/api/v4/widgets", "GET, HEAD, OPTIONS", &["POST", "PUT", "PATCH", "DELETE", "TRACE"][..]),
            ("/api/v4/widgets/a", "GET, POST, DELETE, HEAD, OPTIONS", &["PUT", "PATCH", "BREW"]),
            (CONTINUE, "POST, OPTIONS", &["GET", "HEAD", "PUT", "PATCH", "DELETE"]),
        ] {
            for method in refused {
                let answer = send(&app.admin(), method, path, "", "").await;
                let text = body("Method Not Allowed", 405, &format!("{method} is not allowed here; allowed: {allow}"));
                is_error(&answer, 405, if *method == "HEAD" { "" } else { &text });
                assert_eq!(answer.header("allow"), allow);
            }
        }
    });
}

#[test]
fn a_validation_error_names_everything_at_once() {
    let setup = Setup::default().set("limits.users", 2).set("limits.pass_value", 8);
    test_with(setup, async |app| {
        let settings = [
            ("zone", "Zone", "text", true),
            ("key", "Key", "pass", true),
            ("name", "Name", "text", false),
            ("long", "Long", "pass", false),
            ("phones", "Phones", "users", true),
            ("list", "List", "users", false),
            ("crowd", "Crowd", "users", false),
            ("logins", "Logins", "users_lp", false),
            ("form", "Form", "custom", true),
        ];
        app.publish(&Sample::new("a", "1.0.0", &settings)).await;
        let sent = r#"{
            "extra": 1, "form": {}, "logins": {"7": {"login": "a"}}, "crowd": {"1": "1", "2": "2", "3": "3"},
            "list": "101", "phones": {"504141": true, "-1": "1"}, "long": "123456789", "name": 1, "key": " "
        }"#;
        let answer = app.admin().post("/api/v4/widgets/a", sent).await;
        let errors = [
            ("FieldMissing", "zone", "This field is missing."),
            ("NotBlank", "key", "This value should not be blank."),
            ("InvalidType", "name", "This value should be of type string."),
            ("TooLong", "long", "This value is too long. It should have 8 characters or less."),
            ("InvalidType", "phones.504141", "This value should be of type string."),
            ("NotExpected", "phones.-1", "This field was not expected."),
            ("InvalidType", "list", "This value should be of type object."),
            ("TooMany", "crowd", "This collection should contain 2 elements or less."),
            ("FieldMissing", "logins.7.password", "This field is missing."),
            ("NotBlank", "form", "This value should not be blank."),
            ("NotExpected", "extra", "This field was not expected."),
        ];
        is_error(&answer, 400, &invalid(&errors));

        let answer = app.admin().post("/api/v4/widgets/a", "[1]").await;
        is_error(&answer, 400, &invalid(&[("InvalidType", "", "This value should be of type object.")]));
    });
}

#[test]
fn a_continue_has_the_same_validation_errors() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("a").await);
        let answer = app.admin().post(&path, r#"{"execute_handlers":[],"data":1}"#).await;
        let errors = [
            ("InvalidType", "data", "This value should be of type object."),
            ("TooFew", "execute_handlers", "This collection should contain 1 element or more."),
        ];
        is_error(&answer, 400, &invalid(&errors));

        let answer = app.admin().post(&path, r#"{"execute_handlers":{}}"#).await;
        let errors = [("InvalidType", "execute_handlers", "This value should be of type array.")];
        is_error(&answer, 400, &invalid(&errors));

        let sent = r#"{"execute_handlers":[
            {"handler":"dance","params":{}},
            {"handler":"goto","params":{"type":"question","step":-1}},
            {"handler":"goto","params":{"type":"question","step":"1"}}
        ]}"#;
        let answer = app.admin().post(&path, sent).await;
        let errors = [
            ("NotSupportedChoice", "execute_handlers.0.handler", "The value you selected is not a valid choice."),
            ("TooLow", "execute_handlers.1.params.step", "This value should be positive."),
            ("InvalidType", "execute_handlers.2.params.step", "This value should be of type int."),
        ];
        is_error(&answer, 400, &invalid(&errors));
    });
}

#[test]
fn a_fault_of_ours_does_not_show_its_inside() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        sqlx::query("ALTER TABLE widgets RENAME TO elsewhere").execute(&app.pool).await.unwrap();
        let detail = "An unexpected error occurred; the log names it by the request id";
        for path in ["/api/v4/widgets", "/api/v4/widgets/a"] {
            is_error(&app.user().get(path).await, 500, &body("Internal Server Error", 500, detail));
        }
    });
}

#[test]
fn a_database_that_cannot_answer_in_time_is_503() {
    test_with(Setup::default().set("limits.lock_time", "50ms"), async |app| {
        app.publish(&Sample::plain("a")).await;
        let mut lock = app.pool.begin().await.unwrap();
        sqlx::query("LOCK TABLE widgets").execute(&mut *lock).await.unwrap();
        for path in ["/api/v4/widgets", "/api/v4/widgets/a"] {
            let answer = app.user().get(path).await;
            let detail = "The database cannot answer now; try again in a moment";
            is_error(&answer, 503, &body("Service Unavailable", 503, detail));
            assert_eq!(answer.header("retry-after"), "1");
        }
        lock.rollback().await.unwrap();
        assert_eq!(app.user().get("/api/v4/widgets/a").await.status, 200);
    });
}

#[test]
fn every_answer_has_a_request_id() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let record = app.wait_for("a").await;
        let (admin, user) = (app.admin(), app.user());
        let continued = format!("/api/v4/salesbot/77/continue/{record}");
        let mut seen = HashSet::new();
        for (client, method, path, status) in [
            (&user, "GET", "/api/v4/widgets", 200),
            (&user, "HEAD", "/api/v4/widgets", 200),
            (&user, "OPTIONS", "/api/v4/widgets", 204),
            (&user, "PATCH", "/api/v4/widgets", 405),
            (&user, "GET", "/api/v4/widgets?page=0", 400),
            (&user, "GET", "/api/v4/widgets/a", 200),
            (&user, "GET", "/api/v4/widgets/b", 404),
            (&user, "GET", "/nowhere", 404),
            (&user, "DELETE", "/api/v4/widgets/a", 403),
            (&stranger(app), "GET", "/api/v4/widgets", 401),
            (&admin, "POST", "/api/v4/widgets/a", 200),
            (&admin, "DELETE", "/api/v4/widgets/a", 204),
            (&admin, "POST", &continued, 202),
            (&stranger(app), "GET", "/registry/v1/health/live", 200),
        ] {
            let answer = send(client, method, path, "", "").await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1, "{method} {path}: {answer:?}");
            let id = answer.header("x-request-id").to_owned();
            assert!(Uuid::parse_str(&id).is_ok(), "{id}");
            assert!(seen.insert(id.clone()), "{id} twice");
        }
    });
}

#[test]
fn a_plain_request_id_is_kept_and_any_other_is_replaced() {
    test(async |app| {
        let ask = async |path: &str, id: &str| {
            let client = app.user();
            let answer = client.send(client.request("GET", path).header("x-request-id", id)).await;
            answer.header("x-request-id").to_owned()
        };
        let longest = "AZaz09._-".repeat(8).split_off(8);
        assert_eq!(longest.len(), 64);
        for id in ["a", "7", ".", "-", "_", "0f8fad5b-d9cb-469f-a165-70867728950e", &longest] {
            for path in ["/api/v4/widgets", "/nowhere"] {
                assert_eq!(ask(path, id).await, id);
            }
        }
        for id in ["", "a b", "a/b", "a:b", "a\"b", "a,b", "é", &format!("{longest}x")] {
            let new = ask("/api/v4/widgets", id).await;
            assert!(Uuid::parse_str(&new).is_ok(), "{id}: {new}");
        }
    });
}

/// Requests that are wrong in two ways, each beside the answer to the first of them.
#[test]
fn checks_come_in_their_order() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let waiting = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("a").await);
        let (admin, user) = (app.admin(), app.user());
        let expired = app.with_token(Some(Claims::user(1, 8).sign(&app.key, app.now() - time::Duration::hours(2))));
        let (json, text) = ("application/json", "text/plain");
        let (unknown, known, none) = ("/api/v4/widgets/b", "/api/v4/widgets/a", "/api/v4/salesbot/77/continue/999");
        let (eof, widget) = ("The body is not valid JSON: EOF", "Widget isn't found");
        #[rustfmt::skip]
        let rows = [
            ("route, method",   &admin,         "PATCH",  "/nowhere",        "",   "",                404, "Cannot PATCH"),
            ("route, token",    &stranger(app), "GET",    "/nowhere",        "",   "",                404, "Cannot GET"),
            ("method, token",   &stranger(app), "PATCH",  "/api/v4/widgets", "",   "",                405, "PATCH is not allowed here"),
            ("method, role",    &user,          "PUT",    known,             "",   "",                405, "PUT is not allowed here"),
            ("token, role",     &expired,       "POST",   known,             json, "{}",              401, "Invalid user name"),
            ("token, role",     &expired,       "DELETE", known,             "",   "",                401, "Invalid user name"),
            ("token, query",    &stranger(app), "GET",    "/api/v4/widgets?page=0", "", "",           401, "Invalid user name"),
            ("role, type",      &user,          "POST",   known,             text, "{}",              403, "Insufficient rights"),
            ("role, syntax",    &user,          "POST",   known,             json, "{",               403, "Insufficient rights"),
            ("role, type",      &user,          "POST",   &waiting,          text, "{}",              403, "Insufficient rights"),
            ("role, syntax",    &user,          "POST",   &waiting,          json, "{",               403, "Insufficient rights"),
            ("role, widget",    &user,          "DELETE", unknown,           "",   "",                403, "Insufficient rights"),
            ("type, syntax",    &admin,         "POST",   known,             text, "{",               415, "The body must be sent as"),
            ("type, widget",    &admin,         "POST",   unknown,           text, "{}",              415, "The body must be sent as"),
            ("syntax, widget",  &admin,         "POST",   unknown,           json, "{",               400, eof),
            ("type, record",    &admin,         "POST",   none,              text, "{}",              415, "The body must be sent as"),
            ("syntax, record",  &admin,         "POST",   none,              json, "{",               400, eof),
            ("widget, rules",   &admin,         "POST",   unknown,           json, r#"{"extra":1}"#,  404, widget),
            ("record, rules",   &admin,         "POST",   none,              json, r#"{"data":1}"#,   404, "Record of the widget"),
            ("rules",           &admin,         "POST",   known,             json, r#"{"extra":1}"#,  400, "Request validation failed"),
            ("rules",           &admin,         "POST",   &waiting,          json, r#"{"data":1}"#,   400, "Request validation failed"),
        ];
        for (wrong, client, method, path, content_type, body, status, detail) in rows {
            let answer = send(client, method, path, content_type, body).await;
            assert_eq!(answer.status, status, "{wrong}: {method} {path}: {answer:?}");
            assert!(answer.problem(status).starts_with(detail), "{wrong}: {method} {path}: {answer:?}");
        }
    });
}

#[test]
fn head_is_get_without_its_body() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let token = Claims::user(1, 8).sign(&app.key, app.now());
        let ask = async |method: &str, path: &str| {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: crm.example\r\nAuthorization: Bearer {token}\r\n\
                 X-Request-Id: one\r\nConnection: close\r\n\r\n"
            );
            let answer = String::from_utf8(app.raw(request.as_bytes()).await).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            let mut lines: Vec<&str> = head.lines().filter(|line| !line.starts_with("date: ")).collect();
            lines.sort_unstable();
            (lines.join("\n"), body.to_owned())
        };
        for (path, status) in [
            ("/api/v4/widgets", "HTTP/1.1 200 OK"),
            ("/api/v4/widgets?page=0", "HTTP/1.1 400 Bad Request"),
            ("/api/v4/widgets/a", "HTTP/1.1 200 OK"),
            ("/api/v4/widgets/b", "HTTP/1.1 404 Not Found"),
        ] {
            let (head, body) = ask("GET", path).await;
            assert!(head.starts_with(status) && head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert_eq!(ask("HEAD", path).await, (head, String::new()));
        }
    });
}
