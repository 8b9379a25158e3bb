//! The name of a request.

use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::head::Head;
use super::shared::Shared;

/// Names the request in the log and in the answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What names the request in the log and in the answer: at most 64 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone)]
pub struct RequestId(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// The client's own.
    Given(HeaderValue),
    /// A new one, as text.
    New([u8; Hyphenated::LENGTH]),
}

impl RequestId {
    /// The client's own id when it is a short plain word, else a new one.
    pub(super) fn of(head: &Head, shared: &Shared) -> Self {
        let plain = |id: &&HeaderValue| {
            let may_be = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            (1..=64).contains(&id.len()) && id.as_bytes().iter().all(may_be)
        };
        let given = head.headers().get(REQUEST_ID).filter(plain).cloned().map(Kind::Given);
        Self(given.unwrap_or_else(|| Kind::New(text(shared.ids.next()))))
    }

    /// As a header has it.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        match &self.0 {
            Kind::Given(value) => value.clone(),
            Kind::New(text) => HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("-")),
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Given(value) => value.to_str().unwrap_or_default(),
            Kind::New(text) => std::str::from_utf8(text).unwrap_or_default(),
        }
    }
}

fn text(id: Uuid) -> [u8; Hyphenated::LENGTH] {
    let mut text = [0; Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut text);
    text
}
