//! Each kind of token is refused at every other kind's door.

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::auth::{AccountId, WidgetCall, WidgetSecret};
use widget_registry::oauth::refresh_token::RefreshToken;
use widget_registry::sources::{Clock, Identifiers};

use super::signers::{hs256, message};
use super::{Signer, base64};
use crate::oauth::{Integration, given};
use crate::support::randomness;
use crate::support::{TestApp, test};

/// One of each kind, all of one integration, each good at its own door.
struct Kinds {
    access: String,
    refresh: String,
    /// The one-time token with which a widget's front-end calls its server: HS256 with the integration's secret.
    one_time: String,
    /// The token with which a bot calls a widget's server: HS512 with the integration's secret.
    bot: String,
}

const AUDIENCE: &str = "https://widget.test";

impl Kinds {
    async fn make(app: &TestApp, integration: &Integration) -> Self {
        let (access, refresh) = integration.tokens(app, None).await;
        let client: Uuid = integration.client.parse().unwrap();
        let now = app.now().unix_timestamp();
        // With everything that an access token claims besides, so that only its kind is in its way.
        let claims = json!({
            "iss": "widget-registry", "aud": integration.client, "jti": Uuid::new_v4(), "iat": now, "nbf": now, "exp": now + 1800,
            "account_id": 1, "user_id": 7, "client_uuid": integration.client, "sub": "7", "role": "admin",
        });
        let text = message(r#"{"typ":"JWT","alg":"HS256"}"#, claims.to_string().as_bytes());
        let one_time = format!("{text}.{}", base64(&hs256(integration.secret.as_bytes(), text.as_bytes())));
        let call = WidgetCall {
            issuer: "widget-registry",
            audience: AUDIENCE,
            account: AccountId::new(1).unwrap(),
            subdomain: "1",
            client,
            entity_type: "leads",
            entity_id: 5,
            bot_type: "salesbot",
            lifetime: std::time::Duration::from_mins(5),
        };
        let bot = secret(integration).sign(&call, &Clock::system(), &Identifiers::random()).unwrap();
        Self { access, refresh, one_time, bot }
    }

    fn all(&self) -> [(&'static str, &str); 4] {
        [("access", &self.access), ("refresh", &self.refresh), ("one-time", &self.one_time), ("bot", &self.bot)]
    }
}

fn secret(integration: &Integration) -> WidgetSecret {
    WidgetSecret::new(integration.secret.clone().into_bytes()).unwrap()
}

#[test]
fn each_opens_its_own_and_no_other() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let kinds = Kinds::make(app, &integration).await;
        let nobody = app.with_token(None).get("/api/v4/widgets").await.body;
        let audiences = [AUDIENCE.to_owned(), "widget-registry".to_owned(), integration.client.clone()];
        let mut opened = Vec::new();
        for (kind, token) in kinds.all() {
            // The doors of the API; a refresh token is tried last, for that uses it up.
            for path in ["/api/v4/widgets", "/registry/v1/installs", "/registry/v1/widgets"] {
                let answer = app.with_token(Some(token.to_owned())).get(path).await;
                match answer.status {
                    200 => opened.push((kind, "api")),
                    _ => assert_eq!((answer.status, &answer.body), (401, &nobody), "{kind} at {path}"),
                }
            }
            if secret(&integration).check(token, &audiences, &Clock::system()).is_ok() {
                opened.push((kind, "widget's server"));
            }
            let answer = integration.refresh(app, token).await;
            match answer.status {
                200 => opened.push((kind, "refresh")),
                _ => drop(crate::oauth::refused(&answer)),
            }
        }
        let expected = [
            ("access", "api"),
            ("access", "api"),
            ("access", "api"),
            ("refresh", "refresh"),
            ("bot", "widget's server"),
        ];
        assert_eq!(opened, expected);
        // What the front-end's token is for is not of this service: its own door is the widget's server, which knows the secret.
        let parts: Vec<&str> = kinds.one_time.rsplitn(2, '.').collect();
        assert_eq!(parts[0], base64(&hs256(integration.secret.as_bytes(), parts[1].as_bytes())));
    });
}

/// Nor is a token taken for the secret of its integration, or the other way round.
#[test]
fn secrets_are_no_tokens_and_tokens_no_secrets() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let kinds = Kinds::make(app, &integration).await;
        let nobody = app.with_token(None).get("/api/v4/widgets").await.body;
        for secret in [&integration.secret, &integration.client] {
            assert_eq!(app.with_token(Some(secret.clone())).get("/api/v4/widgets").await.body, nobody);
        }
        for (kind, token) in kinds.all() {
            let posing = Integration { client: integration.client.clone(), secret: token.to_owned() };
            let answer = posing.ask(app, &[("grant_type", "client_credentials")]).await;
            assert_eq!(answer.json()["error"], "invalid_client", "{kind}");
        }
        given(&integration.refresh(app, &kinds.refresh).await);
    });
}

/// A refresh token that the service never gave, for a family that it knows; and one whose family is another account's.
#[test]
fn refresh_tokens_cannot_be_made_up() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (_, refresh) = integration.tokens(app, None).await;
        let known = RefreshToken::parse(&refresh).unwrap();
        let made_up = RefreshToken::make(
            AccountId::new(2).unwrap(),
            known.family,
            &widget_registry::digest::Sha256::of(&[]),
            &randomness(),
        )
        .unwrap();
        crate::oauth::refused(&integration.refresh(app, made_up.text().expose_secret()).await);
        given(&integration.refresh(app, &refresh).await);
    });
}

/// The same claims and the same bytes, under the header of another kind.
#[test]
fn no_kind_passes_for_another_by_its_header() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let own = Signer::of(app);
        let nobody = app.with_token(None).get("/api/v4/widgets").await.body;
        for alg in ["HS256", "HS384", "HS512"] {
            for kid in [json!(own.kid), json!(integration.client), Value::Null] {
                let header = json!({"typ": "JWT", "alg": alg, "kid": kid}).to_string();
                let claims = own.token(app).claims.to_string();
                let text = message(&header, claims.as_bytes());
                let token = format!("{text}.{}", base64(&hs256(integration.secret.as_bytes(), text.as_bytes())));
                assert_eq!(app.with_token(Some(token)).get("/api/v4/widgets").await.body, nobody, "{alg} {kid}");
            }
        }
    });
}
