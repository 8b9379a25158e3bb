//! Tokens for integrations that show their secret, and what becomes of their refresh tokens.

mod endings;
mod errors;
mod grants;
mod refresh;

use serde_json::Value;

use crate::support::{Answer, Claims, Client, Sample, TestApp, secret};

pub const PATH: &str = "/oauth2/access_token";

/// An integration of user 7 of account 1.
pub struct Integration {
    pub client: String,
    pub secret: String,
}

/// Who owns the integration, with the scopes that it takes.
pub fn owner(app: &TestApp) -> Client {
    app.caller(Claims::admin(1, 7).scopes(&["publish", "publish:public"]))
}

impl Integration {
    pub async fn make(app: &TestApp) -> Self {
        let answer = owner(app).post("/registry/v1/integrations", r#"{"name":"Orders"}"#).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |name: &str| answer.json()[name].as_str().unwrap().to_owned();
        Self { client: text("client_uuid"), secret: text("secret") }
    }

    /// An integration with a public widget, and its code.
    pub async fn with_widget(app: &TestApp, code: &str) -> Self {
        let made = Self::make(app).await;
        made.publish(app, code).await;
        made
    }

    /// Publishes a further widget of it.
    pub async fn publish(&self, app: &TestApp, code: &str) {
        let settings = [("secret", "Secret", "pass", false)];
        let sample = Sample::new(code, "1.0.0", &settings);
        let query = format!("/registry/v1/widgets?code={code}&visibility=public&client_uuid={}", self.client);
        let answer = owner(app).post_bytes(&query, "application/zip", sample.zip()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// What a client sends, with further members.
    pub fn form(&self, further: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.client).append_pair("client_secret", &self.secret);
        form.extend_pairs(further).finish()
    }

    pub async fn ask(&self, app: &TestApp, further: &[(&str, &str)]) -> Answer {
        ask(app, self.form(further)).await
    }

    /// Access token and refresh token for an account, or for the owner.
    pub async fn tokens(&self, app: &TestApp, account: Option<i64>) -> (String, String) {
        let account = account.map(|account| account.to_string());
        let mut further = vec![("grant_type", "client_credentials")];
        further.extend(account.as_deref().map(|account| ("account_id", account)));
        given(&self.ask(app, &further).await)
    }

    /// The answer to a refresh token.
    pub async fn refresh(&self, app: &TestApp, token: &str) -> Answer {
        self.ask(app, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

pub async fn ask(app: &TestApp, form: String) -> Answer {
    app.with_token(None).post_bytes(PATH, "application/x-www-form-urlencoded", form.into_bytes()).await
}

/// The tokens of an answer that gives some.
pub fn given(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = answer.json();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

/// Checks that a refresh token was refused, as every one is; returns the whole body.
pub fn refused(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.problem(401), "The refresh token is not valid");
    assert_eq!(answer.json()["hint"], "Token has been revoked");
    answer.body.clone()
}

/// Whether an access token is taken.
pub async fn works(app: &TestApp, access: &str) -> bool {
    let answer = app.with_token(Some(access.to_owned())).get("/api/v4/widgets").await;
    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
    answer.status == 200
}

/// Installs a widget as an administrator.
pub async fn install(app: &TestApp, account: i64, user: i64, code: &str) {
    let settings = format!(r#"{{"secret":"{}"}}"#, secret("hush"));
    let answer = app.caller(Claims::admin(account, user)).post(&format!("/api/v4/widgets/{code}"), &settings).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}
