//! OAuth integrations: what their owners say about them, and the secrets that they sign with.

pub mod api;
pub mod changes;
pub mod secrets;
pub mod store;

use secrecy::SecretString;

/// The secrets of an integration that are valid now.
#[derive(Debug)]
pub struct ValidSecrets {
    /// The newest: the one to sign with.
    pub newest: SecretString,
    /// The one before, while its time is not over: what is signed with it is still to be believed.
    pub old: Option<SecretString>,
}
