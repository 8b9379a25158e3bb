//! What the tokens are, and for whom they act.

use serde_json::{Value, json};

use super::{Integration, PATH, given, install, owner, works};
use crate::support::{TestApp, secret, test};

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn told(token: &str, names: &[&str]) -> Vec<Value> {
    let claims = claims(token);
    names.iter().map(|name| claims[*name].clone()).collect()
}

const WHO: [&str; 5] = ["account_id", "sub", "role", "aud", "scopes"];

#[test]
fn the_answer_is_that_of_the_real_service() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let form = [("grant_type", "client_credentials"), ("redirect_uri", "https://example.com/back"), ("scope", "x")];
        let answer = integration.ask(app, &form).await;
        let (access, refresh) = given(&answer);
        let names: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["access_token", "expires_in", "refresh_token", "token_type"]);
        assert_eq!((&answer.json()["token_type"], &answer.json()["expires_in"]), (&json!("Bearer"), &json!(86_400)));
        let headers = ["content-type", "cache-control", "pragma"].map(|name| answer.header(name).to_owned());
        assert_eq!(headers, ["application/json", "no-store", "no-cache"]);
        let of = claims(&access);
        // With a fraction, so that it is told apart from one that was revoked in the same second.
        let issued = of["iat"].to_string();
        let (seconds, _) = issued.split_once('.').unwrap();
        assert_eq!(of["exp"].as_i64().unwrap() - seconds.parse::<i64>().unwrap(), 86_400);
        assert!(refresh.starts_with("refresh-1-"), "{refresh}");
    });
}

#[test]
fn form_and_json_are_the_same() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        install(app, 5, 50, "w").await;
        let body = |account: Value| {
            let (client, secret) = (&integration.client, &integration.secret);
            json!({"grant_type": "client_credentials", "client_id": client, "client_secret": secret,
                   "account_id": account, "redirect_uri": null})
            .to_string()
        };
        for account in [json!(5), json!("5")] {
            let (access, _) = given(&app.with_token(None).post(PATH, &body(account)).await);
            assert_eq!(
                told(&access, &WHO),
                [json!(5), json!("50"), json!("admin"), json!(integration.client), Value::Null]
            );
        }
        let (access, _) = given(&app.with_token(None).post(PATH, &body(Value::Null)).await);
        assert_eq!(told(&access, &WHO), [json!(1), json!("7"), json!("user"), json!(integration.client), Value::Null]);
        let (access, _) = integration.tokens(app, Some(5)).await;
        assert_eq!(claims(&access)["account_id"], 5);
    });
}

/// Not more than the owner has: whoever may publish must not become an administrator of their account by an integration.
#[test]
fn for_the_owner_it_may_look_and_no_more() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        let (access, _) = integration.tokens(app, None).await;
        let bearer = app.with_token(Some(access));
        assert_eq!(bearer.get("/api/v4/widgets/w").await.status, 200);
        bearer.post("/api/v4/widgets/w", "{}").await.problem(403);
        bearer.get("/registry/v1/integrations").await.problem(403);
        bearer.post("/registry/v1/revocations", r#"{"user_id":7}"#).await.problem(403);
    });
}

#[test]
fn for_an_account_it_acts_as_who_installed_the_widget() {
    test(async |app| {
        let integration = Integration::with_widget(app, "w").await;
        install(app, 5, 50, "w").await;
        // Another administrator changes the settings later; who installed it stays.
        install(app, 5, 51, "w").await;
        let (access, _) = integration.tokens(app, Some(5)).await;
        assert_eq!(told(&access, &WHO[..3]), [json!(5), json!("50"), json!("admin")]);
        let bearer = app.with_token(Some(access));
        assert_eq!(bearer.get("/api/v4/widgets/w").await.json()["settings"]["secret"], secret("hush"));
        bearer.post("/registry/v1/revocations", r#"{"user_id":50}"#).await.problem(403);
        bearer.get("/registry/v1/continuations").await.problem(403);
        // Where nothing of it is installed it acts for nobody, and whether there is such an account is not told.
        for account in ["6", "1", "9223372036854775807"] {
            let answer = integration.ask(app, &[("grant_type", "client_credentials"), ("account_id", account)]).await;
            assert_eq!(answer.problem(400), "The integration may not act for this account");
        }
        // An install of another integration's widget does not count.
        let other = Integration::make(app).await;
        let answer = other.ask(app, &[("grant_type", "client_credentials"), ("account_id", "5")]).await;
        assert_eq!(answer.json()["error"], "invalid_grant");
    });
}

#[test]
fn the_secret_before_is_good_while_it_is_valid() {
    test(async |app| {
        let old = Integration::make(app).await;
        let path = format!("/registry/v1/integrations/{}/secrets", old.client);
        let rotated = owner(app).post(&path, "").await.json();
        let new = Integration { secret: rotated["secret"].as_str().unwrap().to_owned(), client: old.client.clone() };
        for integration in [&old, &new] {
            let (access, _) = integration.tokens(app, None).await;
            assert!(works(app, &access).await);
        }
        owner(app).post(&path, r#"{"keep_old_seconds":0}"#).await;
        for integration in [&old, &new] {
            let answer = integration.ask(app, &[("grant_type", "client_credentials")]).await;
            assert_eq!(answer.problem(401), "Client authentication failed");
        }
    });
}

async fn families(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM refresh_families").fetch_one(&app.pool).await.unwrap()
}

#[test]
fn a_client_that_asks_again_and_again_ends_its_oldest() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let other = Integration::make(app).await;
        let (_, others) = other.tokens(app, None).await;
        let (_, first) = integration.tokens(app, None).await;
        let (_, second) = integration.tokens(app, None).await;
        for _ in 0..49 {
            integration.tokens(app, None).await;
        }
        assert_eq!(families(app).await, 51);
        super::refused(&integration.refresh(app, &first).await);
        given(&integration.refresh(app, &second).await);
        given(&other.refresh(app, &others).await);
    });
}
