//! Probes, and the description of the API.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use widget_registry::http::caller::Who;
use widget_registry::{openapi, routes};

use crate::support::{TestApp, cluster, test};

const LIVE: &str = "/registry/v1/health/live";
const READY: &str = "/registry/v1/health/ready";

async fn is_well(app: &TestApp, path: &str) {
    let answer = app.with_token(None).get(path).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
    assert_eq!(answer.json(), json!({"ok": true, "version": env!("CARGO_PKG_VERSION")}));
}

/// Lets nobody connect to the test's database any more, and ends the connections that are there; or lets them connect again.
async fn open_database(connection: &mut PgConnection, name: &str, open: bool) {
    for statement in [
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {open}"),
        format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}' AND NOT {open}"
        ),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *connection).await.unwrap();
    }
}

#[test]
fn a_running_service_is_live_and_ready() {
    test(async |app| {
        is_well(app, LIVE).await;
        is_well(app, READY).await;
    });
}

#[test]
fn without_its_database_the_service_is_live_but_not_ready() {
    test(async |app| {
        is_well(app, READY).await;
        let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&app.pool).await.unwrap();
        let mut superuser = cluster::options().connect().await.unwrap();
        open_database(&mut superuser, &name, false).await;
        // The first finds its connection gone, the second gets no new one.
        for path in [READY, READY, "/api/v4/widgets", "/api/v4/widgets/any"] {
            let refused = app.admin().get(path).await;
            assert_eq!(refused.problem(503), "The database cannot answer now; try again in a moment", "{path}");
            assert_eq!(refused.header("retry-after"), "1");
        }
        is_well(app, LIVE).await;
        open_database(&mut superuser, &name, true).await;
        // Each connection that was ended is found out once, by whoever gets it next.
        while app.with_token(None).get(READY).await.status != 200 {}
        is_well(app, READY).await;
        superuser.close().await.unwrap();
    });
}

/// The operations of a document: method and path.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        for (method, operation) in item.as_object().unwrap() {
            assert!(methods.contains(&method.as_str()) && operation.is_object(), "{path} {method}");
            found.insert((method.to_uppercase(), path.clone()));
        }
    }
    found
}

#[test]
fn the_description_is_served_and_covers_the_route_table() {
    test(async |app| {
        let answer = app.with_token(None).get("/registry/v1/openapi.json").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let document = answer.json();
        assert_eq!(document, serde_json::from_str::<Value>(&openapi::text().unwrap()).unwrap());
        let table = routes::table();
        let expected: BTreeSet<_> =
            table.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
        assert_eq!((operations(&document), expected.len()), (expected, table.len()));
    });
}

#[test]
fn the_description_says_who_may_call_and_what_they_may_get() {
    let document: Value = serde_json::from_str(&openapi::text().unwrap()).unwrap();
    for route in routes::table() {
        let operation = &document["paths"][route.path][route.method.as_str().to_lowercase()];
        let security = match route.who {
            Who::Anyone => Value::Null,
            Who::Visitor => json!([{"token": []}, {}]),
            Who::User | Who::Admin | Who::Bearer(_) | Who::AdminOr(_) => json!([{"token": []}]),
        };
        assert_eq!(operation["security"], security, "{route:?}");
        let secured = route.who != Who::Anyone;
        let responses = operation["responses"].as_object().unwrap();
        // Who asks for tokens shows a secret instead of one.
        let refuses = secured || route.path == "/oauth2/access_token";
        assert_eq!(responses.contains_key("401"), refuses, "{route:?}");
        assert_eq!(
            responses.contains_key("403"),
            matches!(route.who, Who::Admin | Who::Bearer(_) | Who::AdminOr(_)),
            "{route:?}"
        );
        for (status, response) in responses {
            let is_problem = response["content"].get("application/problem+json").is_some();
            assert_eq!(is_problem, status.as_str() >= "400", "{route:?} {status}");
        }
        // Each name in the path is described, and nothing else is.
        let named: BTreeSet<&str> = route.path.split(['{', '}']).skip(1).step_by(2).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let described: BTreeSet<&str> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(described, named, "{route:?}");
    }
}
