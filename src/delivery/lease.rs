//! An event that somebody has taken for a while, and what they say about it.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::schedule::Next;
use super::{DeliveryId, Outcome, Way};
use crate::auth::AccountId;

/// Bytes of an answer that are kept.
pub const KEPT_ANSWER: usize = 1_024;

/// What names a lease: only who knows the token of the present one may say how the try ended.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The account.
    pub account: AccountId,
    /// The delivery.
    pub id: DeliveryId,
    /// How it gets there.
    pub way: Way,
    /// Its queue.
    pub lane: String,
    /// The fence.
    pub token: Uuid,
}

/// A leased event.
#[derive(Debug)]
pub struct Leased {
    /// What it is finished with.
    pub lease: Lease,
    /// What happened.
    pub kind: String,
    /// The row that it tells of.
    pub subject: i64,
    /// Where to; `None` when the receiver fetches.
    pub address: Option<String>,
    /// What the receiver gets; `None` for a call.
    pub payload: Option<Vec<u8>>,
    /// The number of this try, from 1.
    pub attempt: u32,
    /// Whether the try before was abandoned.
    pub abandoned: bool,
    /// When the event was accepted.
    pub created_at: OffsetDateTime,
    /// When the lease ends.
    pub until: OffsetDateTime,
}

/// How a try ended, and what follows.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The answer's first bytes, at most [`KEPT_ANSWER`].
    pub answer: Option<Vec<u8>>,
    /// What went wrong, in a sentence.
    pub error: Option<String>,
    /// What follows.
    pub next: Next,
}

impl Report {
    /// A try that ended without an answer of its own: an `ack`, a `nack`, or one that was not begun.
    #[must_use]
    pub fn plain(outcome: Outcome, next: Next) -> Self {
        Self { outcome, status: None, answer: None, error: None, next }
    }
}

/// What became of a delivery whose try was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It is over.
    Closed {
        /// From acceptance to this end.
        after: Duration,
        /// Whether the tries were given up.
        dead: bool,
    },
    /// It is tried again.
    Again,
    /// The lease was over: nothing has changed.
    Stale,
}
