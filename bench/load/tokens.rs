//! Tokens for the requests.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use widget_registry::app::signing_key_path;
use widget_registry::auth::{AccountId, Issue, KeyAlgorithm, KeySource, Role, Scope, SigningKey, UserId};
use widget_registry::data_dir::DataDir;
use widget_registry::sources::{Clock, Identifiers};

/// The issuer that the service expects.
pub const ISSUER: &str = "widget-registry";
/// The id of the key that the bench signs with.
const KID: &str = "bench";

/// Which tokens are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signed with a secret that the service has among its verification keys.
    Hs256,
    /// Signed with the service's own key.
    EdDsa,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hs256" => Ok(Self::Hs256),
            "eddsa" => Ok(Self::EdDsa),
            _ => Err("a token is hs256 or eddsa".to_owned()),
        }
    }
}

/// Makes tokens of one service.
pub struct Tokens {
    kind: Kind,
    secret: String,
    signing: SigningKey,
}

impl Tokens {
    /// `secret` is the text of the HS256 secret; the service's own key is in its data directory.
    pub fn new(kind: Kind, secret: &str, data_dir: &Path) -> anyhow::Result<Self> {
        let signing = SigningKey::load(&signing_key_path(&DataDir::peek(data_dir)?))?;
        Ok(Self { kind, secret: secret.to_owned(), signing })
    }

    /// An `Authorization` of an administrator of an account.
    pub fn authorization(&self, account: u64) -> anyhow::Result<String> {
        let token = match self.kind {
            Kind::Hs256 => self.with_secret(account),
            Kind::EdDsa => self.with_own_key(account)?,
        };
        Ok(format!("Bearer {token}"))
    }

    fn with_secret(&self, account: u64) -> String {
        let now = Clock::system().unix();
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": KID}).to_string();
        let claims = json!({"iss": ISSUER, "sub": "7", "account_id": account, "role": "admin", "scopes": ["bots"], "iat": now,
            "exp": now + 24 * 60 * 60, "jti": Identifiers::random().next()});
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes()), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn with_own_key(&self, account: u64) -> anyhow::Result<String> {
        let issue = Issue {
            account: AccountId::new(account.try_into()?).context("an account")?,
            user: UserId::new(7).context("a user")?,
            role: Role::Admin,
            client: None,
            scopes: vec![Scope::Bots],
            lifetime: Duration::from_hours(24),
        };
        Ok(self.signing.issue(ISSUER, &issue, &Clock::system(), &Identifiers::random())?)
    }
}

/// The secret as a verification key.
pub fn source(secret_file: &Path) -> KeySource {
    KeySource::File { kid: KID.to_owned(), algorithm: KeyAlgorithm::Hs256, path: secret_file.to_owned() }
}

/// The same as a setting of the service.
pub fn setting(secret_file: &Path) -> String {
    format!("kid={KID},algorithm=HS256,file={}", secret_file.display())
}
