//! The end of a wait: the state changes and the event is written, in one transaction. It happens once.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::store::{self, Continuation};
use super::{Bot, BotResult, BotType, CONTINUED, ContinueId, EXPIRED, FAILED};
use crate::auth::{AccountId, Caller, UserId};
use crate::database::{Connection, Failure, Pool};
use crate::delivery::{self, Event, Receiver};

/// Ends a wait with the widget's answer; `false` when nobody waits.
///
/// # Errors
///
/// When the database fails.
pub async fn proceed(
    connection: &mut Connection,
    caller: &Caller,
    bot: Bot,
    id: ContinueId,
    result: &BotResult,
) -> Result<bool, Failure> {
    let Some(record) = store::proceed(connection, caller, bot, id, result).await? else { return Ok(false) };
    delivery::store::enqueue(connection, &[event(&record, CONTINUED)?]).await?;
    Ok(true)
}

/// Ends a wait because widget or engine gave up; `false` when nobody waits.
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
) -> Result<bool, Failure> {
    let Some(record) = store::fail(connection, account, user, id, reason).await? else { return Ok(false) };
    delivery::store::enqueue(connection, &[event(&record, FAILED)?]).await?;
    Ok(true)
}

/// [`fail`] in a transaction of its own.
///
/// # Errors
///
/// When the database fails.
pub async fn fail_alone(pool: &Pool, caller: &Caller, id: ContinueId, reason: &str) -> Result<bool, Failure> {
    let mut transaction = pool.begin_for(caller.account).await?;
    let failed = fail(&mut transaction, caller.account, Some(caller.user), id, reason).await?;
    transaction.commit().await?;
    Ok(failed)
}

/// Ends at most `most` waits whose deadline has passed, and tells how many.
///
/// # Errors
///
/// When the database fails.
pub async fn expire(connection: &mut Connection, most: i64) -> Result<usize, Failure> {
    let records = store::expire(connection, most).await?;
    let events: Vec<_> = records.iter().map(|record| event(record, EXPIRED)).collect::<Result<_, _>>()?;
    if !events.is_empty() {
        delivery::store::enqueue(connection, &events).await?;
    }
    Ok(events.len())
}

/// What the engine gets.
#[derive(Debug, Serialize)]
struct EventBody<'a> {
    r#type: &'static str,
    #[serde(with = "time::serde::rfc3339::option")]
    timestamp: Option<OffsetDateTime>,
    account_id: i64,
    continue_id: i64,
    reference: Option<&'a str>,
    bot_type: BotType,
    bot_id: i64,
    widget_code: &'a str,
    entity: EntityBody<'a>,
    closed_by_user_id: Option<i64>,
    failure: Option<&'a str>,
    data: Option<&'a RawValue>,
    execute_handlers: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
struct EntityBody<'a> {
    r#type: &'a str,
    id: i64,
}

/// The event that tells of the end of a wait, with the bytes that the widget sent.
fn event(record: &Continuation, kind: &'static str) -> Result<Event, Failure> {
    let body = EventBody {
        r#type: kind,
        timestamp: record.closed_at,
        account_id: record.account.get(),
        continue_id: record.id.0,
        reference: record.reference.as_deref(),
        bot_type: record.bot.kind,
        bot_id: record.bot.id,
        widget_code: &record.widget_code,
        entity: EntityBody { r#type: &record.entity_type, id: record.entity_id },
        closed_by_user_id: record.closed_by_user_id,
        failure: record.failure.as_deref(),
        data: record.data()?,
        execute_handlers: record.execute_handlers()?,
    };
    let payload = serde_json::to_vec(&body).map_err(|why| record.corrupt(why.to_string()))?;
    Ok(Event {
        account: record.account,
        lane: format!("{}/{}", record.bot.kind.as_str(), record.bot.id),
        kind,
        subject: record.id.0,
        receiver: record.callback_url.clone().map_or(Receiver::Pull, Receiver::Push),
        payload: Some(payload),
    })
}
