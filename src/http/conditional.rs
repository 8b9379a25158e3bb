//! Conditional reads (RFC 9110, 13): a client that has the newest answer is told so, and sent nothing.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::negotiation::Accepted;
use super::route::Call;
use crate::digest::Sha256;
use crate::encoding::Encoding;

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

impl Tag {
    /// Names a packed form of the same bytes.
    fn of_form(&self, form: Encoding) -> String {
        [self.0.trim_end_matches('"'), "-", form.as_str(), "\""].concat()
    }

    /// The names of all forms, that of the bytes themselves first.
    fn forms(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.0.clone()).chain(Encoding::ALL.into_iter().map(|form| self.of_form(form)))
    }
}

/// Whether an `If-None-Match` names this tag; a weak one of the same content is as good.
#[must_use]
pub fn names(tags: &str, tag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// Answers with a body as `application/hal+json`, or with a packed form of it that the client accepts; 304 when the client has it in any
/// form, each of which has a tag of its own.
///
/// It may be kept by the caller alone, who asks before each use whether it is still the same.
#[must_use]
pub fn answer<P, B>(
    call: &Call<P, B>,
    tag: &Tag,
    body: Bytes,
    packed: impl FnOnce(Encoding) -> Option<Bytes>,
) -> HttpResponse {
    let known = call.list(&header::IF_NONE_MATCH).and_then(|tags| tag.forms().find(|tag| names(&tags, tag)));
    if let Some(tag) = known {
        return head(HttpResponse::NotModified(), &tag).finish();
    }
    let accepted = call.list(&header::ACCEPT_ENCODING);
    let form = accepted.and_then(|accepted| Accepted::read(Some(&accepted)).choose(Encoding::ALL.into_iter()));
    let packed = form.and_then(|form| Some((form, packed(form)?)));
    let mut response = match &packed {
        Some((form, _)) => head(HttpResponse::Ok(), &tag.of_form(*form)),
        None => head(HttpResponse::Ok(), &tag.0),
    };
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/hal+json")));
    match packed {
        Some((form, bytes)) => response.insert_header((header::CONTENT_ENCODING, form.as_str())).body(bytes),
        None => response.body(body),
    }
}

fn head(mut response: HttpResponseBuilder, tag: &str) -> HttpResponseBuilder {
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .insert_header((header::VARY, HeaderValue::from_static("Accept-Encoding, Authorization, Accept-Language")));
    response
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
