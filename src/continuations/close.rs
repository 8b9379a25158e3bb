//! The end of a wait: the state changes and the event is written, in one transaction. It happens once. What a wait mostly ends with, the
//! widget's answer, has a way of its own: `super::proceed`.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::proceed::store::Waiting;
use super::store::{self, Continuation};
use super::{Bot, BotResult, BotType, CONTINUED, ContinueId, EXPIRED, FAILED};
use crate::auth::{AccountId, Caller, UserId};
use crate::database::{Connection, Failure, Pool};
use crate::delivery::{self, Event, Receiver};

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
    body.event(record.account, record.callback_url.as_ref())
}

/// The event that tells that a wait ends with the widget's answer, at the time at which the record was seen to wait.
pub(super) fn continued(
    caller: &Caller,
    bot: Bot,
    id: ContinueId,
    waiting: &Waiting,
    result: &BotResult,
) -> Result<Event, Failure> {
    let body = EventBody {
        r#type: CONTINUED,
        timestamp: Some(waiting.seen_at),
        account_id: caller.account.get(),
        continue_id: id.0,
        reference: waiting.reference.as_deref(),
        bot_type: bot.kind,
        bot_id: bot.id,
        widget_code: &waiting.widget_code,
        entity: EntityBody { r#type: &waiting.entity_type, id: waiting.entity_id },
        closed_by_user_id: Some(caller.user.get()),
        failure: None,
        data: result.data.as_deref(),
        execute_handlers: result.execute_handlers.as_deref(),
    };
    body.event(caller.account, waiting.callback_url.as_ref())
}

impl EventBody<'_> {
    fn event(&self, account: AccountId, callback_url: Option<&String>) -> Result<Event, Failure> {
        let corrupt = |why: serde_json::Error| Failure::Corrupt {
            table: "continuations",
            row: format!("{account}, {}", self.continue_id),
            why: why.to_string(),
        };
        Ok(Event {
            account,
            lane: format!("{}/{}", self.bot_type.as_str(), self.bot_id),
            kind: self.r#type,
            subject: self.continue_id,
            receiver: callback_url.cloned().map_or(Receiver::Pull, Receiver::Push),
            payload: Some(serde_json::to_vec(self).map_err(corrupt)?),
        })
    }
}
