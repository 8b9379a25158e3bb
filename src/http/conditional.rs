//! Conditional reads (RFC 9110, 13): a client that has the newest answer is told so, and sent nothing.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;

use super::route::Call;
use crate::digest::Sha256;

/// Names the bytes of an answer: the same tag, the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// Of everything that the bytes are made from. The program's version is part of it, for another one may write them otherwise.
    #[must_use]
    pub fn of(parts: &[u8]) -> Self {
        let digest = Sha256::of(&[env!("CARGO_PKG_VERSION").as_bytes(), b"\n", parts]).to_string();
        // 128 bits of it are enough to tell answers apart.
        Self(["\"", digest.split_at(32).0, "\""].concat())
    }
}

/// Whether an `If-None-Match` names this tag; a weak one of the same content is as good.
#[must_use]
pub fn names(tags: &str, tag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// Answers with a body as `application/hal+json`, or 304 when the client has it.
///
/// It may be kept by the caller alone, who asks before each use whether it is still the same.
#[must_use]
pub fn answer<P, B>(call: &Call<P, B>, Tag(tag): &Tag, body: Bytes) -> HttpResponse {
    let known = call.list(&header::IF_NONE_MATCH).is_some_and(|tags| names(&tags, tag));
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::ETAG, tag.as_str()))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .insert_header((header::VARY, HeaderValue::from_static("Authorization, Accept-Language")));
    if known {
        return response.finish();
    }
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/hal+json"))).body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_lists() {
        let Tag(tag) = Tag::of(b"x");
        assert_eq!(tag.len(), 34);
        assert_ne!(Tag::of(b"y"), Tag::of(b"x"));
        for tags in [tag.clone(), format!("W/{tag}"), format!("\"a\" ,{tag}"), "*".to_owned()] {
            assert!(names(&tags, &tag), "{tags}");
        }
        for tags in ["", "\"a\"", tag.trim_matches('"'), "w/*"] {
            assert!(!names(tags, &tag), "{tags}");
        }
    }
}
