//! Time and randomness, the two inputs of a program that its tests must be able to choose.

use std::fmt;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

/// Tells the wall-clock time. Used for the lifetime of tokens only: every time that is stored or compared in the database comes
/// from the database's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The clock of the operating system.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
    pub fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that a test sets.
    #[must_use]
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        (self.0)()
    }

    /// Seconds since 1970-01-01 UTC, as tokens count.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.now().unix_timestamp()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Makes identifiers that nobody can guess: request ids and token ids.
#[derive(Clone)]
pub struct Identifiers(Arc<dyn Fn() -> Uuid + Send + Sync>);

impl Identifiers {
    /// Random version 4 UUIDs from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(Uuid::new_v4))
    }

    /// A source that a test sets.
    #[must_use]
    pub fn new(next: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// The next identifier.
    #[must_use]
    pub fn next(&self) -> Uuid {
        (self.0)()
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifiers")
    }
}
