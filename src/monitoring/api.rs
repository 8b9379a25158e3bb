//! `GET /metrics`: the numbers to watch, for Prometheus.

use actix_web::HttpResponse;
use actix_web::http::{Method, header};

use crate::config::MetricsReaders;
use crate::http::caller::Anyone;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::metrics::CONTENT_TYPE;

/// Tells the numbers to watch. They hold no secret, but numbers of accounts and bots, so the setting `metrics` says who may read them:
/// by default only this machine. To everybody else the address is unknown. Asks the database nothing.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses(
        (status = 200, description = "The numbers, in the OpenMetrics text format", body = String, content_type = "application/openmetrics-text"),
        (status = 404, description = "The setting `metrics` does not let the caller read them"),
    ),
)]
pub(crate) async fn show(call: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
    let may_read = match call.shared.config.metrics {
        MetricsReaders::Nobody => false,
        MetricsReaders::ThisMachine => call.is_from_this_machine(),
        MetricsReaders::Everybody => true,
    };
    if !may_read {
        return Err(Problem::NoRoute { method: Method::GET, url: format!("{}/metrics", call.origin()) });
    }
    let (pool, metrics) = (&call.shared.pool, &call.shared.metrics);
    metrics.connections(pool.size(), pool.num_idle(), call.shared.config.database_connections);
    metrics.tokens(call.shared.revocations.age(), call.shared.keyring.is_behind());
    let text = metrics.text().map_err(|error| {
        tracing::error!(%error, "the metrics cannot be written");
        Problem::Internal
    })?;
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text))
}
