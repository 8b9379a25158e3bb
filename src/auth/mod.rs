//! Tokens: which keys sign them, what they claim, how they are issued and checked. Knows nothing of HTTP.

mod check;
mod claims;
mod keys;
mod signing;
mod widget_token;

pub use check::{Refusal, check};
pub(crate) use claims::decimal_id;
pub use claims::{AccountId, Caller, Claims, Role, Scope, UserId};
pub use keys::{KeyAlgorithm, KeyError, KeySource, VerificationKey, Verifier};
pub use signing::{Issue, SigningKey, SigningKeyError};
pub use widget_token::{ShortSecret, WidgetCall, WidgetClaims, WidgetSecret};
