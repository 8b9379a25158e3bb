//! Tokens: which keys sign them, what they claim, how they are issued and checked. Knows nothing of HTTP.

mod check;
mod checked;
mod claims;
mod jwks;
mod keyring;
mod keys;
mod retired;
mod revoked;
mod signing;
mod widget_token;

pub use check::{Refusal, check};
pub use checked::Checked;
pub(crate) use claims::decimal_id;
pub use claims::{AccountId, Caller, Claims, MOST_LIFETIME, Role, Scope, Scopes, UserId};
pub use jwks::{PublicKey, PublicKeySet};
pub use keyring::{Keyring, KeyringError, Keys};
pub use keys::{KeyAlgorithm, KeyError, KeySource, VerificationKey, Verifier};
pub use retired::{Prepared, Rotation, prepare, retired, rotate, withdraw};
pub use revoked::{Revocation, Revocations, Subject};
pub use signing::{Issue, SigningKey, SigningKeyError};
pub use widget_token::{ShortSecret, WidgetCall, WidgetClaims, WidgetSecret};
