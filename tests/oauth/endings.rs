//! What ends refresh tokens besides their use.

use super::{Integration, given, install, owner, refused, works};
use crate::support::{Claims, TestApp, test};

async fn uninstall(app: &TestApp, account: i64, code: &str) {
    let answer = app.caller(Claims::admin(account, 99)).delete(&format!("/api/v4/widgets/{code}")).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[test]
fn the_end_of_the_install() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        install(app, 5, 50, "w").await;
        install(app, 6, 60, "w").await;
        let (_, five) = integration.tokens(app, Some(5)).await;
        let (_, six) = integration.tokens(app, Some(6)).await;
        let (_, own) = integration.tokens(app, None).await;
        uninstall(app, 5, "w").await;
        // Installed again, even by the same person, it is another install.
        install(app, 5, 50, "w").await;
        refused(&integration.refresh(app, &five).await);
        given(&integration.refresh(app, &six).await);
        given(&integration.refresh(app, &own).await);
        given(&integration.ask(app, &[("grant_type", "client_credentials"), ("account_id", "5")]).await);
    });
}

#[test]
fn another_widget_of_the_same_person_holds_it() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        integration.publish(app, "v").await;
        install(app, 5, 50, "w").await;
        install(app, 5, 50, "v").await;
        let (_, token) = integration.tokens(app, Some(5)).await;
        uninstall(app, 5, "w").await;
        let (_, token) = given(&integration.refresh(app, &token).await);
        // One that is installed later does not.
        install(app, 5, 50, "w").await;
        uninstall(app, 5, "v").await;
        refused(&integration.refresh(app, &token).await);
    });
}

#[test]
fn the_end_of_the_secret() {
    test(async |app| {
        let mut integration = Integration::make(app).await;
        let (_, first) = integration.tokens(app, None).await;
        let path = format!("/registry/v1/integrations/{}/secrets", integration.client);
        let rotate =
            async |body: &str| owner(app).post(&path, body).await.json()["secret"].as_str().unwrap().to_owned();
        // While the old secret is valid, so is what was begun with it, whichever is shown.
        let newer = rotate("").await;
        let (_, first) = given(&integration.refresh(app, &first).await);
        integration.secret = newer;
        let (_, first) = given(&integration.refresh(app, &first).await);
        let (_, second) = integration.tokens(app, None).await;
        integration.secret = rotate("").await;
        refused(&integration.refresh(app, &first).await);
        let (_, second) = given(&integration.refresh(app, &second).await);
        integration.secret = rotate(r#"{"keep_old_seconds":0}"#).await;
        refused(&integration.refresh(app, &second).await);
    });
}

#[test]
fn another_owner() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        install(app, 5, 50, "w").await;
        let (_, own) = integration.tokens(app, None).await;
        let (_, five) = integration.tokens(app, Some(5)).await;
        let answer = owner(app).put("/registry/v1/widgets/w/owner", r#"{"account_id":2,"user_id":9}"#).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        refused(&integration.refresh(app, &own).await);
        given(&integration.refresh(app, &five).await);
    });
}

#[test]
fn revocation_of_the_user_or_the_integration() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        let other = Integration::with_widget(app, "v").await;
        for (account, user, code) in [(5, 50, "w"), (5, 51, "v"), (6, 60, "w")] {
            install(app, account, user, code).await;
        }
        let tokens = async || {
            let [five, six] = [integration.tokens(app, Some(5)).await, integration.tokens(app, Some(6)).await];
            [five, six, other.tokens(app, Some(5)).await]
        };
        let by_client = format!(r#"{{"client_uuid":"{}"}}"#, integration.client);
        for body in [r#"{"user_id":50}"#, &by_client] {
            // Issued after what was revoked before, and be it in the same second.
            let [(access, refresh), (six, at_six), (others, at_others)] = tokens().await;
            assert!(works(app, &access).await, "{body}");
            let revoked = app.caller(Claims::admin(5, 99)).post("/registry/v1/revocations", body).await;
            assert_eq!(revoked.status, 201, "{revoked:?}");
            assert!(!works(app, &access).await, "{body}");
            refused(&integration.refresh(app, &refresh).await);
            assert!(works(app, &six).await && works(app, &others).await);
            given(&integration.refresh(app, &at_six).await);
            given(&other.refresh(app, &at_others).await);
        }
    });
}
