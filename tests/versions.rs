//! Versions: which is current, taking one back, pinning one, and looking at them.

use serde_json::{Value, json};

use crate::support::{Claims, Sample, TestApp, secret, test};

const WIDGET: &str = "/registry/v1/widgets/evolving";

fn sample(version: &str) -> Sample {
    Sample::new("evolving", version, &[("login", "Login", "text", false)])
}

async fn publish(app: &TestApp, versions: &[&str]) {
    for version in versions {
        app.publish(&sample(version)).await;
    }
}

/// The version that the v4 API shows; nothing when it shows no widget.
async fn shown(app: &TestApp) -> Value {
    let answer = app.user().get("/api/v4/widgets/evolving").await;
    if answer.status == 404 {
        assert_eq!(app.user().get("/api/v4/widgets").await.json()["_embedded"]["widgets"], json!([]));
        return Value::Null;
    }
    answer.json()["version"].clone()
}

/// Does something as the owner and returns the version that is current then.
async fn change(app: &TestApp, method: &str, path: &str, body: &str) -> Value {
    let owner = app.admin();
    let request = owner.request(method, &format!("{WIDGET}/{path}")).header("content-type", "application/json");
    let answer = owner.send(request.body(body.to_owned())).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let current = answer.json()["version"].clone();
    assert_eq!(shown(app).await, current);
    current
}

#[test]
fn a_yanked_version_is_never_current() {
    test(async |app| {
        publish(app, &["1.9.0", "1.10.0", "1.2"]).await;
        assert_eq!(shown(app).await, "1.10.0");
        assert_eq!(change(app, "POST", "versions/1.10.0/yank", "").await, "1.9.0");
        assert_eq!(change(app, "POST", "versions/1.10.0/yank", "").await, "1.9.0");
        assert_eq!(change(app, "POST", "versions/1.2/yank", "").await, "1.9.0");
        assert_eq!(change(app, "POST", "versions/1.9.0/yank", "").await, Value::Null);
        assert_eq!(change(app, "POST", "versions/1.2/restore", "").await, "1.2");
        assert_eq!(change(app, "POST", "versions/1.10.0/restore", "").await, "1.10.0");
    });
}

#[test]
fn of_equally_high_versions_the_last_published_is_current() {
    test(async |app| {
        publish(app, &["1.2.0", "1.2"]).await;
        assert_eq!(shown(app).await, "1.2");
        assert_eq!(change(app, "POST", "versions/1.2.0/yank", "").await, "1.2");
        assert_eq!(change(app, "POST", "versions/1.2.0/restore", "").await, "1.2");
        assert_eq!(change(app, "POST", "versions/1.2/yank", "").await, "1.2.0");
        assert_eq!(change(app, "POST", "versions/1.2/restore", "").await, "1.2");
    });
}

#[test]
fn the_same_archive_again_does_not_bring_a_yanked_version_back() {
    test(async |app| {
        publish(app, &["1.0.0"]).await;
        assert_eq!(change(app, "POST", "versions/1.0.0/yank", "").await, Value::Null);
        publish(app, &["1.0.0"]).await;
        assert_eq!(shown(app).await, Value::Null);
        publish(app, &["0.9.0"]).await;
        assert_eq!(shown(app).await, "0.9.0");
    });
}

#[test]
fn a_pinned_version_stays_until_it_is_let_go_or_yanked() {
    test(async |app| {
        publish(app, &["1.0.0", "1.1.0"]).await;
        assert_eq!(change(app, "PUT", "current", r#"{"version":"1.0.0"}"#).await, "1.0.0");
        publish(app, &["1.2.0"]).await;
        assert_eq!(shown(app).await, "1.0.0");
        assert_eq!(change(app, "POST", "versions/1.1.0/yank", "").await, "1.0.0");
        assert_eq!(change(app, "PUT", "current", r#"{"version":null}"#).await, "1.2.0");
        app.admin().put(&format!("{WIDGET}/current"), r#"{"version":"1.1.0"}"#).await.problem(409);
        assert_eq!(change(app, "PUT", "current", r#"{"version":"1.0.0"}"#).await, "1.0.0");
        assert_eq!(change(app, "POST", "versions/1.0.0/yank", "").await, "1.2.0");
        publish(app, &["1.3.0"]).await;
        assert_eq!(shown(app).await, "1.3.0");
    });
}

#[test]
fn only_the_owner_changes_versions() {
    test(async |app| {
        publish(app, &["1.0.0"]).await;
        for stranger in [Claims::admin(1, 8), Claims::admin(2, 7)] {
            let stranger = app.caller(stranger.scopes(&["publish"]));
            stranger.post(&format!("{WIDGET}/versions/1.0.0/yank"), "").await.problem(404);
            stranger.put(&format!("{WIDGET}/current"), r#"{"version":"1.0.0"}"#).await.problem(404);
            stranger.put(&format!("{WIDGET}/current"), "{}").await.problem(404);
        }
        let owner = app.admin();
        assert_eq!(
            owner.post(&format!("{WIDGET}/versions/2.0.0/yank"), "").await.problem(404),
            "The widget has no such version"
        );
        owner.post(&format!("{WIDGET}/versions/latest/restore"), "").await.problem(404);
        owner.put(&format!("{WIDGET}/current"), r#"{"version":"9"}"#).await.problem(404);
        assert_eq!(owner.put(&format!("{WIDGET}/current"), "{}").await.violations(), ["FieldMissing version"]);
        assert_eq!(
            owner.put(&format!("{WIDGET}/current"), r#"{"version":1}"#).await.violations(),
            ["InvalidType version"]
        );
    });
}

#[test]
fn installs_keep_their_settings_whatever_is_published() {
    test(async |app| {
        publish(app, &["1.0.0"]).await;
        for account in 1..=3 {
            let admin = app.caller(Claims::admin(account, 7));
            assert_eq!(admin.post("/api/v4/widgets/evolving", r#"{"login":"me"}"#).await.status, 200);
        }
        let stored = async || -> Vec<String> {
            sqlx::query_scalar("SELECT settings::text || updated_at FROM installs ORDER BY account_id")
                .fetch_all(&app.pool)
                .await
                .unwrap()
        };
        let before = stored().await;
        app.publish(&Sample::new(
            "evolving",
            "1.1.0",
            &[("login", "Login", "text", false), ("key", "Key", "pass", true)],
        ))
        .await;
        assert_eq!(shown(app).await, "1.1.0");
        assert_eq!(change(app, "POST", "versions/1.1.0/yank", "").await, "1.0.0");
        assert_eq!(stored().await, before);
    });
}

#[test]
fn versions_are_listed_and_shown() {
    test(async |app| {
        publish(app, &["1.0.0", "1.1.0", "1.0.5"]).await;
        change(app, "POST", "versions/1.0.0/yank", "").await;
        let list = app.user().get(&format!("{WIDGET}/versions")).await.json();
        let outline: Vec<_> = list["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| json!([v["version"], v["is_current"], v["is_yanked"], v["is_pinned"]]))
            .collect();
        assert_eq!(
            json!(outline),
            json!([["1.0.5", false, false, false], ["1.1.0", true, false, false], ["1.0.0", false, true, false]])
        );
        assert_eq!(list["next"], Value::Null);
        let rest = app.user().get(&format!("{WIDGET}/versions?after=1.1.0")).await.json();
        assert_eq!(rest["versions"].as_array().unwrap().len(), 1);
        app.user().get(&format!("{WIDGET}/versions?after=x")).await.problem(400);
        let detail = app.user().get(&format!("{WIDGET}/versions/1.1.0")).await.json();
        assert_eq!((&detail["version"], &detail["manifest"]["widget"]["version"]), (&json!("1.1.0"), &json!("1.1.0")));
        let paths: Vec<_> =
            detail["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect();
        assert_eq!(paths, ["i18n/en.json", "manifest.json", "script.js"]);
        assert!(detail["findings"].as_array().unwrap().iter().all(|finding| finding["severity"] == "warning"));
        app.user().get(&format!("{WIDGET}/versions/7")).await.problem(404);
        app.user().get("/registry/v1/widgets/unknown/versions").await.problem(404);
    });
}

#[test]
fn a_secret_key_of_the_manifest_is_nowhere() {
    test(async |app| {
        let mut sample = sample("1.0.0");
        sample.manifest["widget"]["secret_key"] = json!(secret("s3cr3t-of-the-manifest"));
        app.publish(&sample).await;
        let detail = app.user().get(&format!("{WIDGET}/versions/1.0.0")).await;
        assert!(!detail.text().contains("s3cr3t"), "{detail:?}");
        app.with_token(None).get("/widgets/evolving/1.0.0/manifest.json").await.problem(404);
        let kept: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM blob_chunks WHERE position('s3cr3t'::bytea IN bytes) > 0) \
             + (SELECT count(*) FROM widget_versions v WHERE v::text LIKE '%s3cr3t%' OR position('s3cr3t'::bytea IN v.manifest) > 0)",
        )
        .fetch_one(&app.pool)
        .await
        .unwrap();
        assert_eq!(kept, 0);
    });
}
