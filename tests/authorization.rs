//! Every route × every kind of caller. A route that is not in the table fails the test.

use std::collections::BTreeSet;

use uuid::Uuid;
use widget_registry::auth::{Scope, SigningKey};
use widget_registry::http::caller::Who;
use widget_registry::routes;

use crate::support::{Answer, Claims, Client, Sample, TestApp, secret, test};

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
const TABLE: [(&str, &str, [u16; 11]); 55] = [
    //                                                                          none  garb  exp   key   acct  user  admin other own   wrong right
    ("GET",    "/api/v4/widgets",                                              [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("POST",   "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  403,  200,  200,  200,  200,  200]),
    ("DELETE", "/api/v4/widgets/{code}",                                       [401,  401,  401,  401,  404,  403,  204,  204,  204,  204,  204]),
    ("POST",   "/api/v4/{bot_type}/{bot_id}/continue/{continue_id}",           [401,  401,  401,  401,  404,  403,  202,  202,  202,  202,  202]),
    ("POST",   "/registry/v1/widgets",                                         [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  200]),
    ("DELETE", "/registry/v1/widgets/{code}",                                  [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  409]),
    ("GET",    "/registry/v1/widgets",                                         [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}",                                  [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}/versions",                         [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/widgets/{code}/versions/{version}",               [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("POST",   "/registry/v1/widgets/{code}/versions/{version}/yank",          [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/widgets/{code}/versions/{version}/restore",       [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/current",                          [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/widgets/{code}/{version}/{path}",                             [404,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/visibility",                       [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/widgets/{code}/explain",                          [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/owner",                            [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/widgets/{code}/deprecate",                        [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("DELETE", "/registry/v1/widgets/{code}/deprecate",                        [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  204]),
    ("POST",   "/registry/v1/widgets/{code}/plan",                             [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  200]),
    ("PUT",    "/registry/v1/widgets/{code}/rating",                           [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("DELETE", "/registry/v1/widgets/{code}/rating",                           [401,  401,  401,  401,  404,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/registry/v1/installs",                                        [401,  401,  401,  401,  200,  200,  200,  200,  200,  200,  200]),
    ("PUT",    "/registry/v1/installs/{code}/lead-source",                     [401,  401,  401,  401,  404,  403,  200,  200,  200,  200,  200]),
    ("POST",   "/registry/v1/{bot_type}/{bot_id}/continuations",               [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  201]),
    ("GET",    "/registry/v1/continuations/{continue_id}",                     [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/continuations",                                   [401,  401,  401,  401,  200,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/continuations/{continue_id}/json/{key}",          [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/continuations/{continue_id}/render",              [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/continuations/{continue_id}/fail",                [401,  401,  401,  401,  404,  403,  202,  202,  202,  202,  202]),
    ("POST",   "/registry/v1/continuations/{continue_id}/cancel",              [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  204]),
    ("POST",   "/registry/v1/continuations/{continue_id}/extend",              [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/deliveries/lease",                                [401,  401,  401,  401,  200,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/deliveries/{delivery_id}/ack",                    [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  204]),
    ("POST",   "/registry/v1/deliveries/{delivery_id}/nack",                   [401,  401,  401,  401,  409,  403,  403,  403,  403,  403,  204]),
    ("POST",   "/registry/v1/deliveries/{delivery_id}/replay",                 [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  202]),
    ("GET",    "/registry/v1/deliveries/{delivery_id}",                        [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/deliveries",                                      [401,  401,  401,  401,  200,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/webhook-secret",                                  [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/webhook-secret",                                  [401,  401,  401,  401,  201,  403,  403,  403,  403,  403,  201]),
    ("POST",   "/registry/v1/integrations",                                    [401,  401,  401,  401,  201,  403,  403,  403,  403,  403,  201]),
    ("GET",    "/registry/v1/integrations",                                    [401,  401,  401,  401,  200,  403,  403,  403,  403,  403,  200]),
    ("GET",    "/registry/v1/integrations/{client_uuid}",                      [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("PATCH",  "/registry/v1/integrations/{client_uuid}",                      [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  200]),
    ("POST",   "/registry/v1/integrations/{client_uuid}/secrets",              [401,  401,  401,  401,  404,  403,  403,  403,  403,  403,  201]),
    ("GET",    "/registry/v1/audit",                                           [401,  401,  401,  401,  200,  403,  200,  403,  403,  200,  200]),
    ("POST",   "/registry/v1/revocations",                                     [401,  401,  401,  401,  201,  403,  201,  403,  403,  201,  201]),
    ("GET",    "/registry/v1/revocations",                                     [401,  401,  401,  401,  200,  403,  200,  403,  403,  200,  200]),
    ("POST",   "/oauth2/access_token",                                         [400,  400,  400,  400,  400,  400,  400,  400,  400,  400,  400]),
    ("GET",    "/.well-known/jwks.json",                                       [200,  200,  200,  200,  200,  200,  200,  200,  200,  200,  200]),
    ("GET",    "/metrics",                                                     [200,  200,  200,  200,  200,  200,  200,  200,  200,  200,  200]),
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
        Who::Bearer(scope) | Who::AdminOr(scope) => Some(scope),
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
    let settings = format!(r#"{{"secret":"{}"}}"#, secret("hush"));
    assert_eq!(app.admin().post("/api/v4/widgets/one_widget", &settings).await.status, 200);
    let record = app.wait_for("one_widget").await;
    prepare_deliveries(app, record).await;
    record
}

/// The token of the lease that [`prepare_deliveries`] gives.
const LEASE: &str = "11111111-1111-4111-8111-111111111111";

/// Puts what the routes of deliveries are called with in place: a secret, data for `json` and `render`, one leased event (1000 +
/// the record's number) and one dead one (2000 + it).
async fn prepare_deliveries(app: &TestApp, record: i64) {
    for statement in [
        "INSERT INTO webhook_secrets (account_id, secret, is_sealed) VALUES (1, sha256('x'), true) ON CONFLICT DO NOTHING",
        "INSERT INTO delivery_lanes (account_id, way, lane) VALUES (1, 'pull', 'salesbot/77') ON CONFLICT DO NOTHING",
    ] {
        sqlx::query(statement).execute(&app.pool).await.unwrap();
    }
    let leased = "INSERT INTO deliveries (account_id, id, way, lane, kind, subject_id, payload, state, due_at, give_up_at, attempts, \
        lease_token, leased_at) VALUES (1, 1000 + $1, 'pull', 'salesbot/77', 'continuation.failed', $1, '{}', 'leased', \
        now() + interval '1 minute', now() + interval '1 day', 1, '11111111-1111-4111-8111-111111111111', now())";
    let dead = "INSERT INTO deliveries (account_id, id, way, lane, kind, subject_id, payload, state, due_at, give_up_at, attempts, \
        closed_at) VALUES (1, 2000 + $1, 'pull', 'salesbot/77', 'continuation.failed', $1, '{}', 'dead', NULL, now(), 1, now())";
    for statement in [leased, dead] {
        sqlx::query(statement).bind(record).execute(&app.pool).await.unwrap();
    }
}

async fn call(app: &TestApp, client: &Client, method: &str, path: &str, record: i64) -> Answer {
    if path.contains("/json/") {
        // Only a record that was continued has data.
        let address = format!("/api/v4/salesbot/77/continue/{record}");
        assert_eq!(app.admin().post(&address, r#"{"data":{"key":1}}"#).await.status, 202);
    }
    let delivery = if path.ends_with("ack") { 1000 + record } else { 2000 + record };
    let address = path
        .replace("{code}", "one_widget")
        .replace("{version}", "1.0.0")
        .replace("{path}", "script.js")
        .replace("{client_uuid}", &OWN.to_string())
        .replace("{bot_type}", "salesbot")
        .replace("{bot_id}", "77")
        .replace("{continue_id}", &record.to_string())
        .replace("{delivery_id}", &delivery.to_string())
        .replace("{key}", "key");
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
        ("PUT", "/registry/v1/widgets/{code}/owner") => client.put(&address, r#"{"account_id":1,"user_id":7}"#).await,
        ("POST", "/registry/v1/revocations") => client.post(&address, r#"{"jti":"nobody's"}"#).await,
        ("POST", "/registry/v1/integrations") => client.post(&address, r#"{"name":"New"}"#).await,
        ("PATCH", _) => client.patch(&address, r#"{"name":"Renamed"}"#).await,
        ("PUT", _) => client.put(&address, r#"{"pipeline_id":3}"#).await,
        ("POST", "/registry/v1/continuations/{continue_id}/render") => client.post(&address, r#"{"text":""}"#).await,
        ("POST", "/registry/v1/continuations/{continue_id}/fail") => client.post(&address, r#"{"reason":"x"}"#).await,
        ("POST", "/registry/v1/continuations/{continue_id}/extend") => {
            client.post(&address, r#"{"timeout_seconds":9}"#).await
        }
        ("POST", "/registry/v1/deliveries/{delivery_id}/ack" | "/registry/v1/deliveries/{delivery_id}/nack") => {
            client.post(&address, &format!(r#"{{"lease_token":"{LEASE}"}}"#)).await
        }
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
                let answer = call(app, &caller(app, kind, route.who), method, path, record).await;
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
        assert_eq!(shown.json()["settings"]["secret"], secret("hush"));
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
