//! The SQL of answers to bots that wait, a function per statement; both call a function of the database's
//! (`migrations/V19__single_calls.sql`). Every time is the database's.

use sqlx::Row as _;
use time::OffsetDateTime;

use super::{Key, Outcome};
use crate::auth::{AccountId, Caller};
use crate::continuations::{Bot, BotResult, ContinueId};
use crate::database::{Failure, Pool};
use crate::delivery::Event;

/// What is known before a wait is ended.
#[derive(Debug)]
pub struct Look {
    /// The digest of the request that has claimed the idempotency key within the last 24 hours.
    pub claimed_by: Option<Vec<u8>>,
    /// What waits.
    pub waiting: Option<Waiting>,
}

/// What the event says of a record at which a bot waits. None of it changes as long as it waits.
#[derive(Debug)]
pub struct Waiting {
    /// The widget that it waits for.
    pub widget_code: String,
    /// What the bot works on.
    pub entity_type: String,
    /// Its number.
    pub entity_id: i64,
    /// The engine's own name for this wait.
    pub reference: Option<String>,
    /// Where its event is pushed to.
    pub callback_url: Option<String>,
    /// When it was seen to wait.
    pub seen_at: OffsetDateTime,
}

/// Looks whether a bot waits at a record, and who has claimed the key, if there is one, both at the same moment.
///
/// # Errors
///
/// When the database fails.
pub async fn look(
    pool: &Pool,
    account: AccountId,
    bot: Bot,
    id: ContinueId,
    key: Option<&str>,
) -> Result<Look, Failure> {
    let row = sqlx::query(
        "SELECT claimed_by, code, entity_type, entity_id, reference, callback_url, seen_at \
         FROM waiting_continuation($1::bigint, $2::text, $3::bigint, $4::bigint, $5::text)",
    )
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .bind(key)
    .fetch_one(&mut *pool.alone().await?)
    .await?;
    let waiting = match row.try_get("code")? {
        None => None,
        Some(widget_code) => Some(Waiting {
            widget_code,
            entity_type: row.try_get("entity_type")?,
            entity_id: row.try_get("entity_id")?,
            reference: row.try_get("reference")?,
            callback_url: row.try_get("callback_url")?,
            seen_at: row.try_get("seen_at")?,
        }),
    };
    Ok(Look { claimed_by: row.try_get("claimed_by")?, waiting })
}

/// Ends the waiting of a record, as of when it was seen to wait, writes its event, claims the key, and commits that.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn proceed(
    pool: &Pool,
    caller: &Caller,
    (bot, id): (Bot, ContinueId),
    waiting: &Waiting,
    result: &BotResult,
    key: Option<Key<'_>>,
    event: &Event,
) -> Result<Outcome, Failure> {
    let outcome: String = sqlx::query_scalar(
        "SELECT continue_bot($1::bigint, $2::text, $3::bigint, $4::bigint, $5::timestamptz, $6::bigint, $7::bytea, $8::bytea, \
         $9::text, $10::bytea, $11::text, $12::text, $13::text, $14::text, $15::bytea, $16::bigint)",
    )
    .bind(caller.account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .bind(waiting.seen_at)
    .bind(caller.user.get())
    .bind(result.data.as_ref().map(|data| data.get().as_bytes()))
    .bind(result.execute_handlers.as_ref().map(|handlers| handlers.get().as_bytes()))
    .bind(key.map(|key| key.text))
    .bind(key.as_ref().map(|key| key.digest.0.as_slice()))
    .bind(event.receiver.way().as_str())
    .bind(&event.lane)
    .bind(event.kind)
    .bind(event.receiver.address())
    .bind(event.payload.as_deref())
    .bind(event.receiver.patience())
    .fetch_one(&mut *pool.alone().await?)
    .await?;
    match outcome.as_str() {
        "continued" => Ok(Outcome::Continued),
        "repeated" => Ok(Outcome::Repeated),
        "not_waiting" => Ok(Outcome::NotWaiting),
        "key_reused" => Ok(Outcome::KeyReused),
        other => Err(Failure::Corrupt {
            table: "continuations",
            row: format!("{}, {id}", caller.account),
            why: format!("`{other}` is nothing that comes of an answer"),
        }),
    }
}
