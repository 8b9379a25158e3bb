//! The widget's answer to a bot that waits, in two ways to the database and back: what waits there is looked at, and then the wait is ended
//! if it still lasts, with its event, which is made in between. An `Idempotency-Key` is how a client whose answer was lost finds out what came
//! of its request.

pub mod store;

use store::Look;

use super::{Bot, BotResult, ContinueId, close};
use crate::auth::Caller;
use crate::database::{Failure, Pool};
use crate::digest::Sha256;

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The bot goes on.
    Continued,
    /// The same request has done it before.
    Repeated,
    /// No bot waits at the record.
    NotWaiting,
    /// Another request has used the idempotency key.
    KeyReused,
}

/// An idempotency key, and the digest of everything that makes the request what it is.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// 1 to 128 characters.
    pub text: &'a str,
    /// Of bot, record and body.
    pub digest: Sha256,
}

/// Ends a wait with the widget's answer, by what was seen when it was looked at: the record is continued, its event written and the key
/// claimed, or nothing of it.
///
/// # Errors
///
/// When the database fails.
pub async fn proceed(
    pool: &Pool,
    caller: &Caller,
    (bot, id): (Bot, ContinueId),
    seen: &Look,
    result: &BotResult,
    key: Option<Key<'_>>,
) -> Result<Outcome, Failure> {
    // First: the record does not wait any more when the same request has been here before.
    if let (Some(key), Some(claimed)) = (key, &seen.claimed_by) {
        return Ok(if *claimed == key.digest.0 { Outcome::Repeated } else { Outcome::KeyReused });
    }
    let Some(waiting) = &seen.waiting else { return Ok(Outcome::NotWaiting) };
    let event = close::continued(caller, bot, id, waiting, result)?;
    store::proceed(pool, caller, (bot, id), waiting, result, key, &event).await
}
