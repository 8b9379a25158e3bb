//! The widget's answer to a bot that waits, in one way to the database and back: the wait is ended if it still lasts, with its event, which
//! is made before but for what only the record knows. An `Idempotency-Key` is how a client whose answer was lost finds out what came of its
//! request.

pub mod store;

use super::{Bot, BotResult, ContinueId, close};
use crate::auth::Caller;
use crate::background::Bell;
use crate::database::{self, Failure, Pool};
use crate::digest::Sha256;

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The bot goes on.
    Continued {
        /// Whether that is pushed to its engine, which fetches it otherwise.
        is_pushed: bool,
    },
    /// The same request has done it before.
    Repeated,
    /// No bot waits at the record.
    NotWaiting,
    /// Another request has used the idempotency key.
    KeyReused,
}

/// An idempotency key, and the digest of everything that makes the request what it is.
#[derive(Debug, Clone)]
pub struct Key {
    /// 1 to 128 characters.
    pub text: String,
    /// Of bot, record and body.
    pub digest: Sha256,
}

/// Ends a wait with the widget's answer: the record is continued, its event written and the key claimed, or nothing of it. Whoever the event
/// is for is told by the bell, also when nobody waits for what came of it any more.
///
/// # Errors
///
/// When the database fails.
pub async fn proceed(
    (pool, bell): (&Pool, &Bell),
    caller: &Caller,
    (bot, id): (Bot, ContinueId),
    result: BotResult,
    key: Option<Key>,
) -> Result<Outcome, Failure> {
    let event = close::continued(caller, bot, id, &result)?;
    let proceeding = store::proceed(pool.alone().await?, caller, (bot, id), result, key, event);
    let (bell, account) = (bell.clone(), caller.account.get());
    database::in_any_case(async move {
        let outcome = proceeding.await?;
        match outcome {
            Outcome::Continued { is_pushed: true } => bell.ring(),
            // Nobody else waits for it.
            Outcome::Continued { is_pushed: false } => bell.ring_for(account),
            Outcome::Repeated | Outcome::NotWaiting | Outcome::KeyReused => {}
        }
        Ok(outcome)
    })
    .await
}
