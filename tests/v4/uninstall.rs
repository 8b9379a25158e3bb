//! Section 7 of the contract: uninstalling.

use serde_json::Value;

use super::{OWN, publish_with};
use crate::support::{Answer, Claims, Client, Sample, TestApp, secret, test};

const NOT_FOUND: &str = "Widget isn't found or is unavailable";

/// An administrator of this account who is not the widgets' owner.
fn admin(app: &TestApp, account: i64) -> Client {
    app.caller(Claims::admin(account, 9))
}

/// How many installs there are in all accounts.
async fn installs(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM installs").fetch_one(&app.pool).await.unwrap()
}

/// Checks that this is the answer to an uninstall: 204 and nothing else.
fn is_done(answer: &Answer) {
    assert_eq!((answer.status, answer.text(), answer.header("content-type")), (204, "", ""), "{answer:?}");
}

#[test]
fn it_answers_204_without_a_body() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        assert_eq!(admin(app, 1).post("/api/v4/widgets/a", "{}").await.status, 200);
        let token = Claims::admin(1, 9).sign(&app.key, app.now());
        let request = format!(
            "DELETE /api/v4/widgets/a HTTP/1.1\r\nHost: crm.example\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n\r\n"
        );
        let answer = String::from_utf8(app.raw(request.as_bytes()).await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        for header in ["content-length", "content-type", "transfer-encoding"] {
            assert!(!answer.contains(&format!("\r\n{header}:")), "{answer}");
        }
        assert_eq!(installs(app).await, 0);
    });
}

#[test]
fn what_is_not_installed_unknown_or_invisible_is_not_found() {
    test(async |app| {
        app.publish(&Sample::plain("public")).await;
        app.publish_as(&app.admin(), &Sample::plain("private"), "private").await;
        for (account, code) in [(1, "public"), (1, "private")] {
            let answer = app.admin().post(&format!("/api/v4/widgets/{code}"), "{}").await;
            assert_eq!(answer.status, 200, "{account} {answer:?}");
        }
        // In account 2 the public one is not installed, the private one is not seen, the absent one does not exist.
        let bodies = async |app: &TestApp| {
            let mut bodies = Vec::new();
            for code in ["public", "private", "absent", "NO-CODE", "a%2Fb"] {
                let answer = admin(app, 2).delete(&format!("/api/v4/widgets/{code}")).await;
                assert_eq!(answer.problem(404), NOT_FOUND, "{code}");
                bodies.push(answer.body);
            }
            bodies.dedup();
            bodies.len()
        };
        assert_eq!(bodies(app).await, 1);
        assert_eq!(installs(app).await, 2);
        // The owner sees a private widget that is not installed, and still has nothing to uninstall.
        is_done(&app.admin().delete("/api/v4/widgets/private").await);
        assert_eq!(app.admin().get("/api/v4/widgets/private").await.status, 200);
        assert_eq!(app.admin().delete("/api/v4/widgets/private").await.problem(404), NOT_FOUND);
    });
}

#[test]
fn a_second_time_there_is_nothing_to_uninstall() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        assert_eq!(admin(app, 1).post("/api/v4/widgets/a", "{}").await.status, 200);
        is_done(&admin(app, 1).delete("/api/v4/widgets/a").await);
        assert_eq!(admin(app, 1).delete("/api/v4/widgets/a").await.problem(404), NOT_FOUND);
    });
}

#[test]
fn a_user_uninstalls_nothing() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        assert_eq!(admin(app, 1).post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(
            app.user().delete("/api/v4/widgets/a").await.problem(403),
            "Insufficient rights to call this method"
        );
        app.with_token(None).delete("/api/v4/widgets/a").await.problem(401);
        assert_eq!(installs(app).await, 1);
    });
}

#[test]
fn a_body_of_any_kind_is_ignored() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let admin = admin(app, 1);
        let kilobyte = "x".repeat(1024);
        let deep = "[".repeat(1000);
        for (headers, body) in [
            (&[][..], ""),
            (&[], "[]"),
            (&[], "{}"),
            (&[("content-type", "application/json")], ""),
            (&[("content-type", "application/json")], "[]"),
            (&[("content-type", "application/json; charset=utf-8")], "{}"),
            (&[("content-type", "application/json")], "{\"not\": json"),
            (&[("content-type", "application/json")], &deep),
            (&[("content-type", "application/x-www-form-urlencoded")], "a=b"),
            (&[("content-type", "text/xml")], "<a/>"),
            (&[("content-type", "nonsense")], "\0\u{1}"),
            (&[("content-type", "application/json"), ("content-encoding", "gzip")], "no gzip"),
            (&[("content-type", "application/json")], &kilobyte),
        ] {
            assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
            let mut request = admin.request("DELETE", "/api/v4/widgets/a").body(body.to_owned());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            is_done(&admin.send(request).await);
            assert_eq!(installs(app).await, 0, "{body}");
        }
    });
}

/// A body that is not read must not be taken for the next request of its connection.
#[test]
fn an_ignored_body_is_not_the_next_request() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        assert_eq!(admin(app, 1).post("/api/v4/widgets/a", "{}").await.status, 200);
        let token = Claims::admin(1, 9).sign(&app.key, app.now());
        let body = "GET /registry/v1/health/live HTTP/1.1\r\nHost: crm.example\r\nX-Request-Id: smuggled\r\n\r\n";
        let request = format!(
            "DELETE /api/v4/widgets/a HTTP/1.1\r\nHost: crm.example\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: {}\r\nX-Request-Id: first\r\n\r\n{body}\
             GET /nowhere HTTP/1.1\r\nHost: crm.example\r\nX-Request-Id: second\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let answers = String::from_utf8(app.raw(request.as_bytes()).await).unwrap();
        assert!(answers.starts_with("HTTP/1.1 204 No Content\r\n"), "{answers}");
        assert!(answers.contains("x-request-id: first\r\n") && !answers.contains("smuggled"), "{answers}");
        assert!(answers.contains("HTTP/1.1 404 Not Found\r\n"), "{answers}");
        assert!(answers.contains("x-request-id: second\r\n"), "{answers}");
    });
}

#[test]
fn settings_and_their_secrets_are_gone_from_the_database() {
    test(async |app| {
        let settings =
            [("key", "Key", "pass", true), ("logins", "Logins", "users_lp", true), ("form", "Form", "custom", true)];
        app.publish(&Sample::new("a", "1.0.0", &settings).location("lead_sources")).await;
        let (key, login, password) = (secret("canary-1"), secret("canary-2"), secret("canary-3"));
        let logins = format!(r#"{{"7":{{"login":"{login}","password":"{password}"}}}}"#);
        let body = &format!(r#"{{"key":"{key}","logins":{logins},"form":["canary-4"]}}"#);
        for account in [1, 2] {
            assert_eq!(admin(app, account).post("/api/v4/widgets/a", body).await.status, 200);
        }
        is_done(&admin(app, 1).delete("/api/v4/widgets/a").await);
        assert_eq!(rows_with(app, "canary").await, ["installs 2"]);
        is_done(&admin(app, 2).delete("/api/v4/widgets/a").await);
        assert_eq!(rows_with(app, "canary").await, Vec::<String>::new());
    });
}

/// Every row of every table that holds this text: the table and the row's account.
async fn rows_with(app: &TestApp, text: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT format('%s %s', c.relname, x.account) FROM pg_class c, \
         XMLTABLE('/*/row' PASSING table_to_xml(c.oid, false, false, '') \
           COLUMNS account text PATH 'account_id', content text PATH '.') x \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND x.content LIKE '%' || $1 || '%' \
         ORDER BY 1",
    )
    .bind(text)
    .fetch_all(&app.pool)
    .await
    .unwrap()
}

#[test]
fn other_accounts_and_other_widgets_keep_theirs() {
    test(async |app| {
        for code in ["a", "b"] {
            app.publish(&Sample::plain(code)).await;
            for account in [1, 2] {
                let answer = admin(app, account).post(&format!("/api/v4/widgets/{code}"), "{}").await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
        is_done(&admin(app, 1).delete("/api/v4/widgets/a").await);
        for (account, code, active) in [(1, "a", false), (1, "b", true), (2, "a", true), (2, "b", true)] {
            let shown = admin(app, account).get(&format!("/api/v4/widgets/{code}")).await.json();
            assert_eq!(shown["is_active_in_account"], active, "{account} {code}");
        }
    });
}

#[test]
fn installing_anew_starts_without_the_old_settings_and_pipeline() {
    test(async |app| {
        let settings = [("old", "Old", "pass", false), ("other", "Other", "text", false)];
        let sample = Sample::new("a", "1.0.0", &settings).location("lead_sources");
        publish_with(&app.admin(), &sample, &format!("visibility=public&client_uuid={OWN}")).await;
        let (admin, own) = (admin(app, 1), app.caller(Claims::user(1, 8).client(OWN)));
        assert_eq!(admin.post("/api/v4/widgets/a", &format!(r#"{{"old":"{}"}}"#, secret("hush"))).await.status, 200);
        let answer = admin.put("/registry/v1/installs/a/lead-source", r#"{"pipeline_id":31}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = own.get("/api/v4/widgets/a").await.json();
        assert_eq!((&shown["pipeline_id"], &shown["settings"]["old"]), (&31.into(), &secret("hush").into()));

        is_done(&admin.delete("/api/v4/widgets/a").await);
        let shown = own.get("/api/v4/widgets/a").await;
        let json = shown.json();
        assert_eq!((&json["is_active_in_account"], &json["pipeline_id"]), (&false.into(), &Value::Null));
        assert!(!shown.text().contains(r#""settings":"#), "{shown:?}");
        let answer = admin.put("/registry/v1/installs/a/lead-source", r#"{"pipeline_id":31}"#).await;
        assert_eq!(answer.problem(404), NOT_FOUND);

        let expected = r#""is_active_in_account":true,"pipeline_id":null,"settings":{"other":"new"},"_links":"#;
        let installed = admin.post("/api/v4/widgets/a", r#"{"other":"new"}"#).await;
        assert!(installed.status == 200 && installed.text().contains(expected), "{installed:?}");
        let shown = own.get("/api/v4/widgets/a").await;
        assert!(shown.status == 200 && shown.text().contains(expected), "{shown:?}");
    });
}
