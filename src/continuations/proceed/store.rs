//! The SQL of answers to bots that wait, a function per statement. Every time is the database's.

use sqlx::Row as _;

use super::{Key, Outcome};
use crate::auth::{AccountId, Caller};
use crate::continuations::close::Continued;
use crate::continuations::{Bot, BotResult, ContinueId};
use crate::database::{Failure, Lone, Pool};
use crate::delivery::Way;

/// Whether a bot waits at a record.
///
/// # Errors
///
/// When the database fails.
pub async fn is_waiting(pool: &Pool, account: AccountId, bot: Bot, id: ContinueId) -> Result<bool, Failure> {
    let found = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM continuations \
         WHERE account_id = $1 AND bot_type = $2 AND bot_id = $3 AND id = $4 AND state = 'waiting' AND expires_at > now())",
    )
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .fetch_one(&mut *pool.begin_for(account).await?)
    .await?;
    Ok(found)
}

/// Ends the waiting of a record, writes its event, claims the key, and commits that; all by a function of the database's
/// (`migrations/V20__continue_at_once.sql`).
///
/// # Errors
///
/// When the database fails.
pub(super) fn proceed(
    mut connection: Lone,
    caller: &Caller,
    (bot, id): (Bot, ContinueId),
    result: BotResult,
    key: Option<Key>,
    event: Continued,
) -> impl Future<Output = Result<Outcome, Failure>> + Send + use<> {
    let account = caller.account;
    let query = sqlx::query(
        "SELECT outcome, is_pushed FROM answer_bot($1::bigint, $2::text, $3::bigint, $4::bigint, $5::bigint, $6::bytea, $7::bytea, \
         $8::text, $9::bytea, $10::text, $11::text, $12::bytea[], $13::bigint, $14::bigint)",
    )
    .bind(account.get())
    .bind(bot.kind.as_str())
    .bind(bot.id)
    .bind(id.0)
    .bind(caller.user.get())
    .bind(result.data.map(|data| String::from(Box::<str>::from(data)).into_bytes()))
    .bind(result.execute_handlers.map(|handlers| String::from(Box::<str>::from(handlers)).into_bytes()));
    let (key, digest) = key.map(|key| (key.text, key.digest.0.to_vec())).unzip();
    let query = query
        .bind(key)
        .bind(digest)
        .bind(event.lane)
        .bind(event.kind)
        .bind(event.parts)
        .bind(Way::Push.patience())
        .bind(Way::Pull.patience());
    async move {
        let row = query.fetch_one(&mut *connection).await?;
        match row.try_get("outcome")? {
            "continued" => Ok(Outcome::Continued { is_pushed: row.try_get("is_pushed")? }),
            "repeated" => Ok(Outcome::Repeated),
            "not_waiting" => Ok(Outcome::NotWaiting),
            "key_reused" => Ok(Outcome::KeyReused),
            other => Err(Failure::Corrupt {
                table: "continuations",
                row: format!("{account}, {id}"),
                why: format!("`{other}` is nothing that comes of an answer"),
            }),
        }
    }
}
