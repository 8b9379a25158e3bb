//! Showing a widget to everybody, and hiding it again.

use futures_util::future::join;

use crate::support::{Claims, Sample, TestApp, test};

const VISIBILITY: &str = "/registry/v1/widgets/hidden/visibility";

async fn set(app: &TestApp, visibility: &str) -> u16 {
    app.admin().put(VISIBILITY, &format!("{{\"visibility\":\"{visibility}\"}}")).await.status
}

#[test]
fn an_owner_shows_and_hides() {
    test(async |app| {
        app.publish_as(&app.admin(), &Sample::plain("hidden"), "private").await;
        let stranger = app.caller(Claims::admin(2, 7));
        stranger.get("/api/v4/widgets/hidden").await.problem(404);
        assert_eq!(set(app, "public").await, 200);
        assert_eq!(stranger.get("/api/v4/widgets/hidden").await.status, 200);
        assert_eq!(stranger.post("/api/v4/widgets/hidden", "{}").await.status, 200);
        let refused = app.admin().put(VISIBILITY, r#"{"visibility":"private"}"#).await;
        assert_eq!(
            refused.problem(409),
            "1 other account has the widget installed; it can be private again when they have uninstalled it"
        );
        stranger.delete("/api/v4/widgets/hidden").await;
        // The owner's own install is no obstacle.
        app.admin().post("/api/v4/widgets/hidden", "{}").await;
        assert_eq!(set(app, "private").await, 200);
        stranger.get("/api/v4/widgets/hidden").await.problem(404);
    });
}

#[test]
fn showing_needs_its_own_scope_and_the_owner() {
    test(async |app| {
        app.publish_as(&app.admin(), &Sample::plain("hidden"), "private").await;
        app.caller(Claims::admin(1, 7).scopes(&["publish"]))
            .put(VISIBILITY, r#"{"visibility":"public"}"#)
            .await
            .problem(403);
        app.caller(Claims::admin(1, 8).scopes(&["publish", "publish:public"]))
            .put(VISIBILITY, r#"{"visibility":"public"}"#)
            .await
            .problem(404);
        app.caller(Claims::admin(2, 7).scopes(&["publish"])).put(VISIBILITY, "{}").await.problem(404);
        for (body, error) in [
            ("{}", "FieldMissing visibility"),
            (r#"{"visibility":1}"#, "InvalidType visibility"),
            (r#"{"visibility":"all"}"#, "NotSupportedChoice visibility"),
            ("[]", "InvalidType "),
        ] {
            assert_eq!(app.admin().put(VISIBILITY, body).await.violations(), [error], "{body}");
        }
    });
}

#[test]
fn no_install_slips_into_hiding() {
    test(async |app| {
        app.publish(&Sample::plain("hidden")).await;
        for account in 2..40 {
            assert_eq!(set(app, "public").await, 200);
            let stranger = app.caller(Claims::admin(account, 7));
            let (hidden, installed) = join(set(app, "private"), stranger.post("/api/v4/widgets/hidden", "{}")).await;
            // Either the install was first and the widget stays public, or it was hidden and could not be installed.
            assert!(matches!((hidden, installed.status), (409, 200) | (200, 404)), "{hidden} {installed:?}");
            stranger.delete("/api/v4/widgets/hidden").await;
        }
    });
}
