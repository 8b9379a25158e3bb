//! `/registry/v1`: what the bot engine calls.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::opening::Opening;
use super::store::{self, Continuation};
use super::{Bot, BotType, CALL, CONTINUED, ContinueId, EXPIRED, Encoding, FAILED, Request, State, calls};
use crate::database::Pool;
use crate::delivery::history::store::Delivery;
use crate::delivery::{self, secret};
use crate::digest::Sha256;
use crate::http::caller::BotEngine;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::installs;
use crate::integrations;
use crate::outgoing::{Policy, Target};
use crate::sealing::Sealing;

/// A record has a call and an event at most.
const SHOWN_DELIVERIES: i64 = 2;
/// What is delivered for a record.
const KINDS: [&str; 4] = [CALL, CONTINUED, FAILED, EXPIRED];

/// A record that waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedBody {
    /// The record's number.
    continue_id: i64,
    /// Where the widget sends its answer.
    return_url: String,
    /// The deadline.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
    /// Where it stands.
    state: State,
}

/// What the engine asks for when a bot begins to wait.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `Opening` reads it")]
pub struct OpeningBody {
    /// The account; it must be the token's.
    account_id: Option<i64>,
    /// The widget that the bot waits for; the account must see it.
    widget_code: String,
    /// What the bot works on.
    entity: EntityBody,
    /// Seconds until the record expires, at most 2,592,000 (30 days); by default 86,400.
    #[schema(minimum = 1, maximum = 2_592_000)]
    timeout_seconds: Option<i64>,
    /// The engine's own name for this wait: opening the same again answers with the same record.
    #[schema(max_length = 128)]
    reference: Option<String>,
    /// Where the event is pushed to; without it the engine fetches.
    #[schema(max_length = 2048)]
    callback_url: Option<String>,
    /// The call to the widget; without it the engine calls the widget itself.
    request: Option<RequestBody>,
}

/// A call to a widget's server: `token`, `data` and `return_url`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `Opening` reads it")]
pub struct RequestBody {
    /// Where to.
    #[schema(max_length = 2048)]
    url: String,
    /// An object or an array.
    #[schema(value_type = Object)]
    data: Option<Box<RawValue>>,
    /// `form` by default.
    encoding: Option<Encoding>,
}

/// What a bot works on.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityBody {
    /// Such as `leads`.
    pub r#type: String,
    /// A positive number.
    pub id: i64,
}

/// A record without what the widget sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordBody {
    /// The record's number.
    pub continue_id: i64,
    bot_type: BotType,
    bot_id: i64,
    widget_code: String,
    entity: EntityBody,
    /// The engine's own name for this wait.
    reference: Option<String>,
    /// Where it stands; past its deadline a record counts as expired.
    state: State,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    opened_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
    /// When `waiting` was left.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<OffsetDateTime>,
    /// Who ended the waiting.
    closed_by_user_id: Option<i64>,
    /// Why it failed.
    failure: Option<String>,
    /// Where the event is pushed to.
    callback_url: Option<String>,
}

impl From<Continuation> for RecordBody {
    fn from(record: Continuation) -> Self {
        Self {
            continue_id: record.id.0,
            bot_type: record.bot.kind,
            bot_id: record.bot.id,
            widget_code: record.widget_code,
            entity: EntityBody { r#type: record.entity_type, id: record.entity_id },
            reference: record.reference,
            state: record.state,
            opened_at: record.opened_at,
            expires_at: record.expires_at,
            closed_at: record.closed_at,
            closed_by_user_id: record.closed_by_user_id,
            failure: record.failure,
            callback_url: record.callback_url,
        }
    }
}

/// A record as the engine sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContinuationBody {
    #[serde(flatten)]
    record: RecordBody,
    /// What the widget sent, byte for byte; null when it sent none.
    #[schema(value_type = Object)]
    data: Option<Box<RawValue>>,
    /// SHA-256 of the bytes of `data`, in hexadecimal digits.
    data_sha256: Option<String>,
    /// Bytes of `data`.
    data_size: Option<usize>,
    /// The blocks that the bot is to run, byte for byte.
    #[schema(value_type = Vec<Object>)]
    execute_handlers: Option<Box<RawValue>>,
    /// The call to the widget and the event: how often each was tried, and what went wrong last.
    deliveries: Vec<DeliveryBody>,
}

/// How a record's call or event fares.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryBody {
    id: i64,
    /// `widget.call`, or the event's type.
    r#type: String,
    state: delivery::State,
    attempts: i32,
    last_error: Option<String>,
}

/// Opens a record that waits.
#[utoipa::path(
    post, path = "/registry/v1/{bot_type}/{bot_id}/continuations", tag = "bots", operation_id = "open_continuation",
    params(("bot_type" = BotType, Path), ("bot_id" = i64, Path, minimum = 1)),
    request_body = OpeningBody,
    responses(
        (status = 201, description = "The bot waits", body = OpenedBody),
        (status = 200, description = "The bot has a record with this reference", body = OpenedBody),
        (status = 400, description = "Values break rules"),
        (status = 403, description = "`account_id` is not the token's account"),
        (status = 404, description = "The account does not see the widget"),
        (status = 409, description = "The reference names a record of another widget or entity, or there is no secret to sign with"),
    ),
)]
pub(crate) async fn open(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let bot = Bot::of_path(call.segment("bot_type"), call.segment("bot_id")).ok_or(Problem::NoContinuation)?;
    let opening = Opening::check(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let (pool, caller) = (&call.shared.pool, &call.who.0);
    if opening.account_id.is_some_and(|account| account != caller.account.get()) {
        return Err(Problem::Forbidden(Some("the token is of another account".into())));
    }
    judge_addresses(&opening, call.shared.config.outgoing)?;
    let code = opening.widget_code.as_ref().ok_or(Problem::NoWidget)?;
    let seen = installs::store::visible(pool, caller, code).await?.ok_or(Problem::NoWidget)?;
    if opening.callback_url.is_some() && secret::store::validity(pool, caller.account).await?.is_none() {
        return Err(Problem::Conflict(
            "The account has no webhook secret to sign events with; make one by POST /registry/v1/webhook-secret"
                .into(),
        ));
    }
    if let Some(request) = &opening.request {
        if !calls::store::may_order(pool, caller.account, seen.widget.id).await? {
            return Err(Problem::Conflict(
                "The account must install the widget before its server is called".to_owned(),
            ));
        }
        call_can_be_made((pool, &call.shared.sealing), seen.widget.client_uuid, request).await?;
        if call.shared.own_origin.is_none() {
            let why =
                "The service does not know its own address, which a call is signed with; its operator sets public_url";
            return Err(Problem::Conflict(why.to_owned()));
        }
    }
    let origin = call.origin();
    let signed = call.shared.own_origin.as_deref();
    let answer = |status, id: ContinueId, expires_at, state| {
        let return_url = bot.return_url(&origin, id);
        hal::json(HttpResponseBuilder::new(status), &OpenedBody { continue_id: id.0, return_url, expires_at, state })
    };
    if let Some((id, expires_at)) = store::open(pool, caller.account, bot, seen.widget.id, &opening, signed).await? {
        if opening.request.is_some() {
            call.shared.bell.ring();
        }
        return answer(StatusCode::CREATED, id, expires_at, State::Waiting);
    }
    // Only a reference that exists, or a widget that was deleted since it was looked for, keeps a record from being opened.
    let reference = opening.reference.as_deref().unwrap_or_default();
    let found = store::find_by_reference(pool, caller.account, bot, reference).await?.ok_or(Problem::NoWidget)?;
    let same = (found.widget_code.as_str(), found.entity_type.as_str(), found.entity_id)
        == (code.as_str(), opening.entity_type.as_str(), opening.entity_id);
    if !same {
        return Err(Problem::Conflict(format!(
            "The reference `{reference}` names a record of another widget or entity"
        )));
    }
    answer(StatusCode::OK, found.id, found.expires_at, found.state)
}

/// Refuses a call that could not be signed or written.
async fn call_can_be_made(
    (pool, sealing): (&Pool, &Sealing),
    client: Option<Uuid>,
    request: &Request,
) -> Result<(), Problem> {
    calls::body::encode(request.encoding, "", request.data.as_deref(), "")
        .map_err(|too_large| Problem::Malformed(format!("`request.data`: {too_large}")))?;
    let secret = match client {
        Some(client) => integrations::secrets::signing(pool, sealing, client).await?,
        None => None,
    };
    secret.map(|_| ()).ok_or_else(|| {
        let why = "The widget has no integration with a secret to sign the call with; its owner makes one by POST \
                   /registry/v1/integrations and publishes the widget with its client_uuid";
        Problem::Conflict(why.to_owned())
    })
}

/// Refuses addresses that are never called, as far as their words tell.
fn judge_addresses(opening: &Opening, policy: Policy) -> Result<(), Problem> {
    let request = opening.request.as_ref().map(|request| ("request.url", &request.url));
    for (name, address) in opening.callback_url.iter().map(|url| ("callback_url", url)).chain(request) {
        Target::parse(address, &policy).map_err(|why| Problem::Malformed(format!("The address in `{name}` {why}")))?;
    }
    Ok(())
}

/// Shows a record and what the widget sent.
#[utoipa::path(
    get, path = "/registry/v1/continuations/{continue_id}", tag = "bots", operation_id = "show_continuation",
    params(("continue_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "The record", body = ContinuationBody),
        (status = 404, description = "The account has no such record"),
    ),
)]
pub(crate) async fn show(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    let (pool, account) = (&call.shared.pool, call.who.0.account);
    let record = store::find(pool, account, id).await?.ok_or(Problem::NoContinuation)?;
    let deliveries = delivery::history::store::of_subject(pool, account, id.0, &KINDS, SHOWN_DELIVERIES).await?;
    let body = ContinuationBody {
        data: record.data()?.map(RawValue::to_owned),
        data_sha256: record.data.as_deref().map(|data| Sha256::of(&[data]).to_string()),
        data_size: record.data.as_deref().map(<[u8]>::len),
        execute_handlers: record.execute_handlers()?.map(RawValue::to_owned),
        deliveries: deliveries.into_iter().map(DeliveryBody::from).collect(),
        record: record.into(),
    };
    hal::json(HttpResponse::Ok(), &body)
}

impl From<Delivery> for DeliveryBody {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id.0,
            r#type: delivery.kind,
            state: delivery.state,
            attempts: delivery.attempts,
            last_error: delivery.last_error,
        }
    }
}
