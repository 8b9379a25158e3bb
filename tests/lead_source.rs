//! The pipeline in which an installed widget is a lead source.

use serde_json::{Value, json};

use crate::support::{Claims, Client, Sample, TestApp, test};

const PATH: &str = "/registry/v1/installs/source/lead-source";
const ABSENT: &str = "Widget isn't found or is unavailable";

/// A widget that can be a lead source, installed in account 1; its administrator.
async fn installed(app: &TestApp) -> Client {
    app.publish(&Sample::plain("source").location("lead_sources")).await;
    let admin = app.caller(Claims::admin(1, 7));
    assert_eq!(admin.post("/api/v4/widgets/source", "{}").await.status, 200);
    admin
}

async fn pipeline(client: &Client) -> Value {
    let shown = client.get("/api/v4/widgets/source").await.json();
    let listed = client.get("/api/v4/widgets").await.json();
    assert_eq!(listed["_embedded"]["widgets"][0]["pipeline_id"], shown["pipeline_id"]);
    shown["pipeline_id"].clone()
}

#[test]
fn a_pipeline_is_set_and_cleared() {
    test(async |app| {
        let admin = installed(app).await;
        assert_eq!(pipeline(&admin).await, Value::Null);
        for (body, expected) in [
            (r#"{"pipeline_id":3}"#, json!(3)),
            (r#"{"pipeline_id":9223372036854775807,"more":1}"#, json!(9_223_372_036_854_775_807_i64)),
            (r#"{"pipeline_id":null}"#, Value::Null),
            (r#"{"pipeline_id":null}"#, Value::Null),
        ] {
            let answer = admin.put(PATH, body).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
            assert_eq!(answer.text(), json!({"pipeline_id": expected}).to_string());
            assert_eq!(pipeline(&admin).await, expected);
        }
    });
}

#[test]
fn values_that_are_refused() {
    test(async |app| {
        let admin = installed(app).await;
        assert_eq!(admin.put(PATH, r#"{"pipeline_id":3}"#).await.status, 200);
        for (body, error) in [
            ("", "FieldMissing pipeline_id"),
            ("{}", "FieldMissing pipeline_id"),
            ("[]", "InvalidType "),
            ("3", "InvalidType "),
            ("null", "InvalidType "),
            (r#"{"pipeline_id":0}"#, "TooLow pipeline_id"),
            (r#"{"pipeline_id":-1}"#, "TooLow pipeline_id"),
            (r#"{"pipeline_id":1.0}"#, "InvalidType pipeline_id"),
            (r#"{"pipeline_id":9223372036854775808}"#, "InvalidType pipeline_id"),
            (r#"{"pipeline_id":"3"}"#, "InvalidType pipeline_id"),
            (r#"{"pipeline_id":true}"#, "InvalidType pipeline_id"),
            (r#"{"pipeline_id":{}}"#, "InvalidType pipeline_id"),
        ] {
            assert_eq!(admin.put(PATH, body).await.violations(), [error], "{body}");
        }
        admin.put(PATH, r#"{"pipeline_id":4,"pipeline_id":5}"#).await.problem(400);
        assert_eq!(pipeline(&admin).await, json!(3));
    });
}

#[test]
fn only_an_installed_widget_is_found() {
    test(async |app| {
        let admin = installed(app).await;
        app.publish(&Sample::plain("elsewhere").location("lead_sources")).await;
        for (caller, code) in [
            (&admin, "elsewhere"),
            (&admin, "absent"),
            (&admin, "Source"),
            (&admin, "%00"),
            (&app.caller(Claims::admin(2, 7)), "source"),
        ] {
            // What is sent plays no part.
            for body in [r#"{"pipeline_id":3}"#, r#"{"pipeline_id":null}"#, r#"{"pipeline_id":0}"#, ""] {
                let answer = caller.put(&format!("/registry/v1/installs/{code}/lead-source"), body).await;
                assert_eq!(answer.problem(404), ABSENT, "{code} {body}");
            }
        }
        app.user().put(PATH, "{").await.problem(403);
        admin.put(PATH, "{").await.problem(400);
        assert_eq!(pipeline(&admin).await, Value::Null);
    });
}

#[test]
fn a_widget_without_the_location_cannot_be_one() {
    test(async |app| {
        app.publish(&Sample::plain("source")).await;
        let admin = app.caller(Claims::admin(1, 7));
        assert_eq!(admin.post("/api/v4/widgets/source", "{}").await.status, 200);
        let refused = admin.put(PATH, r#"{"pipeline_id":3}"#).await;
        let detail =
            "The widget `source` cannot be a lead source: its manifest does not name the location lead_sources";
        assert_eq!(refused.problem(409), detail);
        // To clear what is not set does no harm.
        assert_eq!(admin.put(PATH, r#"{"pipeline_id":null}"#).await.status, 200);
    });
}

#[test]
fn a_version_without_the_location_keeps_what_is_set_until_it_is_cleared() {
    test(async |app| {
        let admin = installed(app).await;
        assert_eq!(admin.put(PATH, r#"{"pipeline_id":3}"#).await.status, 200);
        app.publish(&Sample::plain("source").version("2.0")).await;
        assert_eq!(pipeline(&admin).await, json!(3));
        admin.put(PATH, r#"{"pipeline_id":4}"#).await.problem(409);
        assert_eq!(pipeline(&admin).await, json!(3));
        assert_eq!(admin.put(PATH, r#"{"pipeline_id":null}"#).await.status, 200);
        assert_eq!(pipeline(&admin).await, Value::Null);
    });
}

#[test]
fn it_is_the_accounts_own_and_outlives_new_settings_but_not_the_install() {
    test(async |app| {
        let admin = installed(app).await;
        let other = app.caller(Claims::admin(2, 7));
        assert_eq!(other.post("/api/v4/widgets/source", "{}").await.status, 200);
        assert_eq!(admin.put(PATH, r#"{"pipeline_id":3}"#).await.status, 200);
        assert_eq!(pipeline(&other).await, Value::Null);
        let again = admin.post("/api/v4/widgets/source", "{}").await;
        assert_eq!((again.status, &again.json()["pipeline_id"]), (200, &json!(3)));
        assert_eq!(admin.delete("/api/v4/widgets/source").await.status, 204);
        assert_eq!(pipeline(&admin).await, Value::Null);
        admin.put(PATH, r#"{"pipeline_id":3}"#).await.problem(404);
        assert_eq!(admin.post("/api/v4/widgets/source", "{}").await.json()["pipeline_id"], Value::Null);
    });
}
