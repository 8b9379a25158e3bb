//! Tokens that were taken back before their end, held in memory so that checking a token asks nobody.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::claims::{AccountId, Caller, NumericDate, UserId};

/// Which tokens of an account a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The one with this `jti`.
    Token(String),
    /// All of a user.
    User(UserId),
    /// All that were given to an integration.
    Client(Uuid),
}

/// Tokens that are not to be believed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The account whose tokens they are.
    pub account: AccountId,
    /// Which of them.
    pub subject: Subject,
    /// Those that were issued by then, microseconds since 1970. A token that does not say when it was issued counts as older. For
    /// [`Subject::Token`] it does not matter.
    pub issued_until: i64,
    /// When the last of them has expired, seconds since 1970.
    pub kept_until: i64,
}

/// Every revocation in force, as far as this server knows.
#[derive(Debug)]
pub struct Revocations {
    known: RwLock<HashMap<(AccountId, Subject), Times>>,
    heard: Mutex<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    issued_until: i64,
    kept_until: i64,
}

impl Default for Revocations {
    fn default() -> Self {
        Self { known: RwLock::default(), heard: Mutex::new(Instant::now()) }
    }
}

impl Revocations {
    /// Adds some.
    pub fn add(&self, revocations: impl IntoIterator<Item = Revocation>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for new in revocations {
            let times = Times { issued_until: new.issued_until, kept_until: new.kept_until };
            known
                .entry((new.account, new.subject))
                .and_modify(|before| {
                    before.issued_until = before.issued_until.max(times.issued_until);
                    before.kept_until = before.kept_until.max(times.kept_until);
                })
                .or_insert(times);
        }
    }

    /// Forgets those whose tokens have all expired at `now`.
    pub fn forget_expired(&self, now: i64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, times| times.kept_until > now);
    }

    /// Notes that the database was just asked for what is new.
    pub fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Time since the database was last asked.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Whether a token of this caller was revoked.
    pub(super) fn cover(&self, caller: &Caller, jti: Option<&str>, issued: Option<NumericDate>) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.is_empty() {
            return false;
        }
        let of = |subject| known.get(&(caller.account, subject));
        let before = |times: &Times| issued.is_none_or(|issued| issued.may_be_by(times.issued_until));
        jti.is_some_and(|jti| of(Subject::Token(jti.to_owned())).is_some())
            || of(Subject::User(caller.user)).is_some_and(before)
            || caller.client.is_some_and(|client| of(Subject::Client(client)).is_some_and(before))
    }
}
