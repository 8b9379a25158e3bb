//! One request and its answer: the walk around the route table that every request takes, whether or not it has a route.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_http::Request;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Bytes;

use super::cors;
use super::head::Head;
use super::held::Held;
use super::problem::Problem;
use super::request_id::{REQUEST_ID, RequestId};
use super::route::{Asked, Route};
use super::service::Service;
use super::shared::Shared;
use crate::log_context;
use crate::metrics::Metrics;

/// What counts as the route of requests that have none: their paths are whatever clients send.
const NO_ROUTE: &str = "none";

/// Answers a request.
pub async fn exchange(mut request: Request, service: Rc<Service>) -> HttpResponse {
    let payload = request.take_payload();
    let head = Rc::new(Head::new(request, service.listens_on));
    let id = RequestId::of(&head, &service);
    log_context::within(id.logged().clone(), walk(head, payload, id, service)).await
}

async fn walk(head: Rc<Head>, payload: Payload, id: RequestId, service: Rc<Service>) -> HttpResponse {
    let started = Instant::now();
    let (routes, segments) = service.paths.at(head.decoded_path()).unzip();
    let segments = segments.unwrap_or_default();
    let (payload, kept) = Held::split(&head, payload);
    let asked = Asked { head: head.clone(), payload, shared: service.clone(), id: id.clone(), segments };
    let mut response = match answer(asked, routes).await {
        Ok(response) => response,
        Err(problem) => problem.response(),
    };
    let headers = response.headers_mut();
    // No answer has them yet.
    headers.append(REQUEST_ID, id.value());
    headers.append(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    cors::mark(&head, headers, &service.config.cors_origins);
    if *head.method() == Method::HEAD {
        response = response.map_body(|_, body| BoxBody::new(Unsent(body.size())));
    }
    let took = started.elapsed();
    count(&head, routes, &service.metrics, response.status(), took);
    log(&head, response.status(), took);
    match kept {
        Some(kept) => kept.until_sent(response),
        None => response,
    }
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

async fn answer(asked: Asked, routes: Option<&[Route]>) -> Result<HttpResponse, Problem> {
    let Asked { head, shared, .. } = &asked;
    within_size(head, shared)?;
    let method = head.method().clone();
    let Some(routes) = routes else {
        let origin = shared.origin(head);
        return Err(Problem::NoRoute { method, url: format!("{origin}{}", head.path()) });
    };
    if method == Method::OPTIONS {
        return Ok(cors::options(head, &allow(routes), &shared.config.cors_origins));
    }
    // HEAD is GET; the server leaves the body out.
    let wanted = if method == Method::HEAD { &Method::GET } else { &method };
    let Some(route) = routes.iter().find(|route| route.method == *wanted) else {
        return Err(Problem::WrongMethod { method, allow: allow(routes) });
    };
    route.answer(asked).await
}

/// Counts an answer: by its route, or as one of a path or method that has none.
fn count(head: &Head, routes: Option<&[Route]>, metrics: &Metrics, status: StatusCode, took: Duration) {
    let (method, status) = (head.method(), status.as_u16());
    let routes = routes.unwrap_or_default();
    if let Some(route) = routes.iter().find(|route| route.method == *method) {
        return route.answered(metrics, status, took);
    }
    let path = routes.first().map_or(NO_ROUTE, |route| route.path);
    metrics.of_route(method.as_str(), path).answered(status, took);
}

fn within_size(head: &Head, shared: &Shared) -> Result<(), Problem> {
    let limits = &shared.config.limits;
    let uri = head.uri();
    if uri.path().len() > limits.path {
        return Err(Problem::UriTooLong(limits.path));
    }
    if uri.query().is_some_and(|query| query.len() > limits.query) {
        return Err(Problem::UriTooLong(limits.query));
    }
    // A line is the name, a colon, a space, the value and the line's end.
    let size: usize = head.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > limits.headers { Err(Problem::HeadersTooLarge(limits.headers)) } else { Ok(()) }
}

/// The value of `Allow`: the methods of the table, and those that every path answers.
fn allow(routes: &[Route]) -> String {
    let mut methods: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn log(head: &Head, status: StatusCode, took: Duration) {
    let (method, path) = (head.method().as_str(), head.path());
    let (status, took_us) = (status.as_u16(), u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    // A line for each read would be written by a call of the system for each, so what went well is told to who asks for it; /metrics counts
    // everything.
    match status {
        500.. => tracing::warn!(method, path, status, took_us, "answered"),
        400.. => tracing::info!(method, path, status, took_us, "answered"),
        _ => tracing::debug!(method, path, status, took_us, "answered"),
    }
}
