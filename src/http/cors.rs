//! Cross-origin requests from browsers: the configured origins, each by name, because requests carry tokens.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::head::Head;
use super::origin::PublicOrigin;

/// Addresses that no page calls: an integration's secret has no place in a browser.
const NOT_FOR_PAGES: [&str; 1] = ["/oauth2/access_token"];
/// Headers that a browser may send.
const SENT: &str = "Authorization, Content-Type, Accept-Language, If-None-Match, Idempotency-Key, X-Request-Id";
/// Headers that a page may read.
const READ: &str = "X-Request-Id, Retry-After, Allow, Location, ETag";

/// The answer to OPTIONS on a known path: what is allowed there, and for a browser's preflight of a configured origin the consent.
#[must_use]
pub fn options(head: &Head, allow: &str, origins: &[PublicOrigin]) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((header::ALLOW, allow));
    let asked = head.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if asked && matching(head, origins).is_some() {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, allow));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT));
        response.insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
    }
    response.finish()
}

/// Lets a configured origin's page read the answer. `Vary` stands there whenever origins are configured, so that no cache serves
/// one origin's answer to another.
pub fn mark(head: &Head, headers: &mut HeaderMap, origins: &[PublicOrigin]) {
    if origins.is_empty() {
        return;
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = matching(head, origins) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if *head.method() != Method::OPTIONS {
            headers.insert(HeaderName::from_static("access-control-expose-headers"), HeaderValue::from_static(READ));
        }
    }
}

fn matching<'a>(head: &'a Head, origins: &[PublicOrigin]) -> Option<&'a HeaderValue> {
    head.headers()
        .get(header::ORIGIN)
        .filter(|_| !NOT_FOR_PAGES.contains(&head.path()))
        .filter(|origin| origins.iter().any(|known| known.as_str().as_bytes() == origin.as_bytes()))
}
