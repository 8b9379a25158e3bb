//! One request and its answer: the walk around the route table that every request takes, whether or not it has a route.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use tracing::Instrument as _;

use super::cors;
use super::held::Held;
use super::origin;
use super::problem::Problem;
use super::request_id::{REQUEST_ID, RequestId};
use super::route::{Asked, Route};
use super::shared::Shared;
use crate::metrics::Metrics;

/// What counts as the route of requests that have none: their paths are whatever clients send.
const NO_ROUTE: &str = "none";

/// Answers a request with the routes of its path; `None` when the path is unknown.
pub async fn exchange(
    request: HttpRequest,
    payload: Payload,
    shared: Arc<Shared>,
    routes: Option<Arc<[Arc<Route>]>>,
) -> HttpResponse {
    let id = RequestId::of(&request, &shared);
    let span = tracing::info_span!("request", id = %id.as_str(), account = tracing::field::Empty, user = tracing::field::Empty);
    let started = Instant::now();
    let (payload, held) = Held::split(&request, payload);
    async {
        let asked = Asked { request: request.clone(), payload, shared: shared.clone(), id: id.clone() };
        let mut response = match answer(asked, routes.as_deref()).await {
            Ok(response) => response,
            Err(problem) => problem.response(),
        };
        let headers = response.headers_mut();
        headers.insert(HeaderName::from_static(REQUEST_ID), id.value());
        headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        cors::mark(&request, headers, &shared.config.cors_origins);
        if *request.method() == Method::HEAD {
            response = response.map_body(|_, body| BoxBody::new(Unsent(body.size())));
        }
        let took = started.elapsed();
        count(&request, routes.as_deref(), &shared.metrics, response.status(), took);
        log(&request, response.status(), took);
        match held {
            Some(held) => held.until_sent(response),
            None => response,
        }
    }
    .instrument(span)
    .await
}

/// The body of an answer to HEAD: its size is told, and nothing of it is made. The server would read a stream to its end to throw it
/// away.
struct Unsent(BodySize);

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

async fn answer(asked: Asked, routes: Option<&[Arc<Route>]>) -> Result<HttpResponse, Problem> {
    let Asked { request, shared, .. } = &asked;
    within_size(request, shared)?;
    let method = request.method().clone();
    let Some(routes) = routes else {
        let origin = origin::of_request(request, shared.config.public_url.as_ref(), &shared.config.trusted_proxies);
        return Err(Problem::NoRoute { method, url: format!("{origin}{}", request.path()) });
    };
    if method == Method::OPTIONS {
        return Ok(cors::options(request, &allow(routes), &shared.config.cors_origins));
    }
    // HEAD is GET; the server leaves the body out.
    let wanted = if method == Method::HEAD { &Method::GET } else { &method };
    let Some(route) = routes.iter().find(|route| route.method == *wanted) else {
        return Err(Problem::WrongMethod { method, allow: allow(routes) });
    };
    route.answer(asked).await
}

/// Counts an answer: by its route, or as one of a path or method that has none.
fn count(request: &HttpRequest, routes: Option<&[Arc<Route>]>, metrics: &Metrics, status: StatusCode, took: Duration) {
    let (method, status) = (request.method(), status.as_u16());
    match routes {
        Some(routes) => match routes.iter().find(|route| route.method == *method) {
            Some(route) => route.answered(metrics, status, took),
            None => {
                metrics.answered(method.as_str(), routes.first().map_or(NO_ROUTE, |route| route.path), status, took);
            }
        },
        None => metrics.answered(method.as_str(), NO_ROUTE, status, took),
    }
}

fn within_size(request: &HttpRequest, shared: &Shared) -> Result<(), Problem> {
    let limits = &shared.config.limits;
    let uri = request.uri();
    if uri.path().len() > limits.path {
        return Err(Problem::UriTooLong(limits.path));
    }
    if uri.query().is_some_and(|query| query.len() > limits.query) {
        return Err(Problem::UriTooLong(limits.query));
    }
    // A line is the name, a colon, a space, the value and the line's end.
    let size: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limits.headers { Err(Problem::HeadersTooLarge(limits.headers)) } else { Ok(()) }
}

/// The value of `Allow`: the methods of the table, and those that every path answers.
fn allow(routes: &[Arc<Route>]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn log(request: &HttpRequest, status: StatusCode, took: Duration) {
    let (method, path) = (request.method().as_str(), request.path());
    let (status, took_us) = (status.as_u16(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    // A line for each read would be written by a call of the system for each, so what went well is told to who asks for it; /metrics counts
    // everything.
    match status {
        500.. => tracing::warn!(method, path, status, took_us, "answered"),
        400.. => tracing::info!(method, path, status, took_us, "answered"),
        _ => tracing::debug!(method, path, status, took_us, "answered"),
    }
}
