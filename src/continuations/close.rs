//! The end of a wait: the state changes and the event is written, in one transaction. It happens once. What a wait mostly ends with, the
//! widget's answer, has a way of its own: `super::proceed`.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

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
    timestamp: Member<'a>,
    account_id: i64,
    continue_id: i64,
    reference: Member<'a>,
    bot_type: BotType,
    bot_id: i64,
    widget_code: Member<'a>,
    entity: EntityBody<'a>,
    closed_by_user_id: Option<i64>,
    failure: Option<&'a str>,
    data: Option<&'a RawValue>,
    execute_handlers: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
struct EntityBody<'a> {
    r#type: Member<'a>,
    id: Member<'a>,
}

/// What the record knows.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Text(Option<&'a str>),
    Number(i64),
    #[serde(with = "time::serde::rfc3339::option")]
    Time(Option<OffsetDateTime>),
    /// It stands where the database writes it.
    Later(char),
}

/// Where the database writes a member, and as JSON. What stands before the last of them is words and numbers of ours, which have none.
const LATER: Member<'_> = Member::Later('\u{1a}');
const LATER_WRITTEN: &str = "\"\\u001a\"";
/// So many are there.
const MEMBERS: usize = 5;

/// The event that tells of the end of a wait, with the bytes that the widget sent.
fn event(record: &Continuation, kind: &'static str) -> Result<Event, Failure> {
    let body = EventBody {
        r#type: kind,
        timestamp: Member::Time(record.closed_at),
        account_id: record.account.get(),
        continue_id: record.id.0,
        reference: Member::Text(record.reference.as_deref()),
        bot_type: record.bot.kind,
        bot_id: record.bot.id,
        widget_code: Member::Text(Some(&record.widget_code)),
        entity: EntityBody { r#type: Member::Text(Some(&record.entity_type)), id: Member::Number(record.entity_id) },
        closed_by_user_id: record.closed_by_user_id,
        failure: record.failure.as_deref(),
        data: record.data()?,
        execute_handlers: record.execute_handlers()?,
    };
    Ok(Event {
        account: record.account,
        lane: lane(record.bot),
        kind,
        subject: record.id.0,
        receiver: record.callback_url.clone().map_or(Receiver::Pull, Receiver::Push),
        payload: Some(body.written(record.account)?.into_bytes()),
    })
}

/// The events of one bot come in their order.
fn lane(bot: Bot) -> String {
    format!("{}/{}", bot.kind.as_str(), bot.id)
}

/// The event that tells that a wait ends with the widget's answer, but for what only the record knows.
#[derive(Debug)]
pub(super) struct Continued {
    /// Its lane.
    pub(super) lane: String,
    /// Its kind.
    pub(super) kind: &'static str,
    /// The parts of its body, between which stand as JSON: when the wait ended, the engine's reference, the widget's code, what the bot works
    /// on, by type and number.
    pub(super) parts: Vec<Vec<u8>>,
}

/// Makes that event.
///
/// # Errors
///
/// When its body cannot be written: a fault of ours.
pub(super) fn continued(caller: &Caller, bot: Bot, id: ContinueId, result: &BotResult) -> Result<Continued, Failure> {
    let body = EventBody {
        r#type: CONTINUED,
        timestamp: LATER,
        account_id: caller.account.get(),
        continue_id: id.0,
        reference: LATER,
        bot_type: bot.kind,
        bot_id: bot.id,
        widget_code: LATER,
        entity: EntityBody { r#type: LATER, id: LATER },
        closed_by_user_id: Some(caller.user.get()),
        failure: None,
        data: result.data.as_deref(),
        execute_handlers: result.execute_handlers.as_deref(),
    };
    let written = body.written(caller.account)?;
    let parts = written.splitn(MEMBERS + 1, LATER_WRITTEN).map(|part| part.as_bytes().to_vec()).collect();
    Ok(Continued { lane: lane(bot), kind: CONTINUED, parts })
}

impl EventBody<'_> {
    fn written(&self, account: AccountId) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|why| Failure::Corrupt {
            table: "continuations",
            row: format!("{account}, {}", self.continue_id),
            why: why.to_string(),
        })
    }
}
