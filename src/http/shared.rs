//! What every request shares: configuration, database, keys, clock, and the places that are taken while something is worked on.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as Ticks, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::places::Places;
use crate::auth::{AccountId, Caller, Keyring, Refusal, Revocations};
use crate::background::Bell;
use crate::config::Config;
use crate::database::{AccountWrites, Pool, Writes};
use crate::metrics::Metrics;
use crate::sealing::Sealing;
use crate::sources::{Clock, Identifiers, Secrets};

/// Archives that are read at once: reading one takes a processor and some memory.
const ARCHIVES_AT_ONCE: usize = 2;

/// One of so many places for requests may be taken by callers who wait for events.
const POLLS_SHARE: usize = 4;

/// Callers that the rate limiter remembers before it forgets those who have been quiet.
const REMEMBERED_CALLERS: usize = 100_000;

/// Wrong secrets that are answered as such at once, of ids that share a place.
const GUESSES: NonZeroU32 = match NonZeroU32::new(20) {
    Some(guesses) => guesses,
    None => NonZeroU32::MIN,
};

/// Places of ids of which wrong secrets are shown. However many ids somebody makes up, there are no more; that others share their place
/// does not matter, because a right secret passes.
const PLACES: u64 = 4_096;

/// What every request shares.
#[derive(Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub pool: Pool,
    /// Seals what is secret in it.
    pub sealing: Sealing,
    /// The keys of tokens.
    pub keyring: Arc<Keyring>,
    /// Tokens that were taken back.
    pub revocations: Arc<Revocations>,
    /// The time that tokens are checked against.
    pub clock: Clock,
    /// Request ids.
    pub ids: Identifiers,
    /// Secrets of integrations.
    pub secrets: Secrets,
    /// Places for requests.
    pub places: Places,
    /// Places for uploads.
    pub uploads: Arc<Semaphore>,
    /// Places for files that are being sent.
    pub downloads: Arc<Semaphore>,
    /// Places for reading archives.
    pub archives: Arc<Semaphore>,
    /// Where others reach this service, when that is known without asking a client: the public address, else the one that it
    /// listens on. What is signed names no other.
    pub own_origin: Option<String>,
    /// Places for callers who wait for events.
    pub polls: Arc<Semaphore>,
    /// Rung when there is something to deliver.
    pub bell: Bell,
    /// Transactions that change what the v4 API shows of the catalogue.
    pub catalogue_writes: Writes,
    /// Transactions that change what accounts have installed.
    pub install_writes: AccountWrites,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    rate: Option<Rate>,
    guesses: Guesses,
}

impl Shared {
    /// Puts it together.
    #[must_use]
    pub fn new(
        config: Config,
        (pool, sealing): (Pool, Sealing),
        keyring: Arc<Keyring>,
        clock: Clock,
        ids: Identifiers,
        secrets: Secrets,
        listens_on: SocketAddr,
    ) -> Self {
        let public = config.public_url.as_ref().map(|origin| origin.as_str().to_owned());
        let known = !listens_on.ip().is_unspecified();
        Self {
            own_origin: public.or_else(|| known.then(|| format!("http://{listens_on}"))),
            // So that those who wait leave most places to those who do not.
            polls: Arc::new(Semaphore::new((config.limits.requests / POLLS_SHARE).max(1))),
            places: Places::new(config.limits.requests, config.threads()),
            uploads: Arc::new(Semaphore::new(config.limits.uploads)),
            downloads: Arc::new(Semaphore::new(config.limits.downloads)),
            archives: Arc::new(Semaphore::new(ARCHIVES_AT_ONCE)),
            bell: Bell::default(),
            catalogue_writes: Writes::default(),
            install_writes: AccountWrites::default(),
            metrics: Arc::default(),
            rate: config.rate.map(Rate::new),
            guesses: Guesses::new(),
            config,
            pool,
            sealing,
            keyring,
            revocations: Arc::default(),
            clock,
            ids,
            secrets,
        }
    }

    /// Checks a token. For one whose key is not known the keys are looked for once more.
    ///
    /// # Errors
    ///
    /// The reason of the refusal, for the log only.
    pub async fn check(&self, token: &[u8]) -> Result<Caller, Refusal> {
        let check = || {
            let keys = self.keyring.keys();
            keys.checked.check(token, &keys.verifier, &self.revocations, &self.clock)
        };
        match check() {
            // Seldom, so not a part of what every request carries.
            Err(Refusal::UnknownKey) if Box::pin(self.keyring.look_again(token)).await => check(),
            checked => checked,
        }
    }

    /// Seconds that this caller must wait; `None` when the request may go on.
    #[must_use]
    pub fn wait_for_rate(&self, caller: &Caller) -> Option<u64> {
        self.rate.as_ref().and_then(|rate| rate.wait(caller))
    }

    /// Notes that a wrong secret of this integration was shown, whether there is such an integration or not. Seconds to wait when that
    /// happens too often; `None` otherwise.
    #[must_use]
    pub fn wait_after_wrong_secret(&self, client: Uuid) -> Option<u64> {
        self.guesses.wait(client)
    }
}

/// Requests per second of one account and integration.
#[derive(Debug)]
struct Rate(DefaultKeyedRateLimiter<(AccountId, Option<Uuid>)>);

impl Rate {
    fn new(per_second: NonZeroU32) -> Self {
        Self(RateLimiter::keyed(Quota::per_second(per_second)))
    }

    fn wait(&self, caller: &Caller) -> Option<u64> {
        if self.0.len() > REMEMBERED_CALLERS {
            self.0.retain_recent();
        }
        seconds(self.0.check_key(&(caller.account, caller.client)))
    }
}

/// Wrong secrets of integrations: so many at once, and as many a minute.
#[derive(Debug)]
struct Guesses {
    limiter: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
}

impl Guesses {
    fn new() -> Self {
        Self { limiter: RateLimiter::keyed(Quota::per_minute(GUESSES)), hasher: RandomState::new() }
    }

    fn wait(&self, client: Uuid) -> Option<u64> {
        seconds(self.limiter.check_key(&(self.hasher.hash_one(client) % PLACES)))
    }
}

/// Seconds until a limiter lets one pass that it has not; `None` when it has.
fn seconds(checked: Result<(), NotUntil<<DefaultClock as Ticks>::Instant>>) -> Option<u64> {
    let wait = checked.err()?.wait_time_from(DefaultClock::default().now());
    // Whole ones: who comes back a moment too early is refused again.
    Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
}
