//! `/registry/v1/health`: whether the process lives, and whether it can answer.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database;
use crate::http::caller::Anyone;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::v4::snapshot::Live;

/// For how long the catalogue in memory may not have been compared with the database.
const NOT_FOLLOWED: Duration = Duration::from_secs(5);

/// All is well.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthBody {
    /// Always true: what is not well is answered as a problem.
    ok: bool,
    /// The program's version.
    version: &'static str,
}

/// How old what is known of revoked tokens may be. It is read every second.
const OLDEST_REVOCATIONS: Duration = Duration::from_secs(30);

const WELL: HealthBody = HealthBody { ok: true, version: env!("CARGO_PKG_VERSION") };

/// Tells that the process answers.
#[utoipa::path(
    get, path = "/registry/v1/health/live", tag = "health", operation_id = "live",
    responses((status = 200, description = "The process answers", body = HealthBody)),
)]
pub(crate) async fn live(_: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
    hal::json(HttpResponse::Ok(), &WELL)
}

/// Tells whether requests can be answered: the database answers, the catalogue in memory follows it, and what is known of revoked tokens
/// is new.
#[utoipa::path(
    get, path = "/registry/v1/health/ready", tag = "health", operation_id = "ready",
    responses(
        (status = 200, description = "Requests can be answered", body = HealthBody),
        (status = 503, description = "The database does not answer, the catalogue in memory cannot follow it, or which tokens are revoked has not been read for 30 s"),
    ),
)]
pub(crate) async fn ready(call: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
    database::answers(&call.shared.pool).await?;
    if call.state::<Live>()?.age() > NOT_FOLLOWED {
        return Err(Problem::DatabaseUnavailable);
    }
    let age = call.shared.revocations.age();
    if age > OLDEST_REVOCATIONS {
        tracing::warn!(age_s = age.as_secs(), "which tokens are revoked has not been read for too long");
        return Err(Problem::DatabaseUnavailable);
    }
    hal::json(HttpResponse::Ok(), &WELL)
}
