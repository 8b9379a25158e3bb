//! Fetching the key sets of others.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::Keyring;
use crate::background::Stop;
use crate::outgoing::{Client, ClientError, Policy, Refused, Target};

/// Time between two fetches that nobody asks for.
const PAUSE: Duration = Duration::from_mins(10);

/// The same after one that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_mins(1);

/// Time for one set.
const TIME: Duration = Duration::from_secs(4);

/// Bytes of a set are fewer than this, which is all that the client reads.
const SIZE: usize = 64 * 1024;

/// Key sets that cannot be fetched by any means.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// An address is not called.
    #[error("verification_keys: the address {url} {why}")]
    Refused {
        /// The address.
        url: String,
        /// Why.
        why: Refused,
    },
    /// Calls to others cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The key sets of others, and how they are fetched.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    sets: Vec<Target>,
    keyring: Arc<Keyring>,
}

impl Remote {
    /// Makes ready; nothing is fetched yet. The addresses are https, or lead to this machine where the policy allows that: keys that
    /// somebody could change on the way would let everybody in.
    ///
    /// # Errors
    ///
    /// When an address is not called.
    pub fn new(keyring: Arc<Keyring>, policy: Policy) -> Result<Self, RemoteError> {
        let policy = Policy { http: false, ..policy };
        let parse = |url: String| Target::parse(&url, &policy).map_err(|why| RemoteError::Refused { url, why });
        let sets = keyring.urls().into_iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { client: Client::new(policy)?, sets, keyring })
    }

    /// Whether there is nothing to fetch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Fetches every set, all at once; whether all of them came. What does not come is told in the log, and the keys that came before count
    /// on until they are a day old.
    pub async fn fetch(&self) -> bool {
        let all = futures_util::future::join_all(self.sets.iter().map(|set| self.fetch_one(set))).await;
        self.keyring.answer();
        all.into_iter().all(|came| came)
    }

    async fn fetch_one(&self, set: &Target) -> bool {
        let outcome = match self.client.get(set, TIME).await {
            Ok(answer) if answer.status != 200 => Err(format!("the status is {}", answer.status)),
            Ok(answer) if answer.body.len() >= SIZE => Err(format!("it has {SIZE} bytes or more")),
            Ok(answer) => self.keyring.fetched(set.as_str(), &answer.body).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &outcome {
            tracing::error!(url = set.as_str(), why, "a key set could not be fetched; its keys before count for a day");
        }
        outcome.is_ok()
    }

    /// Fetches the sets now and then, and when a token names a key that nobody knows, until it is asked to stop.
    pub async fn keep(self: Arc<Self>, mut stop: Stop) {
        let mut questions = self.keyring.questions();
        let mut pause = PAUSE;
        loop {
            tokio::select! {
                () = stop.asked() => return,
                // The keyring, which asks, lives as long as this.
                _ = questions.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = if self.fetch().await { PAUSE } else { PAUSE_AFTER_FAILURE };
        }
    }
}
