//! The SQL of continuations, a function per statement. Every statement names the account; every time is the database's.

use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::opening::Opening;
use super::{Bot, BotType, CALL, ContinueId, State};
use crate::auth::{AccountId, Caller, UserId};
use crate::catalogue::WidgetId;
use crate::database::{Connection, Failure, Pool};
use crate::delivery::{self, Event, Receiver};

/// A record as the engine sees it.
#[derive(Debug)]
pub struct Continuation {
    /// The account that the bot belongs to.
    pub account: AccountId,
    /// Its number.
    pub id: ContinueId,
    /// The bot that waits.
    pub bot: Bot,
    /// The widget that it waits for.
    pub widget_code: String,
    /// What the bot works on.
    pub entity_type: String,
    /// Its number.
    pub entity_id: i64,
    /// The engine's own name for this wait.
    pub reference: Option<String>,
    /// Where it stands now: past its deadline a record counts as expired.
    pub state: State,
    /// When the bot began to wait.
    pub opened_at: OffsetDateTime,
    /// The deadline.
    pub expires_at: OffsetDateTime,
    /// When `waiting` was left.
    pub closed_at: Option<OffsetDateTime>,
    /// Who continued it.
    pub closed_by_user_id: Option<i64>,
    /// The bytes of `data`.
    pub data: Option<Vec<u8>>,
    /// The bytes of `execute_handlers`.
    pub execute_handlers: Option<Vec<u8>>,
    /// Why it failed.
    pub failure: Option<String>,
    /// Where its event is pushed to.
    pub callback_url: Option<String>,
}

impl Continuation {
    /// What the widget sent, as it came.
    ///
    /// # Errors
    ///
    /// When the row holds something else.
    pub fn data(&self) -> Result<Option<&RawValue>, Failure> {
        self.raw("data", self.data.as_deref())
    }

    /// The blocks that the bot is to run, as they came.
    ///
    /// # Errors
    ///
    /// When the row holds something else.
    pub fn execute_handlers(&self) -> Result<Option<&RawValue>, Failure> {
        self.raw("execute_handlers", self.execute_handlers.as_deref())
    }

    fn raw<'a>(&self, column: &str, bytes: Option<&'a [u8]>) -> Result<Option<&'a RawValue>, Failure> {
        let parse = |bytes| serde_json::from_slice(bytes);
        bytes.map(parse).transpose().map_err(|why| self.corrupt(format!("{column}: {why}")))
    }

    /// Says that this row cannot be used.
    #[must_use]
    pub fn corrupt(&self, why: String) -> Failure {
        Failure::Corrupt { table: "continuations", row: format!("{}, {}", self.account, self.id), why }
    }
}

/// The columns that [`continuation`] reads, but for what the widget sent, from `continuations c` joined with `widgets w`.
macro_rules! record_columns {
    () => {
        "c.account_id, c.id, c.bot_type, c.bot_id, w.code, c.entity_type, c.entity_id, c.reference, \
         CASE WHEN c.state = 'waiting' AND c.expires_at <= now() THEN 'expired' ELSE c.state END AS state, \
         c.opened_at, c.expires_at, c.closed_at, c.closed_by_user_id, c.failure, c.callback_url"
    };
}
pub(super) use record_columns;

/// All columns that [`continuation`] reads.
macro_rules! continuation_columns {
    () => {
        concat!(record_columns!(), ", c.data, c.execute_handlers")
    };
}

/// Reads a record from a row.
pub(super) fn continuation(row: &PgRow) -> Result<Continuation, Failure> {
    let (account, id): (i64, i64) = (row.try_get("account_id")?, row.try_get("id")?);
    let corrupt = |why: String| Failure::Corrupt { table: "continuations", row: format!("{account}, {id}"), why };
    let (kind, state): (&str, &str) = (row.try_get("bot_type")?, row.try_get("state")?);
    Ok(Continuation {
        account: AccountId::new(account).ok_or_else(|| corrupt("account_id".to_owned()))?,
        id: ContinueId(id),
        bot: Bot { kind: kind.parse::<BotType>().map_err(corrupt)?, id: row.try_get("bot_id")? },
        widget_code: row.try_get("code")?,
        entity_type: row.try_get("entity_type")?,
        entity_id: row.try_get("entity_id")?,
        reference: row.try_get("reference")?,
        state: state.parse().map_err(corrupt)?,
        opened_at: row.try_get("opened_at")?,
        expires_at: row.try_get("expires_at")?,
        closed_at: row.try_get("closed_at")?,
        closed_by_user_id: row.try_get("closed_by_user_id")?,
        data: row.try_get("data")?,
        execute_handlers: row.try_get("execute_handlers")?,
        failure: row.try_get("failure")?,
        callback_url: row.try_get("callback_url")?,
    })
}

/// Opens a record and orders the call to the widget, and tells the record's number and deadline; `None` when the bot has one with
/// the same reference, or the widget was deleted meanwhile. `origin` is what the service signs as its own address.
///
/// # Errors
///
/// When the database fails.
pub async fn open(
    pool: &Pool,
    account: AccountId,
    bot: Bot,
    widget: WidgetId,
    opening: &Opening,
    origin: Option<&str>,
) -> Result<Option<(ContinueId, OffsetDateTime)>, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let opened = insert(&mut transaction, account, bot, widget, opening, origin).await?;
    if let (Some((id, _)), Some(request)) = (&opened, &opening.request) {
        let call = Event {
            account,
            lane: format!("continuation/{id}"),
            kind: CALL,
            subject: id.0,
            receiver: Receiver::Call(request.url.clone()),
            payload: None,
        };
        delivery::store::enqueue(&mut transaction, &[call]).await?;
    }
    transaction.commit().await?;
    Ok(opened)
}

async fn insert(
    connection: &mut Connection,
    account: AccountId,
    bot: Bot,
    widget: WidgetId,
    opening: &Opening,
    origin: Option<&str>,
) -> Result<Option<(ContinueId, OffsetDateTime)>, Failure> {
    let request = opening.request.as_ref();
    let row = sqlx::query(
        "INSERT INTO continuations (account_id, bot_type, bot_id, widget_id, entity_type, entity_id, reference, expires_at, \
           callback_url, origin, request_url, request_data, request_encoding) \
         SELECT $1, $2, $3, w.id, $5, $6, $7, now() + make_interval(secs => $8::bigint::double precision), $9, $10, $11, $12, $13 \
         FROM widgets w WHERE w.id = $4 AND w.deleted_at IS NULL FOR KEY SHARE \
         ON CONFLICT (account_id, bot_type, bot_id, reference) WHERE reference IS NOT NULL DO NOTHING \
         RETURNING id, expires_at",
    )
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(widget.0)
    .bind(&opening.entity_type)
    .bind(opening.entity_id)
    .bind(&opening.reference)
    .bind(opening.timeout_seconds)
    .bind(&opening.callback_url)
    .bind(origin)
    .bind(request.map(|request| &request.url))
    .bind(request.and_then(|request| request.data.as_ref()).map(|data| data.get().as_bytes()))
    .bind(request.map(|request| request.encoding.as_str()))
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((ContinueId(row.try_get("id")?), row.try_get("expires_at")?))).transpose()
}

/// A record by its number.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, account: AccountId, id: ContinueId) -> Result<Option<Continuation>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        continuation_columns!(),
        " FROM continuations c JOIN widgets w ON w.id = c.widget_id WHERE c.account_id = $1 AND c.id = $2"
    ))
    .bind(account.get())
    .bind(id.0)
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(continuation).transpose()
}

/// A record by the engine's own reference.
///
/// # Errors
///
/// When the database fails.
pub async fn find_by_reference(
    pool: &Pool,
    account: AccountId,
    bot: Bot,
    reference: &str,
) -> Result<Option<Continuation>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        continuation_columns!(),
        " FROM continuations c JOIN widgets w ON w.id = c.widget_id \
         WHERE c.account_id = $1 AND c.bot_type = $2 AND c.bot_id = $3 AND c.reference = $4"
    ))
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(reference)
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(continuation).transpose()
}

/// Ends the waiting of a record because widget or engine gave up; `None` when it does not wait.
///
/// # Errors
///
/// When the database fails.
pub async fn fail(
    connection: &mut Connection,
    account: AccountId,
    user: Option<UserId>,
    id: ContinueId,
    reason: &str,
) -> Result<Option<Continuation>, Failure> {
    let row = sqlx::query(concat!(
        "UPDATE continuations c SET state = 'failed', closed_at = now(), closed_by_user_id = $3, failure = $4 \
         FROM widgets w WHERE c.account_id = $1 AND c.id = $2 AND c.state = 'waiting' AND c.expires_at > now() AND w.id = c.widget_id \
         RETURNING ",
        continuation_columns!()
    ))
    .bind(account.get())
    .bind(id.0)
    .bind(user.map(UserId::get))
    .bind(reason)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(continuation).transpose()
}

/// Ends the waiting of at most `most` records whose deadline has passed.
///
/// # Errors
///
/// When the database fails.
pub async fn expire(connection: &mut Connection, most: i64) -> Result<Vec<Continuation>, Failure> {
    let rows = sqlx::query(concat!(
        "WITH due AS ( \
           SELECT account_id, id FROM continuations WHERE state = 'waiting' AND expires_at <= now() \
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED \
         ) \
         UPDATE continuations c SET state = 'expired', closed_at = now() \
         FROM due, widgets w WHERE c.account_id = due.account_id AND c.id = due.id AND w.id = c.widget_id RETURNING ",
        continuation_columns!()
    ))
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(continuation).collect()
}

/// Takes a record back; `false` when it does not wait.
///
/// # Errors
///
/// When the database fails.
pub async fn cancel(pool: &Pool, caller: &Caller, id: ContinueId) -> Result<bool, Failure> {
    let mut transaction = pool.begin_for(caller.account).await?;
    let done = sqlx::query(
        "UPDATE continuations SET state = 'cancelled', closed_at = now(), closed_by_user_id = $3 \
         WHERE account_id = $1 AND id = $2 AND state = 'waiting' AND expires_at > now()",
    )
    .bind(caller.account.get())
    .bind(id.0)
    .bind(caller.user.get())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Sets the deadline of a record to so many seconds from now, and tells it; `None` when it does not wait.
///
/// # Errors
///
/// When the database fails.
pub async fn extend(
    pool: &Pool,
    account: AccountId,
    id: ContinueId,
    seconds: i64,
) -> Result<Option<OffsetDateTime>, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let done = sqlx::query_scalar(
        "UPDATE continuations SET expires_at = now() + make_interval(secs => $3::bigint::double precision) \
         WHERE account_id = $1 AND id = $2 AND state = 'waiting' AND expires_at > now() RETURNING expires_at",
    )
    .bind(account.get())
    .bind(id.0)
    .bind(seconds)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done)
}

/// Removes at most `batch` records that ended longer ago than `keep`, and tells how many.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_old(pool: &Pool, keep: Duration, batch: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let done = sqlx::query(
        "WITH old AS ( \
           SELECT account_id, id FROM continuations WHERE closed_at <= now() - make_interval(secs => $1) \
           ORDER BY closed_at LIMIT $2 FOR UPDATE SKIP LOCKED \
         ) \
         DELETE FROM continuations c USING old WHERE c.account_id = old.account_id AND c.id = old.id",
    )
    .bind(keep.as_secs_f64())
    .bind(batch)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
