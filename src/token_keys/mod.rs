//! The keys of tokens while the service runs: who looks for changed files, who fetches the sets of others, and our own set.

pub mod api;
mod remote;

use std::sync::Arc;
use std::time::Duration;

pub use remote::{Remote, RemoteError};

use crate::auth::Keyring;
use crate::background::Stop;

/// Time between two looks at the files of keys.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the keys anew when their files have changed, until it is asked to stop.
pub async fn watch(keyring: Arc<Keyring>, mut stop: Stop) {
    while !stop.within(PAUSE).await {
        keyring.reload_if_changed();
    }
}
