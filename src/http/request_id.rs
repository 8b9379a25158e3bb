//! The name of a request.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;

use super::shared::Shared;

/// Names the request in the log and in the answer.
pub const REQUEST_ID: &str = "x-request-id";

/// What names the request in the log and in the answer: at most 64 characters of `[A-Za-z0-9._-]`.
#[derive(Debug, Clone)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's own id when it is a short plain word, else a new one.
    pub(super) fn of(request: &HttpRequest, shared: &Shared) -> Self {
        let plain = |id: &&HeaderValue| {
            let may_be = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            (1..=64).contains(&id.len()) && id.as_bytes().iter().all(may_be)
        };
        let new = || {
            let id = Bytes::from(shared.ids.next().to_string());
            HeaderValue::from_maybe_shared(id).unwrap_or(HeaderValue::from_static("-"))
        };
        Self(request.headers().get(REQUEST_ID).filter(plain).cloned().unwrap_or_else(new))
    }

    /// As a header has it.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}
