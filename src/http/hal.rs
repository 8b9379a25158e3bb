//! Links and answers in HAL.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};

use super::problem::Problem;

/// A link.
#[derive(Debug, Serialize)]
pub struct Link {
    /// An absolute address.
    pub href: String,
}

/// The links of one thing: only to itself.
#[derive(Debug, Serialize)]
pub struct SelfLink {
    /// Where it is.
    #[serde(rename = "self")]
    pub this: Link,
}

impl SelfLink {
    /// A link to this address.
    #[must_use]
    pub fn to(href: String) -> Self {
        Self { this: Link { href } }
    }
}

/// The links of one page of a list.
#[derive(Debug, Serialize)]
pub struct PageLinks {
    #[serde(rename = "self")]
    this: Link,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev: Option<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Link>,
}

impl PageLinks {
    /// The links of page `page` of the list at `address`; `next` only when there is one, `prev` and `first` only past page 1.
    #[must_use]
    pub fn new(address: &str, page: u64, limit: u64, has_next: bool) -> Self {
        let link = |page: u64| Link { href: format!("{address}?limit={limit}&page={page}") };
        Self {
            this: link(page),
            next: has_next.then(|| link(page + 1)),
            prev: (page > 1).then(|| link(page - 1)),
            first: (page > 1).then(|| link(1)),
        }
    }
}

/// The links of a part of a list that goes on at a place of its own.
#[derive(Debug, Serialize)]
pub struct PartLinks {
    #[serde(rename = "self")]
    this: Link,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Link>,
}

impl PartLinks {
    /// The links of the part at this address; `next` only when the list goes on.
    #[must_use]
    pub fn new(this: String, next: Option<String>) -> Self {
        Self { this: Link { href: this }, next: next.map(|href| Link { href }) }
    }
}

/// 200 with this body as `application/hal+json`.
///
/// # Errors
///
/// 500 when the body cannot be written as JSON.
pub fn ok(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    answer(HttpResponse::Ok(), "application/hal+json", body)
}

/// [`ok`] with a body that is written already.
#[must_use]
pub fn ok_written(body: Vec<u8>) -> HttpResponse {
    whole(HttpResponse::Ok(), "application/hal+json", body)
}

/// An answer with this body as `application/json`, for everything under `/registry/v1`.
///
/// # Errors
///
/// 500 when the body cannot be written as JSON.
pub fn json(response: actix_web::HttpResponseBuilder, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    answer(response, "application/json", body)
}

/// For the member of an answer that is there to give a secret away, the only way in which one is written.
///
/// # Errors
///
/// Those of the serializer.
pub fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    secret.expose_secret().serialize(serializer)
}

/// A body as JSON.
///
/// # Errors
///
/// 500 when it cannot be written.
pub fn bytes(body: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Problem::Internal
    })
}

fn answer(
    response: actix_web::HttpResponseBuilder,
    media_type: &'static str,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    Ok(whole(response, media_type, bytes(body)?))
}

fn whole(mut response: actix_web::HttpResponseBuilder, media_type: &'static str, body: Vec<u8>) -> HttpResponse {
    // Settings may be in it: nothing between us and the client may keep a copy.
    response
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(media_type)))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(body)
}
