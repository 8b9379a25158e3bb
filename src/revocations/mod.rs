//! Taking tokens back before their end.
//!
//! A revocation is a row; every server holds all of them in memory and asks about once a second whether there are more, by one number
//! that each revocation counts up. So checking a token asks nobody, and a revocation is in force everywhere within seconds.

pub mod api;
pub mod store;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::{MOST_LIFETIME, Subject};
use crate::background::{Stop, in_batches};
use crate::database::{Failure, Pool};
use crate::http::shared::Shared;
use crate::sources::Clock;

/// Time between two looks for new revocations.
const PAUSE: Duration = Duration::from_secs(1);

/// Time between two looks for those that are over.
const OLD: Duration = Duration::from_mins(10);

/// Rows that are read or removed at once.
const BATCH: i64 = 500;

/// Single tokens of one account that are revoked at once, at most; likewise users, and integrations. Every server holds them in memory.
pub const MOST_OF_A_KIND: i64 = 10_000;

/// Seconds that a revocation is kept: the longest life of a token, and a minute for clocks that differ.
#[must_use]
pub fn kept() -> i64 {
    i64::try_from(MOST_LIFETIME.as_secs()).unwrap_or(i64::MAX).saturating_add(60)
}

/// What tokens are revoked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Their own id, `jti`.
    Token,
    /// Their user.
    User,
    /// The integration that they were given to.
    Client,
}

impl Kind {
    /// The kind of a subject, and its text in the database.
    #[must_use]
    pub fn of(subject: &Subject) -> (Self, String) {
        match subject {
            Subject::Token(jti) => (Self::Token, jti.clone()),
            Subject::User(user) => (Self::User, user.to_string()),
            Subject::Client(client) => (Self::Client, client.to_string()),
        }
    }

    /// As it stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::User => "user",
            Self::Client => "client",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Token, Self::User, Self::Client].into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no kind of revocation"))
    }
}

/// How far a server has read.
#[derive(Debug, Default)]
pub struct Polling {
    seen: i64,
}

impl Polling {
    /// Reads what is new.
    ///
    /// # Errors
    ///
    /// When the database fails; then what was read is known, and the rest is read next time.
    pub async fn poll(&mut self, shared: &Shared) -> Result<(), Failure> {
        let now = shared.clock.unix();
        let latest = store::version(&mut *shared.pool.catalogue().await?).await?;
        if latest < self.seen {
            // The database was put back to an earlier state.
            self.seen = 0;
        }
        while self.seen < latest {
            let mut transaction = shared.pool.begin_across_accounts().await?;
            let found = store::newer(&mut transaction, self.seen, now, BATCH).await?;
            let full = i64::try_from(found.len()) == Ok(BATCH);
            let last = found.last().map(|revoked| revoked.version);
            shared.revocations.add(found.into_iter().map(|revoked| revoked.revocation));
            self.seen = if full { last.unwrap_or(latest) } else { latest };
        }
        shared.revocations.heard();
        Ok(())
    }
}

/// Learns of new revocations until it is asked to stop.
pub async fn watch(shared: Arc<Shared>, mut stop: Stop) {
    let mut polling = Polling::default();
    loop {
        match polling.poll(&shared).await {
            Ok(()) => shared.revocations.forget_expired(shared.clock.unix()),
            Err(error) => tracing::warn!(%error, "new revocations cannot be looked for now"),
        }
        if stop.within(PAUSE).await {
            return;
        }
    }
}

/// Removes revocations that are over, until it is asked to stop.
pub async fn remove_old(pool: Pool, clock: Clock, stop: Stop) {
    in_batches("old revocations", BATCH, OLD, stop, |most| remove_some(&pool, &clock, most)).await;
}

/// One transaction of [`remove_old`]: how many revocations it removed, of at most so many.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_some(pool: &Pool, clock: &Clock, most: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let removed = store::remove_old(&mut transaction, clock.now(), most).await?;
    transaction.commit().await?;
    Ok(removed)
}
