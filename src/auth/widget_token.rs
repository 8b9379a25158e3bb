//! The token that a widget's server is called with, so that it can tell who calls: HS512 with the integration's secret.

use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, decode_header, encode};
use secrecy::{ExposeSecret as _, SecretSlice};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::check::{Refusal, alive, signed};
use super::claims::{AccountId, NumericDate};
use crate::sources::{Clock, Identifiers};

/// Bytes of an HS512 secret at least (RFC 7518, 3.2).
const LEAST_SECRET: usize = 64;

/// The secret that an integration shares with its registry.
#[derive(Clone)]
pub struct WidgetSecret(SecretSlice<u8>);

/// A short secret can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the integration's secret has {length} bytes; at least 64 are needed")]
pub struct ShortSecret {
    /// Its length in bytes.
    pub length: usize,
}

/// Whom a widget's server is called for.
#[derive(Debug, Clone)]
pub struct WidgetCall<'a> {
    /// The registry: scheme and host.
    pub issuer: &'a str,
    /// The widget's server: scheme and host of its URL.
    pub audience: &'a str,
    /// The account whose bot waits.
    pub account: AccountId,
    /// The account's own part of its host name.
    pub subdomain: &'a str,
    /// The widget's integration.
    pub client: Uuid,
    /// What the bot works on, such as `leads`.
    pub entity_type: &'a str,
    /// Its number.
    pub entity_id: i64,
    /// `salesbot` or `marketingbot`.
    pub bot_type: &'a str,
    /// How long the token is good for.
    pub lifetime: Duration,
}

/// What the token says, under the names of the real service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WidgetClaims {
    /// The registry: scheme and host.
    pub iss: String,
    /// The widget's server: scheme and host.
    pub aud: String,
    /// When it was issued.
    pub iat: NumericDate,
    /// Not valid before.
    pub nbf: NumericDate,
    /// End of its life.
    pub exp: NumericDate,
    /// The token's own id.
    pub jti: String,
    /// The account.
    pub account_id: i64,
    /// The account's own part of its host name.
    pub subdomain: String,
    /// The widget's integration.
    pub client_uuid: Uuid,
    /// The same under another name: widgets read either.
    pub client_uid: Uuid,
    /// The number of what the bot works on.
    pub entity_id: i64,
    /// What it is, such as `leads`.
    pub entity_type: String,
    /// `salesbot` or `marketingbot`.
    pub bot_type: String,
}

impl WidgetSecret {
    /// Takes the secret's bytes.
    ///
    /// # Errors
    ///
    /// When there are fewer than 64.
    pub fn new(bytes: Vec<u8>) -> Result<Self, ShortSecret> {
        let length = bytes.len();
        if length < LEAST_SECRET { Err(ShortSecret { length }) } else { Ok(Self(bytes.into())) }
    }

    /// Issues the token of one call.
    ///
    /// # Errors
    ///
    /// When the signature cannot be made, which a secret of this length does not cause.
    pub fn sign(
        &self,
        call: &WidgetCall<'_>,
        clock: &Clock,
        ids: &Identifiers,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = clock.unix();
        let lifetime = i64::try_from(call.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = WidgetClaims {
            iss: call.issuer.to_owned(),
            aud: call.audience.to_owned(),
            iat: NumericDate::from_unix(now),
            nbf: NumericDate::from_unix(now),
            exp: NumericDate::from_unix(now.saturating_add(lifetime)),
            jti: ids.next().to_string(),
            account_id: call.account.get(),
            subdomain: call.subdomain.to_owned(),
            client_uuid: call.client,
            client_uid: call.client,
            entity_id: call.entity_id,
            entity_type: call.entity_type.to_owned(),
            bot_type: call.bot_type.to_owned(),
        };
        encode(&Header::new(Algorithm::HS512), &claims, &EncodingKey::from_secret(self.0.expose_secret()))
    }

    /// Checks a token as the widget's server does: signature, life with 30 s of leeway, and that it is meant for one of these
    /// audiences.
    ///
    /// # Errors
    ///
    /// The reason of the refusal.
    pub fn check(&self, token: &str, audiences: &[String], clock: &Clock) -> Result<WidgetClaims, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
        if header.crit.is_some() {
            return Err(Refusal::Critical);
        }
        // The algorithm is the secret's, never the token's.
        if header.alg != Algorithm::HS512 {
            return Err(Refusal::UnknownKey);
        }
        let key = DecodingKey::from_secret(self.0.expose_secret());
        let claims: WidgetClaims = signed(token, &key, Algorithm::HS512)?;
        alive(claims.exp, Some(claims.nbf), clock)?;
        if audiences.contains(&claims.aud) { Ok(claims) } else { Err(Refusal::Audience) }
    }
}

impl fmt::Debug for WidgetSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WidgetSecret")
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Clock {
        Clock::new(move || OffsetDateTime::from_unix_timestamp(seconds).unwrap())
    }

    fn secret(byte: u8) -> WidgetSecret {
        WidgetSecret::new(vec![byte; 64]).unwrap()
    }

    fn token() -> String {
        let call = WidgetCall {
            issuer: "https://registry.test",
            audience: "https://widget.test",
            account: AccountId::new(31).unwrap(),
            subdomain: "acme",
            client: Uuid::from_u128(5),
            entity_type: "leads",
            entity_id: 77,
            bot_type: "salesbot",
            lifetime: Duration::from_mins(5),
        };
        secret(b's').sign(&call, &at(NOW), &Identifiers::new(|| Uuid::from_u128(9))).unwrap()
    }

    fn audience() -> [String; 1] {
        ["https://widget.test".to_owned()]
    }

    #[test]
    fn the_claims_are_those_of_the_real_service() {
        let token = token();
        assert_eq!(decode_header(&token).unwrap().alg, Algorithm::HS512);
        let claims: serde_json::Value =
            signed(&token, &DecodingKey::from_secret(&[b's'; 64]), Algorithm::HS512).unwrap();
        assert_eq!(
            claims,
            serde_json::json!({
                "iss": "https://registry.test", "aud": "https://widget.test",
                "iat": NOW, "nbf": NOW, "exp": NOW + 300, "jti": "00000000-0000-0000-0000-000000000009",
                "account_id": 31, "subdomain": "acme",
                "client_uuid": "00000000-0000-0000-0000-000000000005",
                "client_uid": "00000000-0000-0000-0000-000000000005",
                "entity_id": 77, "entity_type": "leads", "bot_type": "salesbot"
            })
        );
    }

    #[test]
    fn a_token_is_good_for_its_secret_its_time_and_its_audience() {
        let token = token();
        for (seconds, expected) in [
            (NOW - 31, Some(Refusal::NotYet)),
            (NOW - 30, None),
            (NOW, None),
            (NOW + 329, None),
            (NOW + 330, Some(Refusal::Expired)),
        ] {
            assert_eq!(secret(b's').check(&token, &audience(), &at(seconds)).err(), expected, "{seconds}");
        }
        let now = at(NOW);
        assert_eq!(secret(b't').check(&token, &audience(), &now).unwrap_err(), Refusal::Signature);
        let others = ["http://widget.test".to_owned(), "https://widget.test:8443".to_owned()];
        assert_eq!(secret(b's').check(&token, &others, &now).unwrap_err(), Refusal::Audience);
        for broken in ["", "a.b", "a.b.c", token.split_at(1).1, token.split_at(token.len() - 1).0] {
            assert!(secret(b's').check(broken, &audience(), &now).is_err(), "{broken}");
        }
    }

    #[test]
    fn another_algorithm_is_refused() {
        let claims: WidgetClaims = signed(&token(), &DecodingKey::from_secret(&[b's'; 64]), Algorithm::HS512).unwrap();
        let key = EncodingKey::from_secret(&[b's'; 64]);
        let weaker = encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert_eq!(secret(b's').check(&weaker, &audience(), &at(NOW)).unwrap_err(), Refusal::UnknownKey);
        let mut header = Header::new(Algorithm::HS512);
        header.crit = Some(vec!["exp".to_owned()]);
        let critical = encode(&header, &claims, &key).unwrap();
        assert_eq!(secret(b's').check(&critical, &audience(), &at(NOW)).unwrap_err(), Refusal::Critical);
    }

    #[test]
    fn short_secrets_are_refused_and_none_is_shown() {
        let short = WidgetSecret::new(vec![b'x'; 63]).unwrap_err();
        assert_eq!(short.to_string(), "the integration's secret has 63 bytes; at least 64 are needed");
        assert_eq!(format!("{:?}", secret(b'x')), "WidgetSecret");
    }
}
