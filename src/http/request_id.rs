//! The name of a request.

use std::rc::Rc;

use actix_web::http::header::{HeaderName, HeaderValue};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::head::Head;
use super::shared::Shared;
use crate::log_context::{ID, Request};

/// Names the request in the log and in the answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What names the request in the log and in the answer: at most 64 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone)]
pub struct RequestId(Rc<Request>);

impl RequestId {
    /// The client's own id when it is a short plain word, else a new one.
    pub(super) fn of(head: &Head, shared: &Shared) -> Self {
        let plain = |id: &&HeaderValue| {
            let may_be = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            (1..=ID).contains(&id.len()) && id.as_bytes().iter().all(may_be)
        };
        let given = head.headers().get(REQUEST_ID).filter(plain);
        Self(given.map_or_else(|| Request::new(&text(shared.ids.next())), |given| Request::new(given.as_bytes())))
    }

    /// As a header has it.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.0.id_bytes()).unwrap_or(HeaderValue::from_static("-"))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.id()
    }

    /// What the log tells of the request.
    #[must_use]
    pub fn logged(&self) -> &Rc<Request> {
        &self.0
    }
}

fn text(id: Uuid) -> [u8; Hyphenated::LENGTH] {
    let mut text = [0; Hyphenated::LENGTH];
    id.hyphenated().encode_lower(&mut text);
    text
}
