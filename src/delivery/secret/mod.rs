//! What pushed events are signed with: Standard Webhooks 1.0.

pub mod api;
pub mod sealed;
pub mod store;

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use crate::sources::Identifiers;

/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// A secret of 24 to 64 bytes. Never shown but by [`WebhookSecret::text`].
#[derive(Clone)]
pub struct WebhookSecret(SecretSlice<u8>);

impl WebhookSecret {
    /// A new one of 32 bytes.
    #[must_use]
    pub fn generate(ids: &Identifiers) -> Self {
        Self::of_bytes([ids.next().into_bytes(), ids.next().into_bytes()].concat())
    }

    /// From its bytes.
    #[must_use]
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// From its bytes, which were secret before.
    #[must_use]
    pub fn of_secret(bytes: SecretSlice<u8>) -> Self {
        Self(bytes)
    }

    /// As its owner gets it: `whsec_` and the bytes in base64.
    #[must_use]
    pub fn text(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.bytes())).into()
    }

    /// Its bytes, to be stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

/// The secrets of an account that are in force: the present one, and for a while the one before.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The present one.
    pub present: WebhookSecret,
    /// The one before, while it is in force.
    pub previous: Option<WebhookSecret>,
}

impl Secrets {
    /// The header `webhook-signature`: of each secret `v1,` and the HMAC-SHA256 of id, time and body, parted by a space.
    #[must_use]
    pub fn sign(&self, id: &str, unix_time: i64, body: &[u8]) -> String {
        let signatures = std::iter::once(&self.present).chain(&self.previous).map(|secret| {
            let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()));
            context.update(format!("{id}.{unix_time}.").as_bytes());
            context.update(body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::of_bytes(STANDARD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap())
    }

    #[test]
    fn the_published_example_is_signed_as_published() {
        // The example of the specification of Standard Webhooks.
        let present = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, time, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        let secrets = Secrets { present: present.clone(), previous: None };
        assert_eq!(secrets.sign(id, time, body), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = Secrets { present: WebhookSecret::of_bytes(vec![7; 32]), previous: Some(present) };
        let header = both.sign(id, time, body);
        assert!(header.ends_with(" v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), "{header}");
        assert_eq!(header.matches("v1,").count(), 2);
    }

    #[test]
    fn a_secret_is_shown_on_purpose_only() {
        let ids = Identifiers::random();
        let (one, other) = (WebhookSecret::generate(&ids), WebhookSecret::generate(&ids));
        assert_ne!(one.bytes(), other.bytes());
        assert_eq!(secret(one.text().expose_secret()).bytes(), one.bytes());
        assert_eq!(format!("{one:?}"), "WebhookSecret");
    }
}
