//! What an upgrade would change, and whose settings no longer fit.

use serde_json::{Value, json};

use crate::support::{Claims, Sample, TestApp, test};

const WIDGET: &str = "/registry/v1/widgets/evolving";

fn old() -> Sample {
    Sample::new(
        "evolving",
        "1.0.0",
        &[("login", "Login", "text", true), ("note", "Note", "text", false), ("lines", "Lines", "users", false)],
    )
}

async fn install(app: &TestApp, account: i64, settings: &str) {
    let answer = app.caller(Claims::admin(account, 7)).post("/api/v4/widgets/evolving", settings).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn plan(app: &TestApp, sample: &Sample) -> Value {
    let answer = app.admin().post_bytes(&format!("{WIDGET}/plan"), "application/zip", sample.zip()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn a_plan_counts_the_accounts_whose_settings_would_not_fit() {
    test(async |app| {
        app.publish(&old()).await;
        install(app, 1, r#"{"login":"a","note":"n","lines":{"5":"1","6":"2"}}"#).await;
        install(app, 2, r#"{"login":"b"}"#).await;
        install(app, 3, r#"{"login":"c","note":"n"}"#).await;
        let new = Sample::new(
            "evolving",
            "1.1.0",
            &[("login", "Login", "text", true), ("lines", "Lines", "users_lp", false), ("key", "Key", "pass", true)],
        );
        let answer = plan(app, &new).await;
        let expected = json!({
            "version": "1.1.0", "current": "1.0.0", "would_be_current": true,
            "added": ["key"], "removed": ["note"], "newly_required": ["key"],
            "retyped": [{"key": "lines", "from": "users", "to": "users_lp"}],
            "installs": 3, "unfit": 3,
            "reasons": [{"key": "key", "code": "FieldMissing", "accounts": 3}, {"key": "lines", "code": "InvalidType", "accounts": 1}],
            "findings": answer["findings"],
        });
        assert_eq!(answer, expected);
        let same = plan(app, &old().version("1.0.1")).await;
        assert_eq!(same["would_be_current"], true);
        let lower = plan(app, &old().version("0.9.0")).await;
        assert_eq!(lower["would_be_current"], false);
        let other =
            app.admin().post_bytes(&format!("{WIDGET}/plan"), "application/zip", new.version("1.0.0").zip()).await;
        assert_eq!(other.problem(409), "version 1.0.0 exists with other content; raise the version in manifest.json");
        assert_eq!((&same["unfit"], &same["added"], &same["removed"]), (&json!(0), &json!([]), &json!([])));
        // Nothing was stored.
        let versions: i64 =
            sqlx::query_scalar("SELECT count(*) FROM widget_versions").fetch_one(&app.pool).await.unwrap();
        assert_eq!(versions, 1);
    });
}

#[test]
fn a_plan_for_a_new_code_changes_nothing_for_anybody() {
    test(async |app| {
        let answer = plan(app, &old()).await;
        assert_eq!(
            (&answer["current"], &answer["installs"], &answer["added"]),
            (&Value::Null, &json!(0), &json!(["login", "note", "lines"]))
        );
        let widgets: i64 = sqlx::query_scalar("SELECT count(*) FROM widgets").fetch_one(&app.pool).await.unwrap();
        assert_eq!(widgets, 0);
        let refused = app.admin().post_bytes(&format!("{WIDGET}/plan"), "application/zip", b"no zip".to_vec()).await;
        refused.problem(400);
        assert_eq!(refused.json()["findings"][0]["code"], "archive.not-a-zip");
    });
}

#[test]
fn an_upgrade_leaves_settings_alone_and_says_what_no_longer_fits() {
    test(async |app| {
        app.publish(&old()).await;
        for account in 1..=3 {
            install(app, account, r#"{"login":"a","note":"n"}"#).await;
        }
        let new = Sample::new("evolving", "1.1.0", &[("login", "Login", "text", true), ("key", "Key", "pass", true)]);
        assert_eq!(plan(app, &new).await["unfit"], 3);
        app.publish(&new).await;
        let shown = app.user().get("/api/v4/widgets/evolving").await.json();
        assert_eq!((&shown["version"], &shown["is_active_in_account"]), (&json!("1.1.0"), &json!(true)));
        let list = app.user().get("/registry/v1/installs").await.json();
        assert_eq!(
            list["installs"][0]["misfits"],
            json!([{"code": "FieldMissing", "path": "key", "detail": "This field is missing."}])
        );
        assert_eq!(list["next"], Value::Null);
        let stored: Vec<String> =
            sqlx::query_scalar("SELECT settings::text FROM installs").fetch_all(&app.pool).await.unwrap();
        assert_eq!(stored, vec![r#"{"login":"a","note":"n"}"#; 3]);
        // Installing again with what is missing makes it fit.
        install(app, 1, r#"{"login":"a","key":"k"}"#).await;
        assert_eq!(app.user().get("/registry/v1/installs").await.json()["installs"][0]["misfits"], json!([]));
        app.admin().post(&format!("{WIDGET}/versions/1.1.0/yank"), "").await;
        assert_eq!(app.user().get("/api/v4/widgets/evolving").await.json()["version"], "1.0.0");
    });
}

#[test]
fn installs_are_listed_by_pages() {
    test(async |app| {
        for number in 0..28 {
            let code = format!("w{number:03}");
            app.publish(&Sample::plain(&code)).await;
            assert_eq!(app.admin().post(&format!("/api/v4/widgets/{code}"), "{}").await.status, 200);
        }
        let first = app.user().get("/registry/v1/installs").await.json();
        assert_eq!(first["installs"].as_array().unwrap().len(), 25);
        let rest =
            app.user().get(&format!("/registry/v1/installs?after={}", first["next"].as_str().unwrap())).await.json();
        let codes: Vec<_> = rest["installs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|install| install["code"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            (codes, &rest["next"]),
            (vec!["w025".to_owned(), "w026".to_owned(), "w027".to_owned()], &Value::Null)
        );
    });
}

#[test]
fn a_version_comes_is_installed_and_goes() {
    test(async |app| {
        app.publish(&old()).await;
        for account in 1..=3 {
            install(app, account, &format!(r#"{{"login":"user {account}"}}"#)).await;
        }
        let new = Sample::new("evolving", "1.1.0", &[("login", "Login", "text", true), ("key", "Key", "text", true)]);
        let planned = plan(app, &new).await;
        assert_eq!((&planned["installs"], &planned["unfit"]), (&json!(3), &json!(3)));
        let shown = async |account: i64| {
            // Settings are shown to administrators.
            app.caller(Claims::admin(account, 7)).get("/api/v4/widgets/evolving").await.json()
        };
        let before: Vec<Value> = vec![shown(1).await, shown(2).await, shown(3).await];
        app.publish(&new).await;
        for (account, before) in (1..=3).zip(&before) {
            let after = shown(account).await;
            assert_eq!((&before["version"], &after["version"]), (&json!("1.0.0"), &json!("1.1.0")));
            assert_eq!(after["settings"], before["settings"], "settings are nobody's but the account's");
            let stored = "SELECT settings->>'login' FROM installs WHERE account_id = $1";
            let stored: String = sqlx::query_scalar(stored).bind(account).fetch_one(&app.pool).await.unwrap();
            assert_eq!(stored, format!("user {account}"));
        }
        assert_eq!(app.admin().post(&format!("{WIDGET}/versions/1.1.0/yank"), "").await.status, 200);
        assert_eq!([shown(1).await, shown(2).await, shown(3).await], *before);
    });
}
