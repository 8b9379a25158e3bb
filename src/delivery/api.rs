//! `/registry/v1/deliveries/lease`, `/ack` and `/nack`: events that the engine fetches.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;

use super::lease::{Finished, Leased, Report};
use super::schedule::Next;
use super::store::{self, Whose};
use super::{DeliveryId, Outcome, Way, counted};
use crate::auth::AccountId;
use crate::database::Failure;
use crate::http::caller::BotEngine;
use crate::http::hal;
use crate::http::members::{self, Members};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, Usual};
use crate::http::shared::Shared;

/// Events that one call takes at most.
const MOST: i64 = 100;
/// Events that one call takes when it does not say.
const SOME: i64 = 10;
/// Seconds that a call may ask to wait.
const LONGEST_WAIT: i64 = 60;
/// What is left of a handler's time when its wait ends.
const RESERVE: Duration = Duration::from_secs(2);
/// A waiting call looks for events at least this often.
const POLL: Duration = Duration::from_millis(500);
/// Seconds after which an event that was refused is to be offered again, at most.
const LONGEST_PAUSE: i64 = 3_600;
/// Characters of a reason.
const REASON: usize = 1_000;

/// Which events the engine takes.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct LeaseBody {
    /// How many at most, one of each bot; 10 by default.
    #[schema(minimum = 1, maximum = 100)]
    max: Option<i64>,
    /// How long to wait when there is none; 0 by default. The service may answer sooner, with none.
    #[schema(minimum = 0, maximum = 60)]
    wait_seconds: Option<i64>,
}

/// Events that are the caller's for 45 seconds.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeasedBody {
    deliveries: Vec<LeasedEventBody>,
}

/// An event that is the caller's until its lease ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeasedEventBody {
    id: i64,
    /// The same at every try: tells repeats.
    webhook_id: String,
    /// What `ack` and `nack` must send.
    lease_token: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    leased_until: OffsetDateTime,
    /// The number of this try, from 1.
    attempt: u32,
    /// What happened.
    #[schema(value_type = Object)]
    event: Box<RawValue>,
}

/// Takes events that wait to be fetched; answers as soon as there is one, or with none after the wait.
#[utoipa::path(
    post, path = "/registry/v1/deliveries/lease", tag = "bots", operation_id = "lease_deliveries",
    request_body = LeaseBody,
    responses(
        (status = 200, description = "The events, the longest waiting first; each is offered again when it is not acknowledged within 45 s", body = LeasedBody),
        (status = 400, description = "Values break rules"),
    ),
)]
pub(crate) async fn lease(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let most = members.optional("max", |value| members::whole(value, 1, MOST));
    let wait = members.optional("wait_seconds", |value| members::whole(value, 0, LONGEST_WAIT));
    let asked = Some((most.unwrap_or(SOME), wait.unwrap_or_default()));
    let (most, wait) = members.finish(asked).map_err(Problem::Invalid)?;
    let most = u32::try_from(most).unwrap_or_default();
    let limit = call.shared.config.limits.handler_time.saturating_sub(RESERVE);
    let wait = Duration::from_secs(wait.unsigned_abs()).min(limit);
    let leased = wait_for_events(&call.shared, call.who.0.account, most, wait).await?;
    let deliveries = leased.into_iter().map(leased_event).collect::<Result<_, Failure>>()?;
    hal::json(HttpResponse::Ok(), &LeasedBody { deliveries })
}

async fn wait_for_events(
    shared: &Shared,
    account: AccountId,
    most: u32,
    wait: Duration,
) -> Result<Vec<Leased>, Failure> {
    let mut rung = shared.bell.listen_for(account.get());
    // Without a place there is no waiting: the answer comes at once, perhaps an empty one.
    let place = shared.polls.clone().try_acquire_owned();
    let end = Instant::now() + if place.is_ok() { wait } else { Duration::ZERO };
    loop {
        let leased = store::lease(&shared.pool, Whose::Account(account), most, shared.ids.next()).await?;
        counted::taken(&shared.metrics, &leased);
        let left = end.saturating_duration_since(Instant::now());
        if !leased.is_empty() || left.is_zero() {
            return Ok(leased);
        }
        rung.heard_within(left.min(POLL)).await;
    }
}

fn leased_event(leased: Leased) -> Result<LeasedEventBody, Failure> {
    let lease = leased.lease;
    let corrupt =
        |why: String| Failure::Corrupt { table: "deliveries", row: format!("{}, {}", lease.account, lease.id), why };
    let event = serde_json::from_slice(&leased.payload.unwrap_or_default()).map_err(|why| corrupt(why.to_string()))?;
    Ok(LeasedEventBody {
        id: lease.id.0,
        webhook_id: lease.id.webhook_id(lease.account),
        lease_token: lease.token,
        leased_until: leased.until,
        attempt: leased.attempt,
        event,
    })
}

/// What the engine says of an event that it has.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct AckBody {
    /// Of the lease.
    lease_token: Uuid,
}

/// What the engine says of an event that it cannot take now.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct NackBody {
    /// Of the lease.
    lease_token: Uuid,
    /// Why, at most 1,000 characters; kept with the try.
    reason: Option<String>,
    /// When to offer it again; by default after 1 s × 2ⁿ, at most 10 min, a random part of it.
    #[schema(minimum = 0, maximum = 3600)]
    retry_after_seconds: Option<i64>,
}

/// Says that the engine has an event. The same again changes nothing and answers 409: the lease is over.
#[utoipa::path(
    post, path = "/registry/v1/deliveries/{delivery_id}/ack", tag = "bots", operation_id = "ack_delivery",
    params(("delivery_id" = i64, Path, minimum = 1)),
    request_body = AckBody,
    responses(
        (status = 204, description = "Done"),
        (status = 400, description = "Values break rules"),
        (status = 409, description = "The lease is over: the event was or will be offered again, or is done"),
    ),
)]
pub(crate) async fn ack(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let token = members.required("lease_token", members::uuid);
    let token = members.finish(token).map_err(Problem::Invalid)?;
    conclude(&call, token, |_| Report::plain(Outcome::Delivered, Next::Delivered)).await
}

/// Says that the engine cannot take an event now; it is offered again later.
#[utoipa::path(
    post, path = "/registry/v1/deliveries/{delivery_id}/nack", tag = "bots", operation_id = "nack_delivery",
    params(("delivery_id" = i64, Path, minimum = 1)),
    request_body = NackBody,
    responses(
        (status = 204, description = "Noted"),
        (status = 400, description = "Values break rules"),
        (status = 409, description = "The lease is over: the event was or will be offered again, or is done"),
    ),
)]
pub(crate) async fn nack(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let token = members.required("lease_token", members::uuid);
    let reason = members.optional("reason", |value| members::text(value, REASON));
    let pause = members.optional("retry_after_seconds", |value| members::whole(value, 0, LONGEST_PAUSE));
    let token = members.finish(token).map_err(Problem::Invalid)?;
    let chance = super::schedule::chance(&call.shared.ids);
    conclude(&call, token, |attempt| {
        let pause = pause.map(|seconds| Duration::from_secs(seconds.unsigned_abs()));
        let next =
            pause.map_or_else(|| Way::Pull.schedule().after(attempt, Outcome::Refused, chance, None), Next::Again);
        Report { error: reason.clone(), ..Report::plain(Outcome::Refused, next) }
    })
    .await
}

/// One transaction: a lease that was over before it counts for nothing.
async fn conclude(
    call: &Call<BotEngine, Json<Usual>>,
    token: Uuid,
    report: impl Fn(u32) -> Report,
) -> Result<HttpResponse, Problem> {
    let over = || Problem::Conflict("The delivery has no lease with this token, or no longer".to_owned());
    let id = DeliveryId::of_path(call.segment("delivery_id")).ok_or(Problem::NoDelivery)?;
    let (pool, account) = (&call.shared.pool, call.who.0.account);
    let found = store::find_lease(pool, account, id, token).await?;
    let (lease, attempt) = found.ok_or_else(over)?;
    let report = report(attempt);
    let finished = store::finish_alone(pool, &lease, &report).await?;
    counted::finished(&call.shared.metrics, lease.way, report.outcome, finished);
    if finished == Finished::Stale {
        return Err(over());
    }
    // Its lane has a next event perhaps.
    call.shared.bell.ring_for(account.get());
    Ok(HttpResponse::NoContent().finish())
}
