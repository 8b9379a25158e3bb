//! The one table of everything that can go wrong with a request, and its form on the wire: RFC 7807 as the real service writes it.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use super::grant::GrantError;
use super::violation::FieldError;
use crate::database::Failure;
use crate::sealing::Fault;

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub enum Problem {
    /// No token, or one that was refused; the reason is in the log only.
    Unauthorized,
    /// The token does not give the right to call this; what is missing, where it may be told.
    Forbidden(Option<Cow<'static, str>>),
    /// Nothing is at this address.
    NoRoute {
        /// The request's method.
        method: Method,
        /// The full address.
        url: String,
    },
    /// The address takes other methods.
    WrongMethod {
        /// The request's method.
        method: Method,
        /// The value of `Allow`.
        allow: String,
    },
    /// The widget does not exist, or this caller may not see it.
    NoWidget,
    /// The widget has no such version.
    NoVersion,
    /// There is no such file, it is not served, or this caller may not see its widget.
    NoFile,
    /// The file, of this many bytes, has no such range.
    NoRange(u64),
    /// The integration does not exist, or is somebody else's.
    NoIntegration,
    /// The record that waits does not exist, belongs to somebody else, or waits no more.
    NoContinuation,
    /// The account has no such delivery.
    NoDelivery,
    /// The widget sent nothing that is named so.
    NoValue,
    /// The account has no webhook secret yet.
    NoWebhookSecret,
    /// The body or the query is not what this method takes.
    Malformed(String),
    /// Values of the request break rules; all of them at once.
    Invalid(Vec<FieldError>),
    /// The archive breaks rules; `findings` is a JSON array.
    ArchiveRefused {
        /// How many findings are errors.
        errors: usize,
        /// Everything that was found.
        findings: Box<RawValue>,
    },
    /// Tokens are not granted.
    Grant(GrantError),
    /// What exists stands against it.
    Conflict(String),
    /// The idempotency key was used with other bytes.
    KeyReused,
    /// The body is larger than this many bytes.
    BodyTooLarge(usize),
    /// The body's type is not understood; what is.
    WrongMediaType(&'static str),
    /// The body is compressed.
    WrongEncoding,
    /// Path or query is longer than this many bytes.
    UriTooLong(usize),
    /// The headers are larger than this many bytes.
    HeadersTooLarge(usize),
    /// The body did not come in time.
    BodyTimeout,
    /// The account or integration sends more than it may; seconds until the next is taken.
    TooManyRequests(u64),
    /// Too much is being worked on.
    Busy,
    /// The database cannot answer in time.
    DatabaseUnavailable,
    /// The handler did not answer in time.
    HandlerTimeout,
    /// A fault of ours.
    Internal,
}

/// Seconds after which a client should try again.
const SOON: u64 = 1;

impl Problem {
    /// Status and detail, one row each.
    #[rustfmt::skip]
    fn row(&self) -> (StatusCode, Cow<'_, str>) {
        use StatusCode as S;
        match self {
            Self::Unauthorized                  => (S::UNAUTHORIZED, "Invalid user name or password".into()),
            Self::Forbidden(None)               => (S::FORBIDDEN, "Insufficient rights to call this method".into()),
            Self::Forbidden(Some(why))          => (S::FORBIDDEN, format!("Insufficient rights to call this method: {why}").into()),
            Self::NoRoute { method, url }       => (S::NOT_FOUND, format!("Cannot {method} {url}").into()),
            Self::WrongMethod { method, allow } => (S::METHOD_NOT_ALLOWED, format!("{method} is not allowed here; allowed: {allow}").into()),
            Self::NoWidget                      => (S::NOT_FOUND, "Widget isn't found or is unavailable".into()),
            Self::NoVersion                     => (S::NOT_FOUND, "The widget has no such version".into()),
            Self::NoFile                        => (S::NOT_FOUND, "File isn't found or is unavailable".into()),
            Self::NoIntegration                 => (S::NOT_FOUND, "Integration isn't found".into()),
            Self::NoContinuation                => (S::NOT_FOUND, "Record of the widget awaiting the execution result was not found".into()),
            Self::NoDelivery                    => (S::NOT_FOUND, "The account has no such delivery".into()),
            Self::NoValue                       => (S::NOT_FOUND, "The widget sent nothing at this key".into()),
            Self::NoWebhookSecret               => (S::NOT_FOUND, "The account has no webhook secret yet; make one with POST".into()),
            Self::Malformed(detail)             => (S::BAD_REQUEST, detail.as_str().into()),
            Self::Invalid(_)                    => (S::BAD_REQUEST, "Request validation failed".into()),
            Self::ArchiveRefused { errors, .. } => (S::BAD_REQUEST, format!("The archive was refused: {errors} error(s), see `findings`").into()),
            Self::Grant(error)                  => (error.code().0, error.detail().into()),
            Self::Conflict(detail)              => (S::CONFLICT, detail.as_str().into()),
            Self::KeyReused                     => (S::UNPROCESSABLE_ENTITY, "This Idempotency-Key was used with another request; use a new key".into()),
            Self::NoRange(size)                 => (S::RANGE_NOT_SATISFIABLE, format!("The file has {size} bytes; the range is outside").into()),
            Self::BodyTooLarge(limit)           => (S::PAYLOAD_TOO_LARGE, format!("The body is larger than {limit} bytes").into()),
            Self::WrongMediaType(takes)         => (S::UNSUPPORTED_MEDIA_TYPE, format!("The body must be sent as {takes}").into()),
            Self::WrongEncoding                 => (S::UNSUPPORTED_MEDIA_TYPE, "The body must be sent without Content-Encoding".into()),
            Self::UriTooLong(limit)             => (S::URI_TOO_LONG, format!("The path or the query is longer than {limit} bytes").into()),
            Self::HeadersTooLarge(limit)        => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, format!("The headers are larger than {limit} bytes").into()),
            Self::BodyTimeout                   => (S::REQUEST_TIMEOUT, "The body did not arrive in time".into()),
            Self::TooManyRequests(_)            => (S::TOO_MANY_REQUESTS, "Too many requests; wait and try again".into()),
            Self::Busy                          => (S::SERVICE_UNAVAILABLE, "The service is busy; try again in a moment".into()),
            Self::DatabaseUnavailable           => (S::SERVICE_UNAVAILABLE, "The database cannot answer now; try again in a moment".into()),
            Self::HandlerTimeout                => (S::SERVICE_UNAVAILABLE, "The request took too long; try again in a moment".into()),
            Self::Internal                      => (S::INTERNAL_SERVER_ERROR, "An unexpected error occurred; the log names it by the request id".into()),
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.row().0
    }

    /// The answer: the body's members in the order in which the real service sends them.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        let (status, detail) = self.row();
        let retry_after = match self {
            Self::TooManyRequests(seconds) => Some(*seconds),
            Self::Busy | Self::DatabaseUnavailable | Self::HandlerTimeout => Some(SOON),
            _ => None,
        };
        let grant = match self {
            Self::Grant(error) => Some(error),
            _ => None,
        };
        let body = ProblemBody {
            hint: grant.and_then(GrantError::hint),
            validation_errors: match self {
                Self::Invalid(errors) => Some([RequestErrors { request_id: "0", errors }]),
                _ => None,
            },
            title: status.canonical_reason().unwrap_or("Error"),
            r#type: format!("https://httpstatus.es/{}", status.as_u16()),
            status: status.as_u16(),
            detail: &detail,
            retry_after: retry_after.filter(|_| matches!(self, Self::TooManyRequests(_))),
            findings: match self {
                Self::ArchiveRefused { findings, .. } => Some(findings),
                _ => None,
            },
            error: grant.map(|error| error.code().1),
        };
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match self {
            Self::WrongMethod { allow, .. } => {
                response.insert_header((header::ALLOW, allow.as_str()));
            }
            Self::NoRange(size) => {
                response.insert_header((header::CONTENT_RANGE, format!("bytes */{size}")));
            }
            Self::Unauthorized | Self::Grant(GrantError::RefreshToken) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            // RFC 6749, 5.2: the way in which clients authenticate.
            Self::Grant(GrantError::Client) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"widget-registry\""));
            }
            _ => {}
        }
        // The body holds texts, numbers and JSON that was valid before; if it cannot be written, the status still tells.
        response.body(serde_json::to_vec(&body).unwrap_or_default())
    }
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(rename = "validation-errors", skip_serializing_if = "Option::is_none")]
    validation_errors: Option<[RequestErrors<'a>; 1]>,
    title: &'static str,
    r#type: String,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

/// The errors of one item of a batch. No method here takes batches, so the only item is "0".
#[derive(Serialize)]
struct RequestErrors<'a> {
    request_id: &'static str,
    errors: &'a [FieldError],
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(source) => {
                tracing::warn!(error = %source, "the database did not answer");
                Self::DatabaseUnavailable
            }
            Failure::Unexpected(source) => {
                tracing::error!(error = %source, "the database refused a statement");
                Self::Internal
            }
            Failure::Corrupt { table, row, why } => {
                tracing::error!(table, row, why, "a row of the database cannot be read");
                Self::Internal
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(failure) => failure.into(),
            Fault::Unopened { .. }
            | Fault::Unsealed { .. }
            | Fault::Missing { .. }
            | Fault::Ring(_)
            | Fault::NoRandomness(_)
            | Fault::Refused => {
                tracing::error!(error = %fault, "what is secret cannot be sealed or opened");
                Self::Internal
            }
        }
    }
}
