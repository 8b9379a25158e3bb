//! What a server answered just now is given again only to who asks the very same, and only while it is the answer.

use uuid::Uuid;
use widget_registry::auth::AccountId;

use crate::support::{Answer, Claims, Client, Sample, Setup, test_with};

const OWN: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const PATHS: [&str; 2] = ["/api/v4/widgets", "/api/v4/widgets/a"];

fn only_writer() -> Setup {
    Setup { only_writer: true, ..Setup::default() }
}

/// The answer to the same question four times: the last two are those that were given just now.
async fn again(client: &Client, path: &str) -> Answer {
    let first = client.get(path).await;
    for _ in 0..3 {
        let again = client.get(path).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}");
    }
    first
}

async fn both(client: &Client) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for path in PATHS {
        bodies.push(again(client, path).await.body);
    }
    bodies
}

#[test]
fn every_change_is_in_the_next_answer() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a").location("lead_sources")).await;
        let admin = app.admin();
        let mut seen = vec![both(&admin).await];
        let steps: [(&str, &str, &str); 6] = [
            ("POST", "/api/v4/widgets/a", "{}"),
            ("PUT", "/registry/v1/installs/a/lead-source", r#"{"pipeline_id":5}"#),
            ("PUT", "/registry/v1/widgets/a/rating", r#"{"stars":4}"#),
            ("PUT", "/registry/v1/installs/a/lead-source", r#"{"pipeline_id":6}"#),
            ("DELETE", "/api/v4/widgets/a", ""),
            ("POST", "/api/v4/widgets/a", "{}"),
        ];
        for (method, path, body) in steps {
            let request = admin.request(method, path).header("content-type", "application/json").body(body);
            let answer = admin.send(request).await;
            assert!(answer.status < 300, "{answer:?}");
            let now = both(&admin).await;
            for (before, now) in seen.last().unwrap().iter().zip(&now) {
                assert_ne!(before, now, "{method} {path} {body}");
            }
            seen.push(now);
        }
        app.publish(&Sample::plain("a").version("2.0.0")).await;
        assert_ne!(both(&admin).await, *seen.last().unwrap());
    });
}

#[test]
fn nobody_else_is_given_it() {
    test_with(only_writer(), async |app| {
        let sample = Sample::new("a", "1.0.0", &[("k", "Key", "text", false)]).language("ru", &[("k", "Ключ")]);
        let admin = app.admin();
        let path = format!("/registry/v1/widgets?code=a&visibility=public&client_uuid={OWN}");
        assert_eq!(admin.post_bytes(&path, "application/zip", sample.zip()).await.status, 201);
        assert_eq!(admin.post("/api/v4/widgets/a", r#"{"k":"v"}"#).await.status, 200);
        let shown = again(&admin, "/api/v4/widgets/a").await.json();
        assert_eq!((&shown["is_active_in_account"], &shown["settings"]), (&true.into(), &serde_json::Value::Null));
        // Another account with the same request, which has changed as often what it has installed.
        app.publish(&Sample::plain("b")).await;
        let stranger = app.caller(Claims::admin(9, 7));
        assert_eq!(stranger.post("/api/v4/widgets/b", "{}").await.status, 200);
        assert_eq!(again(&stranger, "/api/v4/widgets/a").await.json()["is_active_in_account"], false);
        // The widget's own integration sees the settings, also when the same user asked before without it.
        let own = app.caller(Claims::admin(1, 7).client(OWN));
        assert_eq!(again(&own, "/api/v4/widgets/a").await.json()["settings"]["k"], "v");
        assert_eq!(again(&admin, "/api/v4/widgets/a").await.json()["settings"], serde_json::Value::Null);
        // Other languages and other addresses.
        for header in [("accept-language", "ru"), ("host", "registry.test")] {
            let request = || admin.request("GET", "/api/v4/widgets/a").header(header.0, header.1);
            let first = admin.send(request()).await;
            assert_ne!(first.body, again(&admin, "/api/v4/widgets/a").await.body);
            assert_eq!(admin.send(request()).await.body, first.body);
        }
        // Other pages.
        assert_eq!(again(&admin, "/api/v4/widgets?limit=1&page=2").await.json()["_page"], 2);
        assert_eq!(again(&admin, "/api/v4/widgets?limit=1&page=1").await.json()["_page"], 1);
        // What is hidden is gone for who may not see it.
        assert_eq!(admin.put("/registry/v1/widgets/a/visibility", r#"{"visibility":"private"}"#).await.status, 200);
        again(&stranger, "/api/v4/widgets/a").await.problem(404);
        assert_eq!(again(&admin, "/api/v4/widgets/a").await.status, 200);
    });
}

/// It may be committed already, though nobody here knows it yet.
#[test]
fn while_a_change_is_under_way_nothing_is_given_again() {
    test_with(only_writer(), async |app| {
        let widget = app.publish(&Sample::plain("a")).await;
        let client = app.caller(Claims::user(100, 7));
        assert_eq!(again(&client, "/api/v4/widgets/a").await.json()["is_active_in_account"], false);
        let write = app.install_writes.of(AccountId::new(100).unwrap()).begin();
        let insert = "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) VALUES (100, $1, '{}', 0, 7)";
        sqlx::query(insert).bind(widget).execute(&app.pool).await.unwrap();
        assert_eq!(again(&client, "/api/v4/widgets/a").await.json()["is_active_in_account"], true);
        drop(write);
        assert_eq!(again(&client, "/api/v4/widgets/a").await.json()["is_active_in_account"], true);
    });
}
