//! Every example of the source, byte for byte but for host and ids.

use crate::support::{Sample, TestApp, test};

/// JSON without the white space outside strings.
fn compact(pretty: &str) -> String {
    let (mut text, mut in_string, mut escaped) = (String::new(), false, false);
    for c in pretty.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            c if c.is_whitespace() && !in_string => continue,
            _ => {}
        }
        text.push(c);
    }
    text
}

async fn rate(app: &TestApp, code: &str, tenths: i16) {
    let done = sqlx::query("UPDATE widgets SET rating_tenths = $2 WHERE code = $1")
        .bind(code)
        .bind(tenths)
        .execute(&app.pool)
        .await;
    assert_eq!(done.unwrap().rows_affected(), 1);
    app.reload().await;
}

/// One field of the type `custom` that is named "custom", as the source's examples have it.
fn custom(code: &str, version: &str, key: &str) -> Sample {
    Sample::new(code, version, &[(key, "custom", "custom", false)])
}

const DROPBOX: &str = r#"{
    "id": {id}, "code": "amo_dropbox", "version": "0.0.13", "rating": "2,8",
    "settings_template": [{"key": "conf", "name": "custom", "type": "custom", "is_required": false}],
    "is_lead_source": false, "is_work_with_dp": false, "is_crm_template": false, "client_uuid": null,
    "is_active_in_account": false, "pipeline_id": null,
    "_links": {"self": {"href": "{url}/api/v4/widgets/amo_dropbox"}}
}"#;

const MAILCHIMP: &str = r#"{
    "id": {id}, "code": "amo_mailchimp", "version": "1.1.12", "rating": "3,4",
    "settings_template": [{"key": "api", "name": "custom", "type": "custom", "is_required": false}],
    "is_lead_source": false, "is_work_with_dp": false, "is_crm_template": false, "client_uuid": null,
    "is_active_in_account": false, "pipeline_id": null,
    "_links": {"self": {"href": "{url}/api/v4/widgets/amo_mailchimp"}}
}"#;

const ASTERISK: &str = r#"{
    "id": {id}, "code": "amo_asterisk", "version": "1.1.6", "rating": "2,7",
    "settings_template": [
        {"key": "login", "name": "Login", "type": "text", "is_required": true},
        {"key": "password", "name": "Password", "type": "pass", "is_required": true},
        {"key": "phones", "name": "Phone numbers", "type": "users", "is_required": true},
        {"key": "script_path", "name": "Script path", "type": "text", "is_required": true}
    ],
    "is_lead_source": false, "is_work_with_dp": false, "is_crm_template": false, "client_uuid": null,
    "is_active_in_account": true, "pipeline_id": null,
    "settings": {
        "login": "example", "password": "eXaMp1E", "phones": {"504141": "1039"}, "script_path": "https://example.com/"
    },
    "_links": {"self": {"href": "{url}/api/v4/widgets/amo_asterisk"}}
}"#;

fn expected(app: &TestApp, example: &str, id: i64) -> String {
    compact(&example.replace("{id}", &id.to_string()).replace("{url}", &app.url))
}

#[test]
fn list() {
    test(async |app| {
        let dropbox = app.publish(&custom("amo_dropbox", "0.0.13", "conf")).await;
        let mailchimp = app.publish(&custom("amo_mailchimp", "1.1.12", "api")).await;
        app.publish(&Sample::plain("a_third_one")).await;
        rate(app, "amo_dropbox", 28).await;
        rate(app, "amo_mailchimp", 34).await;
        let answer = app.user().get("/api/v4/widgets?limit=2&page=1").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"));
        let (url, dropbox, mailchimp) =
            (&app.url, expected(app, DROPBOX, dropbox), expected(app, MAILCHIMP, mailchimp));
        let page = format!(
            r#"{{"_page":1,"_links":{{"self":{{"href":"{url}/api/v4/widgets?limit=2&page=1"}},"next":{{"href":"{url}/api/v4/widgets?limit=2&page=2"}}}},"_embedded":{{"widgets":[{dropbox},{mailchimp}]}}}}"#
        );
        assert_eq!(answer.text(), page);
    });
}

#[test]
fn show() {
    test(async |app| {
        let id = app.publish(&custom("amo_dropbox", "0.0.13", "conf")).await;
        rate(app, "amo_dropbox", 28).await;
        let answer = app.user().get("/api/v4/widgets/amo_dropbox").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"));
        assert_eq!(answer.text(), expected(app, DROPBOX, id));
    });
}

#[test]
fn install_and_uninstall() {
    test(async |app| {
        let id = app.publish(&Sample::telephony()).await;
        rate(app, "amo_asterisk", 27).await;
        // The source writes the user id without quotes, which is no JSON; clients send it as a string.
        let body = r#"{
            "login": "example",
            "password": "eXaMp1E",
            "phones": {
                "504141": "1039"
            },
            "script_path": "https://example.com/"
        }"#;
        let answer = app.admin().post("/api/v4/widgets/amo_asterisk", body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"));
        assert_eq!(answer.text(), expected(app, ASTERISK, id));
        let answer = app.admin().delete("/api/v4/widgets/amo_asterisk").await;
        assert_eq!((answer.status, answer.body.len(), answer.header("content-type")), (204, 0, ""));
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM installs").fetch_one(&app.pool).await.unwrap();
        assert_eq!(left, 0);
    });
}

#[test]
fn continue_bot() {
    test(async |app| {
        app.publish(&Sample::plain("amo_bot")).await;
        let id = app.wait_for("amo_bot").await;
        let body = "{\n    \"data\": {\n        \"status\": \"success\"    \n    }\n}";
        let answer = app.admin().post(&format!("/api/v4/salesbot/77/continue/{id}"), body).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
        let record = app.admin().get(&format!("/registry/v1/continuations/{id}")).await;
        assert!(record.text().contains("\"data\":{\n        \"status\": \"success\"    \n    },"), "{record:?}");
        assert_eq!(record.json()["state"], "continued");
    });
}
