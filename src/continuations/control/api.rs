//! `POST /registry/v1/continuations/{continue_id}/fail`, `/cancel` and `/extend`.

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::continuations::opening::MOST_TIMEOUT;
use crate::continuations::{ContinueId, close, store};
use crate::http::caller::{BotEngine, BotParty};
use crate::http::hal;
use crate::http::members::{self, Members};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};

/// Characters of a reason at most.
const REASON: usize = 1_000;

/// Why a bot is not answered.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct FailBody {
    /// In words, for the engine and for people.
    #[schema(max_length = 1000)]
    reason: String,
}

/// Gives up: the bot goes on with an event that says so.
#[utoipa::path(
    post, path = "/registry/v1/continuations/{continue_id}/fail", tag = "bots", operation_id = "fail_continuation",
    params(("continue_id" = i64, Path, minimum = 1)),
    request_body = FailBody,
    responses(
        (status = 202, description = "The engine will be told"),
        (status = 400, description = "Values break rules"),
        (status = 404, description = "No bot waits at this record"),
    ),
)]
pub(crate) async fn fail(call: Call<BotParty, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let reason = members.required("reason", |value| members::text(value, REASON));
    let reason = members.finish(reason).map_err(Problem::Invalid)?;
    if !close::fail_alone(&call.shared.pool, &call.who.0, id, &reason).await? {
        return Err(Problem::NoContinuation);
    }
    call.shared.bell.ring();
    Ok(HttpResponse::Accepted().finish())
}

/// Takes a record back: nobody is told, and an answer of the widget is not found.
#[utoipa::path(
    post, path = "/registry/v1/continuations/{continue_id}/cancel", tag = "bots", operation_id = "cancel_continuation",
    params(("continue_id" = i64, Path, minimum = 1)),
    responses(
        (status = 204, description = "Done"),
        (status = 404, description = "No bot waits at this record"),
    ),
)]
pub(crate) async fn cancel(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    if store::cancel(&call.shared.pool, &call.who.0, id).await? {
        return Ok(HttpResponse::NoContent().finish());
    }
    Err(Problem::NoContinuation)
}

/// How long a bot is to wait.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct ExtendBody {
    /// Seconds from now, at most 2,592,000 (30 days).
    #[schema(minimum = 1, maximum = 2_592_000)]
    timeout_seconds: i64,
}

/// A new deadline.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtendedBody {
    /// The deadline.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: OffsetDateTime,
}

/// Sets the deadline of a record that waits.
#[utoipa::path(
    post, path = "/registry/v1/continuations/{continue_id}/extend", tag = "bots", operation_id = "extend_continuation",
    params(("continue_id" = i64, Path, minimum = 1)),
    request_body = ExtendBody,
    responses(
        (status = 200, description = "The new deadline", body = ExtendedBody),
        (status = 400, description = "Values break rules"),
        (status = 404, description = "No bot waits at this record"),
    ),
)]
pub(crate) async fn extend(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let seconds = members.required("timeout_seconds", |value| members::whole(value, 1, MOST_TIMEOUT));
    let seconds = members.finish(seconds).map_err(Problem::Invalid)?;
    let extended = store::extend(&call.shared.pool, call.who.0.account, id, seconds).await?;
    let expires_at = extended.ok_or(Problem::NoContinuation)?;
    hal::json(HttpResponse::Ok(), &ExtendedBody { expires_at })
}
