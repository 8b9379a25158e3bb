//! `/registry/v1/deliveries`: what became of events, and another chance for dead ones.

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self as history, Attempt, Delivery};
use crate::audit::Actor;
use crate::auth::AccountId;
use crate::delivery::replay::store as replays;
use crate::delivery::{DeliveryId, State, Way};
use crate::http::caller::BotEngine;
use crate::http::hal;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};

/// Deliveries on a page by default.
const DEFAULT_LIMIT: u64 = 50;
/// Tries that are shown of one delivery.
const SHOWN_ATTEMPTS: i64 = 100;

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryBody {
    id: i64,
    webhook_id: String,
    way: Way,
    /// What happened, such as `continuation.continued`.
    r#type: String,
    /// The queue in which it keeps its place, such as `salesbot/77`.
    lane: String,
    /// The record that it tells of.
    continue_id: i64,
    /// Where to; null when the engine fetches.
    address: Option<String>,
    state: State,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// When it is tried next, or the present try is given up; null when it is over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<OffsetDateTime>,
    /// Tries that were begun.
    attempts: i32,
    /// What went wrong at the last try that failed.
    last_error: Option<String>,
}

impl DeliveryBody {
    fn of(account: AccountId, delivery: Delivery) -> Self {
        Self {
            id: delivery.id.0,
            webhook_id: delivery.id.webhook_id(account),
            way: delivery.way,
            r#type: delivery.kind,
            lane: delivery.lane,
            continue_id: delivery.subject,
            address: delivery.address,
            state: delivery.state,
            created_at: delivery.created_at,
            due_at: delivery.due_at,
            closed_at: delivery.closed_at,
            attempts: delivery.attempts,
            last_error: delivery.last_error,
        }
    }
}

/// A page of deliveries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveriesBody {
    deliveries: Vec<DeliveryBody>,
    /// The value of `before` for the next page; null on the last.
    next: Option<i64>,
}

/// Lists the account's deliveries that stand in one state.
#[utoipa::path(
    get, path = "/registry/v1/deliveries", tag = "bots", operation_id = "list_deliveries",
    params(
        ("state" = State, Query, description = "`dead` by default"),
        ("before" = Option<i64>, Query, description = "Only those with a lower id"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 250),
    ),
    responses(
        (status = 200, description = "The deliveries, the newest first", body = DeliveriesBody),
        (status = 400, description = "The query breaks rules"),
    ),
)]
pub(crate) async fn list(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let state = query.get("state")?.unwrap_or("dead").parse::<State>();
    let state = state.map_err(|why| Problem::Malformed(format!("The parameter `state` is wrong: {why}")))?;
    let most = call.shared.config.limits.page_size;
    let size = PageSize::new(query.capped("limit", DEFAULT_LIMIT.min(most), most)?);
    let before = query.get("before")?.map(|text| {
        let wrong = || Problem::Malformed("The parameter `before` must be the id of a delivery".to_owned());
        DeliveryId::of_path(text).ok_or_else(wrong)
    });
    let account = call.who.0.account;
    let found = history::list(&call.shared.pool, account, state, before.transpose()?, size.wanted()).await?;
    let (found, more) = size.cut(found);
    let deliveries: Vec<_> = found.into_iter().map(|delivery| DeliveryBody::of(account, delivery)).collect();
    let next = deliveries.last().filter(|_| more).map(|last| last.id);
    hal::json(HttpResponse::Ok(), &DeliveriesBody { deliveries, next })
}

/// How a try ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptBody {
    /// From 1.
    attempt: i32,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    ended_at: OffsetDateTime,
    /// `delivered`, `refused`, `gone`, `unreachable`, `timeout`, `forbidden`, `abandoned` or `withdrawn`.
    outcome: String,
    /// The HTTP status, when there was an answer.
    status: Option<i16>,
    /// The first bytes of the answer as text.
    answer: Option<String>,
    error: Option<String>,
}

impl From<Attempt> for AttemptBody {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            started_at: attempt.started_at,
            ended_at: attempt.ended_at,
            outcome: attempt.outcome,
            status: attempt.status,
            answer: attempt.answer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            error: attempt.error,
        }
    }
}

/// A delivery with its tries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryDetailBody {
    #[serde(flatten)]
    delivery: DeliveryBody,
    /// The latest 100 tries, the last first.
    tries: Vec<AttemptBody>,
}

/// Shows a delivery and how its tries ended.
#[utoipa::path(
    get, path = "/registry/v1/deliveries/{delivery_id}", tag = "bots", operation_id = "show_delivery",
    params(("delivery_id" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "The delivery", body = DeliveryDetailBody),
        (status = 404, description = "The account has no such delivery"),
    ),
)]
pub(crate) async fn show(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let id = DeliveryId::of_path(call.segment("delivery_id")).ok_or(Problem::NoDelivery)?;
    let (pool, account) = (&call.shared.pool, call.who.0.account);
    let found = history::find(pool, account, id).await?.ok_or(Problem::NoDelivery)?;
    let tries = history::attempts(pool, account, id, SHOWN_ATTEMPTS).await?;
    let body = DeliveryDetailBody {
        delivery: DeliveryBody::of(account, found),
        tries: tries.into_iter().map(AttemptBody::from).collect(),
    };
    hal::json(HttpResponse::Ok(), &body)
}

/// Puts a dead event back into its queue.
#[utoipa::path(
    post, path = "/registry/v1/deliveries/{delivery_id}/replay", tag = "bots", operation_id = "replay_delivery",
    params(("delivery_id" = i64, Path, minimum = 1)),
    responses(
        (status = 202, description = "It will be tried again, with the same webhook-id"),
        (status = 404, description = "The account has no such delivery"),
        (status = 409, description = "It is not dead, or is a call to a widget"),
    ),
)]
pub(crate) async fn replay(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let id = DeliveryId::of_path(call.segment("delivery_id")).ok_or(Problem::NoDelivery)?;
    let (pool, account) = (&call.shared.pool, call.who.0.account);
    if replays::replay(pool, account, id, &Actor::of(&call)).await? {
        call.shared.bell.ring();
        return Ok(HttpResponse::Accepted().finish());
    }
    let found = history::find(pool, account, id).await?.ok_or(Problem::NoDelivery)?;
    let why = match (found.way, found.state) {
        (Way::Call, _) => "A call to a widget cannot be replayed: its record waits no more".to_owned(),
        (_, state) => format!("The delivery is {}; only a dead one can be replayed", state.as_str()),
    };
    Err(Problem::Conflict(why))
}
