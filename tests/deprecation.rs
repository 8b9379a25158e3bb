//! Advising against a widget.

use serde_json::{Value, json};

use crate::support::{Claims, Client, Sample, TestApp, test};

const DEPRECATE: &str = "/registry/v1/widgets/old/deprecate";

fn publisher(app: &TestApp, account: i64, user: i64) -> Client {
    app.caller(Claims::admin(account, user).scopes(&["publish", "publish:public"]))
}

/// What people see: everything but the time.
async fn seen(app: &TestApp) -> Value {
    let mut deprecated = app.user().get("/registry/v1/widgets/old/versions").await.json()["deprecated"].clone();
    if let Some(members) = deprecated.as_object_mut() {
        assert!(members.remove("since").unwrap().is_string());
    }
    deprecated
}

#[test]
fn people_are_told_and_installs_go_on() {
    test(async |app| {
        app.publish(&Sample::plain("old")).await;
        app.publish(&Sample::plain("new")).await;
        assert_eq!(seen(app).await, Value::Null);
        let before = app.user().get("/api/v4/widgets/old").await.text().to_owned();
        let told = app.admin().post(DEPRECATE, r#"{"replacement":"new","message":"Возьмите новый"}"#).await;
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!(seen(app).await, json!({"replacement": "new", "message": "Возьмите новый"}));
        assert_eq!(app.user().get("/api/v4/widgets/old").await.text(), before);
        assert_eq!(app.caller(Claims::admin(2, 9)).post("/api/v4/widgets/old", "{}").await.status, 200);
        // Said again, it is said anew since the same time.
        let again = app.admin().post(DEPRECATE, "").await.json();
        assert_eq!(again["since"], told.json()["since"]);
        assert_eq!(seen(app).await, json!({"replacement": null, "message": null}));
        for _ in 0..2 {
            assert_eq!(app.admin().delete(DEPRECATE).await.status, 204);
            assert_eq!(seen(app).await, Value::Null);
        }
    });
}

#[test]
fn a_replacement_is_one_that_may_be_named() {
    test(async |app| {
        app.publish(&Sample::plain("old")).await;
        let stranger = publisher(app, 2, 9);
        app.publish_as(&stranger, &Sample::plain("foreign_public"), "public").await;
        app.publish_as(&stranger, &Sample::plain("foreign_private"), "private").await;
        app.publish_as(&app.admin(), &Sample::plain("own_private"), "private").await;
        for code in ["old", "unknown", "foreign_private", "No Code"] {
            let refused = app.admin().post(DEPRECATE, &json!({"replacement": code}).to_string()).await;
            assert_eq!(refused.violations(), ["NotSupportedChoice replacement"], "{code}");
        }
        assert_eq!(seen(app).await, Value::Null);
        for code in ["own_private", "foreign_public"] {
            let told = app.admin().post(DEPRECATE, &json!({"replacement": code}).to_string()).await;
            assert_eq!((told.status, &told.json()["replacement"]), (200, &code.into()));
            assert_eq!(seen(app).await["replacement"], code);
        }
        // What is hidden later is not named any more.
        let hidden =
            stranger.put("/registry/v1/widgets/foreign_public/visibility", r#"{"visibility":"private"}"#).await;
        assert_eq!(hidden.status, 200);
        assert_eq!(seen(app).await, json!({"replacement": null, "message": null}));
    });
}

#[test]
fn only_the_owner_advises() {
    test(async |app| {
        app.publish(&Sample::plain("old")).await;
        let before = app.contents().await;
        for stranger in [publisher(app, 1, 8), publisher(app, 2, 7)] {
            stranger.post(DEPRECATE, "{}").await.problem(404);
            stranger.post(DEPRECATE, "[]").await.problem(404);
            stranger.delete(DEPRECATE).await.problem(404);
        }
        let (long, longest) = ("я".repeat(501), "я".repeat(500));
        for (body, errors) in [
            ("[]".to_owned(), &["InvalidType "][..]),
            (
                r#"{"replacement":1,"message":[],"why":1}"#.to_owned(),
                &["InvalidType replacement", "InvalidType message", "NotExpected why"],
            ),
            (json!({"message": long}).to_string(), &["TooLong message"]),
            (json!({"message": " "}).to_string(), &["NotBlank message"]),
        ] {
            assert_eq!(app.admin().post(DEPRECATE, &body).await.violations(), errors, "{body}");
        }
        assert_eq!(app.contents().await, before);
        let told = app.admin().post(DEPRECATE, &json!({"message": longest, "replacement": null}).to_string()).await;
        assert_eq!(told.json()["message"], longest);
    });
}
