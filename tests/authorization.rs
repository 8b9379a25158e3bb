//! Every route × every kind of caller. A route that is not in the table fails the test.

use std::collections::BTreeSet;

use uuid::Uuid;
use widget_registry::auth::{Scope, SigningKey};
use widget_registry::http::caller::Who;
use widget_registry::routes;

use crate::support::{Answer, Claims, Client, Sample, TestApp, test};

const OWN: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const OTHER: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);

/// The kinds of caller, in the order of the table's columns.
const CALLERS: [&str; 11] = [
    "none",
    "garbage",
    "expired",
    "wrong key",
    "other account",
    "user",
    "admin",
    "other integration",
    "own integration",
    "wrong scope",
    "right scope",
];

/// Method, path, and the status for each kind of caller. The widget is private, owned by user 7 of account 1, and installed
/// there; the record waits there.
#[rustfmt::skip]
const TABLE: [(&str, &str, [u16; 11]); 25] = [
    //                                                                          none  garb  exp   key   acct  user  admin other own   wrong right
    ("GET",    "/api/v4/widgets",                                              [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("POST",   "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  403,  200,  200,  200,  200,  200]),
    ("DELETE", "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  403,  204,  204,  204,  204,  204]),
    ("POST",   "/api/v4/{bot_type}/{bot_id}/continue/{continue_id}",           [401,  401,  401,  401,  404,  403,  202,  202,  202,  202,  202]),
    ("POST",   "/registry/v1/widgets",                                         [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/widgets",                                         [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}",                                  [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}/versions",                         [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}/versions/{version}",               [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("POST",   "/registry/v1/widgets/{code}/versions/{version}/yank",          [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/widgets/{code}/versions/{version}/restore",       [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/current",                          [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/widgets/{code}/{version}/{path}",                             [404,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/visibility",                       [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/widgets/{code}/plan",                             [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/rating",                           [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("DELETE", "/registry/v1/widgets/{code}/rating",                           [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/installs",                                        [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("PUT",    "/registry/v1/installs/{code}/lead-source",                     [401,  401,  401,  401,  404,  403,  200,  200,  200,  200,  200]),
    ("POST",   "/registry/v1/{bot_type}/{bot_id}/continuations",               [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  201]),
    ("GET",    "/registry/v1/continuations/{continue_id}",                     [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/health/live",                                     [200,  200,  200,  200,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/health/ready",                                    [200,  200,  200,  200,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/openapi.json",                                    [200,  200,  200,  200,  200,  200,  200,  200,  200,  200,  200]),
];

fn sample() -> Sample {
    Sample::new("one_widget", "1.0.0", &[("secret", "Secret", "pass", false)]).location("lead_sources")
}

/// A caller of this kind, for a route that needs this right.
fn caller(app: &TestApp, kind: &str, who: Who) -> Client {
    let needed = match who {
        Who::Bearer(scope) => Some(scope),
        Who::Anyone | Who::Visitor | Who::User | Who::Admin => None,
    };
    let others: Vec<&str> = Scope::ALL.into_iter().filter(|scope| Some(*scope) != needed).map(Scope::as_str).collect();
    let every = Scope::ALL.map(Scope::as_str);
    let admin = Claims::admin(1, 7);
    match kind {
        "none" => app.with_token(None),
        "garbage" => app.with_token(Some("garbage".to_owned())),
        "expired" => app.with_token(Some(admin.scopes(&every).sign(&app.key, app.now() - time::Duration::hours(2)))),
        "wrong key" => {
            let stranger = SigningKey::load_or_create(&app.data_dir.path().join("stranger.pem")).unwrap();
            app.with_token(Some(admin.scopes(&every).sign(&stranger, app.now())))
        }
        "other account" => app.caller(Claims::admin(2, 7).scopes(&every)),
        "user" => app.caller(Claims::user(1, 8)),
        "admin" => app.caller(admin),
        "other integration" => app.caller(admin.client(OTHER)),
        "own integration" => app.caller(admin.client(OWN)),
        "wrong scope" => app.caller(admin.scopes(&others)),
        "right scope" => app.caller(admin.scopes(&needed.map(Scope::as_str).into_iter().collect::<Vec<_>>())),
        other => panic!("{other}"),
    }
}

/// Puts everything in place: a widget, its install, a record that waits; returns the record's id.
async fn prepare(app: &TestApp) -> i64 {
    let path = format!("/registry/v1/widgets?code=one_widget&visibility=private&client_uuid={OWN}");
    let answer = app.admin().post_bytes(&path, "application/zip", sample().zip()).await;
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    // An earlier case may have taken the only version back.
    let restored = app.admin().post("/registry/v1/widgets/one_widget/versions/1.0.0/restore", "").await;
    assert_eq!(restored.json()["version"], "1.0.0");
    assert_eq!(app.admin().post("/api/v4/widgets/one_widget", r#"{"secret":"hush"}"#).await.status, 200);
    app.wait_for("one_widget").await
}

async fn call(client: &Client, method: &str, path: &str, record: i64) -> Answer {
    let address = path
        .replace("{code}", "one_widget")
        .replace("{version}", "1.0.0")
        .replace("{path}", "script.js")
        .replace("{bot_type}", "salesbot")
        .replace("{bot_id}", "77")
        .replace("{continue_id}", &record.to_string());
    match (method, path) {
        ("POST", "/registry/v1/widgets") => {
            client.post_bytes("/registry/v1/widgets?code=one_widget", "application/zip", sample().zip()).await
        }
        ("POST", "/registry/v1/widgets/{code}/plan") => {
            client.post_bytes(&address, "application/zip", sample().zip()).await
        }
        ("POST", "/registry/v1/{bot_type}/{bot_id}/continuations") => {
            client.post(&address, r#"{"widget_code":"one_widget","entity":{"type":"leads","id":1}}"#).await
        }
        ("PUT", "/registry/v1/widgets/{code}/current") => client.put(&address, r#"{"version":"1.0.0"}"#).await,
        ("PUT", "/registry/v1/widgets/{code}/rating") => client.put(&address, r#"{"stars":4}"#).await,
        ("PUT", "/registry/v1/widgets/{code}/visibility") => client.put(&address, r#"{"visibility":"private"}"#).await,
        ("PUT", _) => client.put(&address, r#"{"pipeline_id":3}"#).await,
        ("POST", _) => client.post(&address, "{}").await,
        (method, _) => client.send(client.request(method, &address)).await,
    }
}

#[test]
fn every_route_is_in_the_table() {
    let routes: BTreeSet<_> =
        routes::table().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    let table: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(routes, table);
}

#[test]
fn every_caller_gets_what_is_theirs() {
    test(async |app| {
        for (method, path, statuses) in TABLE {
            let route = routes::table().into_iter().find(|route| route.method == method && route.path == path).unwrap();
            for (kind, status) in CALLERS.into_iter().zip(statuses) {
                let record = prepare(app).await;
                let answer = call(&caller(app, kind, route.who), method, path, record).await;
                assert_eq!(answer.status, status, "{method} {path} by {kind}: {answer:?}");
                if status >= 400 {
                    answer.problem(status);
                }
                assert!(
                    !answer.text().contains("hush") || kind == "own integration",
                    "{method} {path} by {kind}: {answer:?}"
                );
            }
        }
    });
}

#[test]
fn the_own_integration_reads_its_settings() {
    test(async |app| {
        prepare(app).await;
        let shown = app.caller(Claims::user(1, 8).client(OWN)).get("/api/v4/widgets/one_widget").await;
        assert_eq!(shown.json()["settings"]["secret"], "hush");
    });
}

#[test]
fn refusals_do_not_tell_their_cause() {
    test(async |app| {
        let mut bodies = BTreeSet::new();
        for kind in ["none", "garbage", "expired", "wrong key"] {
            bodies.insert(caller(app, kind, Who::User).get("/api/v4/widgets").await.body);
        }
        assert_eq!(bodies.len(), 1);
    });
}
