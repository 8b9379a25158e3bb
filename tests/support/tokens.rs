//! Tokens, lawful and not.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use widget_registry::auth::{AccountId, Issue, Role, SigningKey, UserId};
use widget_registry::sources::{Clock, Identifiers};

/// What a token is to say.
#[derive(Clone)]
pub struct Claims {
    pub account: i64,
    pub user: i64,
    pub role: Role,
    pub client: Option<Uuid>,
    pub scopes: Vec<String>,
    pub issuer: String,
}

impl Claims {
    pub fn admin(account: i64, user: i64) -> Self {
        let issuer = "widget-registry".to_owned();
        Self { account, user, role: Role::Admin, client: None, scopes: Vec::new(), issuer }
    }

    pub fn user(account: i64, user: i64) -> Self {
        Self { role: Role::User, ..Self::admin(account, user) }
    }

    pub fn client(self, client: Uuid) -> Self {
        Self { client: Some(client), ..self }
    }

    pub fn scopes(self, scopes: &[&str]) -> Self {
        Self { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..self }
    }

    /// A token that lives for an hour from `now`.
    pub fn sign(&self, key: &SigningKey, now: OffsetDateTime) -> String {
        let issue = Issue {
            account: AccountId::new(self.account).unwrap(),
            user: UserId::new(self.user).unwrap(),
            role: self.role,
            client: self.client,
            scopes: self.scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
            lifetime: Duration::from_hours(1),
        };
        let token = key.issue(&self.issuer, &issue, &Clock::new(move || now), &Identifiers::random()).unwrap();
        super::record::note_token("token", &token);
        token
    }

    /// The claims as JSON, living for an hour from `now`, for tests that sign by themselves.
    pub fn json(&self, now: OffsetDateTime) -> Value {
        let now = now.unix_timestamp();
        let role = match self.role {
            Role::Admin => "admin",
            Role::User => "user",
        };
        let mut claims = json!({
            "iss": self.issuer, "sub": self.user.to_string(), "account_id": self.account, "role": role,
            "iat": now, "exp": now + 3600,
        });
        if let Some(client) = self.client {
            claims["aud"] = json!(client);
        }
        if !self.scopes.is_empty() {
            claims["scopes"] = json!(self.scopes);
        }
        claims
    }
}
