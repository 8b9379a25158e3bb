//! The SQL of continuations, a function per statement. Every statement names the account; every time is the database's.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use super::opening::Opening;
use super::{Bot, BotResult, BotType, ContinueId, State};
use crate::auth::{AccountId, Caller};
use crate::catalogue::WidgetId;
use crate::database::{Failure, Pool};

/// A record as the engine sees it.
#[derive(Debug)]
pub struct Continuation {
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
}

/// The columns that [`continuation`] reads, from `continuations c` joined with `widgets w`.
macro_rules! continuation_columns {
    () => {
        "c.id, c.bot_type, c.bot_id, w.code, c.entity_type, c.entity_id, c.reference, \
         CASE WHEN c.state = 'waiting' AND c.expires_at <= now() THEN 'expired' ELSE c.state END AS state, \
         c.opened_at, c.expires_at, c.closed_at, c.closed_by_user_id, c.data, c.execute_handlers"
    };
}

fn continuation(row: &PgRow) -> Result<Continuation, Failure> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |why: String| Failure::Corrupt { table: "continuations", row: id.to_string(), why };
    let (kind, state): (&str, &str) = (row.try_get("bot_type")?, row.try_get("state")?);
    Ok(Continuation {
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
    })
}

/// Opens a record and tells its number and deadline; `None` when the bot has one with the same reference, or the widget was deleted
/// meanwhile.
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
) -> Result<Option<(ContinueId, OffsetDateTime)>, Failure> {
    let row = sqlx::query(
        "INSERT INTO continuations (account_id, bot_type, bot_id, widget_id, entity_type, entity_id, reference, expires_at) \
         SELECT $1, $2, $3, w.id, $5, $6, $7, now() + make_interval(secs => $8::bigint::double precision) \
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
    .fetch_optional(pool)
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
    .fetch_optional(pool)
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
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(continuation).transpose()
}

/// Whether a bot waits at this record.
///
/// # Errors
///
/// When the database fails.
pub async fn is_waiting(pool: &Pool, account: AccountId, bot: Bot, id: ContinueId) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM continuations WHERE account_id = $1 AND bot_type = $2 AND bot_id = $3 AND id = $4 \
         AND state = 'waiting' AND expires_at > now())",
    )
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .fetch_one(pool)
    .await?)
}

/// Ends the waiting of a record with the widget's answer; `false` when it does not wait.
///
/// # Errors
///
/// When the database fails.
pub async fn proceed(
    connection: &mut PgConnection,
    caller: &Caller,
    bot: Bot,
    id: ContinueId,
    result: &BotResult,
) -> Result<bool, Failure> {
    let done = sqlx::query(
        "UPDATE continuations SET state = 'continued', closed_at = now(), closed_by_user_id = $5, data = $6, execute_handlers = $7 \
         WHERE account_id = $1 AND bot_type = $2 AND bot_id = $3 AND id = $4 AND state = 'waiting' AND expires_at > now()",
    )
    .bind(caller.account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .bind(caller.user.get())
    .bind(result.data.as_ref().map(|data| data.get().as_bytes()))
    .bind(result.execute_handlers.as_ref().map(|handlers| handlers.get().as_bytes()))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Claims an idempotency key for a request; `false` when it was claimed within the last 24 hours. A claim that another
/// transaction has not committed yet is waited for.
///
/// # Errors
///
/// When the database fails.
pub async fn claim_key(
    connection: &mut PgConnection,
    account: AccountId,
    key: &str,
    digest: &[u8],
) -> Result<bool, Failure> {
    let done = sqlx::query(
        "INSERT INTO idempotency_keys AS k (account_id, key, request_sha256) VALUES ($1, $2, $3) \
         ON CONFLICT ON CONSTRAINT idempotency_keys_pkey \
         DO UPDATE SET request_sha256 = excluded.request_sha256, created_at = excluded.created_at \
         WHERE k.created_at <= excluded.created_at - interval '24 hours'",
    )
    .bind(account.get())
    .bind(key)
    .bind(digest)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The digest of the request that claimed a key.
///
/// # Errors
///
/// When the database fails.
pub async fn claimed_digest(
    connection: &mut PgConnection,
    account: AccountId,
    key: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    Ok(sqlx::query_scalar("SELECT request_sha256 FROM idempotency_keys WHERE account_id = $1 AND key = $2")
        .bind(account.get())
        .bind(key)
        .fetch_optional(connection)
        .await?)
}

/// Forgets some of the account's keys that are older than 24 hours, so that the table does not grow for ever.
///
/// # Errors
///
/// When the database fails.
pub async fn forget_keys(connection: &mut PgConnection, account: AccountId) -> Result<(), Failure> {
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE account_id = $1 AND key IN (SELECT key FROM idempotency_keys \
         WHERE account_id = $1 AND created_at <= now() - interval '24 hours' ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED)",
    )
    .bind(account.get())
    .execute(connection)
    .await?;
    Ok(())
}
