//! Deleting a widget: what is gone, what stays, who may, and what happens at the same time.

use futures_util::future::join;
use serde_json::{Value, json};
use widget_registry::routes;

use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, test, test_with};

const PATH: &str = "/registry/v1/widgets/gone";

fn operator(app: &TestApp) -> Client {
    app.caller(Claims::admin(9, 9).scopes(&["publish", "operator"]))
}

fn stranger(app: &TestApp) -> Client {
    app.caller(Claims::admin(2, 9).scopes(&["publish", "publish:public", "bots"]))
}

/// How many rows a table has.
async fn rows(app: &TestApp, table: &str) -> i64 {
    app.contents().await[table].0
}

/// Of everything that a widget has, how much there is.
async fn left(app: &TestApp) -> Vec<i64> {
    let mut left = Vec::new();
    for table in ["widget_versions", "version_files", "blobs", "blob_chunks", "installs", "ratings"] {
        left.push(rows(app, table).await);
    }
    left
}

#[test]
fn only_what_is_installed_nowhere_is_deleted_by_its_owner() {
    test(async |app| {
        app.publish(&Sample::plain("gone")).await;
        for account in [1, 2] {
            let admin = app.caller(Claims::admin(account, 9));
            assert_eq!(admin.post("/api/v4/widgets/gone", "{}").await.status, 200);
        }
        let before = app.contents().await;
        let end = "the widget installed; it can be deleted when they have uninstalled it, or by an operator with force";
        assert_eq!(app.admin().delete(PATH).await.problem(409), format!("2 accounts have {end}"));
        app.caller(Claims::admin(1, 8).scopes(&["publish"])).delete(PATH).await.problem(404);
        stranger(app).delete(PATH).await.problem(404);
        operator(app).delete(PATH).await.problem(404);
        for force in ["", "2", "yes", "TRUE"] {
            operator(app).delete(&format!("{PATH}?force={force}")).await.problem(400);
        }
        let lacks = "Insufficient rights to call this method: the token lacks the scope `operator`";
        assert_eq!(app.admin().delete(&format!("{PATH}?force=true")).await.problem(403), lacks);
        assert_eq!(app.contents().await, before);
        app.caller(Claims::admin(2, 9)).delete("/api/v4/widgets/gone").await;
        assert_eq!(app.admin().delete(PATH).await.problem(409), format!("1 account has {end}"));
        app.admin().delete("/api/v4/widgets/gone").await;
        assert_eq!(app.admin().delete(&format!("{PATH}?force=false")).await.status, 204);
        assert_eq!(left(app).await, [0; 6]);
        app.admin().delete(PATH).await.problem(404);
        operator(app).delete(&format!("{PATH}?force=true")).await.problem(404);
    });
}

#[test]
fn an_operator_takes_it_from_everybody_and_from_nobody_else() {
    test(async |app| {
        for code in ["gone", "kept"] {
            // Both have files of their own and files that are the same.
            let mut sample = Sample::plain(code);
            app.publish(&sample).await;
            sample.script = format!("{}// {code}\n", sample.script);
            app.publish(&sample.version("2.0")).await;
            for account in [1, 2] {
                let admin = app.caller(Claims::admin(account, 9));
                assert_eq!(admin.post(&format!("/api/v4/widgets/{code}"), "{}").await.status, 200);
                admin.put(&format!("/registry/v1/widgets/{code}/rating"), r#"{"stars":4}"#).await;
            }
        }
        let kept = app.user().get("/api/v4/widgets/kept").await.text().to_owned();
        assert_eq!(operator(app).delete(&format!("{PATH}?force=true")).await.status, 204);
        assert_eq!(app.user().get("/api/v4/widgets/kept").await.text(), kept);
        for version in ["1.0.0", "2.0"] {
            for file in ["script.js", "manifest.json", "i18n/en.json"] {
                let file = app.user().get(&format!("/widgets/kept/{version}/{file}")).await;
                assert!(file.status == 200 && !file.body.is_empty(), "{file:?}");
            }
        }
        let unused = "SELECT count(*) FROM blobs WHERE sha256 NOT IN (SELECT sha256 FROM version_files)";
        assert_eq!(sqlx::query_scalar::<_, i64>(unused).fetch_one(&app.pool).await.unwrap(), 0);
        let [versions, _, _, _, installs, ratings] = left(app).await[..] else { panic!() };
        assert_eq!((versions, installs, ratings), (2, 2, 2));
    });
}

#[test]
fn the_code_is_kept_for_its_owner() {
    test(async |app| {
        let sample = Sample::new("gone", "1.0.0", &[("field", "Field", "text", false)]);
        app.publish(&sample).await;
        app.admin().post("/api/v4/widgets/gone", "{}").await;
        app.admin().put(&format!("{PATH}/rating"), r#"{"stars":4}"#).await;
        app.admin().post(&format!("{PATH}/deprecate"), "{}").await;
        app.admin().put(&format!("{PATH}/current"), r#"{"version":"1.0.0"}"#).await;
        assert_eq!(operator(app).delete(&format!("{PATH}?force=true")).await.status, 204);
        let others = stranger(app).post_bytes("/registry/v1/widgets?code=gone", "application/zip", sample.zip()).await;
        assert_eq!(others.problem(409), "the code `gone` belongs to another publisher; choose another one");
        let plan = stranger(app).post_bytes(&format!("{PATH}/plan"), "application/zip", sample.zip()).await;
        assert_eq!(plan.problem(409), "the code `gone` belongs to another publisher; choose another one");
        // The same version with other bytes: nothing of the first one is left.
        let other = Sample::plain("gone");
        let plan = app.admin().post_bytes(&format!("{PATH}/plan"), "application/zip", other.zip()).await;
        let plan = plan.json();
        assert_eq!((&plan["current"], &plan["installs"], &plan["added"]), (&Value::Null, &0.into(), &json!([])));
        let again =
            app.admin().post_bytes("/registry/v1/widgets?code=gone", "application/zip", other.zip()).await.json();
        assert_eq!((&again["visibility"], &again["is_current"]), (&"private".into(), &true.into()));
        let shown = app.admin().get("/api/v4/widgets/gone").await.json();
        assert_eq!((&shown["rating"], &shown["is_active_in_account"]), (&"0".into(), &false.into()));
        assert_eq!((&shown["settings_template"], &shown["client_uuid"]), (&json!([]), &Value::Null));
        let versions = app.admin().get(&format!("{PATH}/versions")).await.json();
        assert_eq!((&versions["deprecated"], &versions["versions"][0]["is_pinned"]), (&Value::Null, &false.into()));
        assert_eq!(versions["versions"].as_array().unwrap().len(), 1);
    });
}

/// What is sent to a route whose path names a widget.
async fn ask(client: &Client, method: &str, path: &str, code: &str) -> Answer {
    let filled = [("{code}", code), ("{version}", "1.0.0"), ("{path}", "script.js")];
    let address = filled.into_iter().fold(path.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!address.contains('{'), "{path}: say here what stands for its names");
    let body = match path {
        "/registry/v1/widgets/{code}/plan" => {
            return client.post_bytes(&address, "application/zip", Sample::plain(code).zip()).await;
        }
        "/registry/v1/widgets/{code}/current" => r#"{"version":"1.0.0"}"#,
        "/registry/v1/widgets/{code}/visibility" => r#"{"visibility":"private"}"#,
        "/registry/v1/widgets/{code}/rating" => r#"{"stars":4}"#,
        "/registry/v1/widgets/{code}/owner" => r#"{"account_id":3,"user_id":3}"#,
        "/registry/v1/installs/{code}/lead-source" => r#"{"pipeline_id":3}"#,
        _ => "{}",
    };
    let request = client.request(method, &address);
    match method {
        "GET" => client.send(request).await,
        _ => client.send(request.header("content-type", "application/json").body(body)).await,
    }
}

/// Every route that names a widget answers as if there had never been one, to its owner, to an account that had it, and to others.
/// Only publishing and its plan know the code.
#[test]
fn no_route_knows_a_deleted_widget() {
    test(async |app| {
        app.publish(&Sample::plain("gone").location("lead_sources")).await;
        assert_eq!(stranger(app).post("/api/v4/widgets/gone", "{}").await.status, 200);
        let waiting = app.wait_for("gone").await;
        assert_eq!(operator(app).delete(&format!("{PATH}?force=true")).await.status, 204);
        let callers =
            [("owner", app.admin()), ("had it", stranger(app)), ("operator", operator(app)), ("user", app.user())];
        let before = app.contents().await;
        let mut asked = 0;
        for route in routes::table() {
            let known = ["/registry/v1/widgets/{code}/plan", "/registry/v1/widgets/{code}/explain"];
            if !route.path.contains("{code}") || known.contains(&route.path) {
                continue;
            }
            for (name, client) in &callers {
                let gone = ask(client, route.method.as_str(), route.path, "gone").await;
                let never = ask(client, route.method.as_str(), route.path, "never").await;
                assert_eq!((gone.status, gone.text()), (never.status, never.text()), "{route:?} by {name}");
                assert!(matches!(gone.status, 403 | 404), "{route:?} by {name}: {gone:?}");
                asked += 1;
            }
        }
        assert!(asked > 60, "{asked}");
        let body = r#"{"widget_code":"gone","entity":{"type":"leads","id":5}}"#;
        app.admin().post("/registry/v1/salesbot/77/continuations", body).await.problem(404);
        let replacement = r#"{"replacement":"gone"}"#;
        app.publish(&Sample::plain("other")).await;
        let refused = app.admin().post("/registry/v1/widgets/other/deprecate", replacement).await;
        assert_eq!(refused.violations(), ["NotSupportedChoice replacement"]);
        app.admin().delete("/registry/v1/widgets/other").await;
        for list in ["/api/v4/widgets", "/registry/v1/installs"] {
            for (name, client) in &callers {
                assert!(!client.get(list).await.text().contains("gone"), "{list} by {name}");
            }
        }
        let after = app.contents().await;
        assert_eq!((&before["installs"], &before["ratings"]), (&after["installs"], &after["ratings"]));
        // A bot that waited for it waits on, and can be answered.
        let record = app.admin().get(&format!("/registry/v1/continuations/{waiting}")).await.json();
        assert_eq!((&record["state"], &record["widget_code"]), (&"waiting".into(), &"gone".into()));
        let answered = app.admin().post(&format!("/api/v4/salesbot/77/continue/{waiting}"), "{}").await;
        assert_eq!(answered.status, 202, "{answered:?}");
    });
}

#[test]
fn no_install_slips_into_deleting() {
    test(async |app| {
        for round in 0..20 {
            let code = format!("gone_{round}");
            app.publish(&Sample::plain(&code)).await;
            let (path, admin) = (format!("/registry/v1/widgets/{code}"), app.admin());
            let (install, owner) = (format!("/api/v4/widgets/{code}"), app.admin());
            let (deleted, installed) = join(admin.delete(&path), owner.post(&install, "{}")).await;
            assert!(matches!((deleted.status, installed.status), (409, 200) | (204, 404)), "{deleted:?} {installed:?}");
            owner.delete(&install).await;
            admin.delete(&path).await;
        }
        assert_eq!((rows(app, "installs").await, rows(app, "widget_versions").await), (0, 0));
    });
}

/// Waits that no machine is too slow for.
fn patient() -> Setup {
    Setup::default()
        .set("limits.lock_time", "60s")
        .set("limits.statement_time", "60s")
        .set("limits.handler_time", "60s")
}

/// Each takes the other owner's audit log first: of two that did it at the same time one would wait for the other in a circle.
#[test]
fn two_by_force_get_along() {
    test_with(patient(), async |app| {
        let other = app.caller(Claims::admin(2, 7).scopes(&["publish", "publish:public"]));
        for (code, version, publisher, account) in [("first", "1.0", app.admin(), 2), ("second", "2.0", other, 1)] {
            // No file is that of both: for those they would wait before.
            let mut sample = Sample::plain(code).version(version);
            sample.script = format!("// {code}\n{}", sample.script);
            app.publish_as(&publisher, &sample, "public").await;
            for account in [account, 5] {
                let admin = app.caller(Claims::admin(account, 9));
                assert_eq!(admin.post(&format!("/api/v4/widgets/{code}"), "{}").await.status, 200);
            }
        }
        let mut held = app.pool.begin().await.unwrap();
        sqlx::query("SELECT FROM audit_heads WHERE account_id = 5 FOR UPDATE").execute(&mut *held).await.unwrap();
        let (one, two) = (operator(app), operator(app));
        let both = join(
            one.delete("/registry/v1/widgets/first?force=true"),
            two.delete("/registry/v1/widgets/second?force=true"),
        );
        let release = async {
            app.blocked(2).await;
            held.commit().await.unwrap();
        };
        let ((first, second), ()) = join(both, release).await;
        assert_eq!((first.status, second.status), (204, 204), "{first:?} {second:?}");
    });
}

fn same(code: &str) -> Sample {
    let mut sample = Sample::plain("same");
    code.clone_into(&mut sample.code);
    sample
}

/// Publishes the same files under another code.
async fn publish(app: &TestApp, code: &str) -> Answer {
    let path = format!("/registry/v1/widgets?code={code}&visibility=public");
    app.admin().post_bytes(&path, "application/zip", same(code).zip()).await
}

async fn assert_served(app: &TestApp, code: &str) {
    for (path, bytes) in same(code).files() {
        let served = app.user().get(&format!("/widgets/{code}/1.0.0/{path}")).await;
        assert_eq!((served.status, &served.body), (200, &bytes), "{code} {path}");
    }
    let broken = "SELECT count(*) FROM blobs b WHERE size <> \
         (SELECT coalesce(sum(length(bytes)), 0) FROM blob_chunks c WHERE c.sha256 = b.sha256) \
         OR NOT EXISTS (SELECT FROM version_files f WHERE f.blob_sha256 = b.sha256)";
    assert_eq!(sqlx::query_scalar::<_, i64>(broken).fetch_one(&app.pool).await.unwrap(), 0);
}

#[test]
fn files_that_somebody_is_about_to_name_stay() {
    test_with(patient(), async |app| {
        publish(app, "gone").await;
        // The publisher has looked which files are there, and not yet written its own.
        let lock = app.lock("version_files").await;
        let admin = app.admin();
        let release = async {
            app.blocked(1).await;
            let deleting = async {
                app.blocked(2).await;
                lock.commit().await.unwrap();
            };
            join(admin.delete(PATH), deleting).await.0
        };
        let (published, deleted) = join(publish(app, "heir"), release).await;
        assert_eq!((published.status, deleted.status), (201, 204), "{published:?} {deleted:?}");
        assert_served(app, "heir").await;
    });
}

#[test]
fn files_that_are_being_removed_are_written_anew() {
    test_with(patient(), async |app| {
        publish(app, "gone").await;
        // Whoever deletes has found that nobody else has the files, and not yet removed them.
        let lock = app.lock("blob_chunks").await;
        let admin = app.admin();
        let release = async {
            app.blocked(1).await;
            let publishing = async {
                app.blocked(2).await;
                lock.commit().await.unwrap();
            };
            join(publish(app, "heir"), publishing).await.0
        };
        let (deleted, published) = join(admin.delete(PATH), release).await;
        assert_eq!((published.status, deleted.status), (201, 204), "{published:?} {deleted:?}");
        assert_served(app, "heir").await;
    });
}

#[test]
fn deleting_and_publishing_the_same_files_get_along() {
    test_with(patient(), async |app| {
        publish(app, "w0").await;
        for round in 0..30 {
            let (old, new) = (format!("/registry/v1/widgets/w{round}"), format!("w{}", round + 1));
            let admin = app.admin();
            let (deleted, published) = join(admin.delete(&old), publish(app, &new)).await;
            assert_eq!((deleted.status, published.status), (204, 201), "{deleted:?} {published:?}");
            assert_served(app, &new).await;
        }
    });
}
