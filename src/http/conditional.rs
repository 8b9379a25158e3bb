//! Conditional reads (RFC 9110, 13): a client that has the newest answer is told so, and sent nothing.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::negotiation::Accepted;
use super::route::Call;
use crate::digest::Sha256;
use crate::encoding::Encoding;

/// Names the bytes of an answer: the same tag, the same bytes.
#[derive(Debug, Clone)]
pub struct Tag {
    bytes: HeaderValue,
    /// The names of packed forms of the same bytes, in the order of [`Encoding::ALL`].
    packed: [HeaderValue; Encoding::ALL.len()],
}

impl Tag {
    /// Of everything that the bytes are made from. The program's version is part of it, for another one may write them otherwise.
    #[must_use]
    pub fn of(parts: &[u8]) -> Self {
        let digest = Sha256::of(&[env!("CARGO_PKG_VERSION").as_bytes(), b"\n", parts]).to_string();
        // 128 bits of it are enough to tell answers apart.
        let (name, _) = digest.split_at(32);
        let packed = Encoding::ALL.map(|form| quoted(&[name, "-", form.as_str()]));
        Self { bytes: quoted(&[name]), packed }
    }

    /// The name of a packed form, or of the bytes themselves.
    fn of_form(&self, form: Option<Encoding>) -> HeaderValue {
        form.and_then(|form| self.packed.get(form.place())).unwrap_or(&self.bytes).clone()
    }

    /// The first name of these bytes, in any form, that an `If-None-Match` has.
    fn named_by(&self, tags: &str) -> Option<&HeaderValue> {
        let all = || std::iter::once(&self.bytes).chain(&self.packed);
        // Most clients name the one that they have.
        let is_all = |tag: &&HeaderValue| tag.as_bytes() == tags.as_bytes();
        all().find(is_all).or_else(|| all().find(|tag| tag.to_str().is_ok_and(|tag| names(tags, tag))))
    }
}

/// Words in quotes. Those of a tag are letters and digits, which a header can hold.
fn quoted(words: &[&str]) -> HeaderValue {
    let text = ["\"", &words.concat(), "\""].concat();
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("\"\""))
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
    body: &Bytes,
    packed: impl FnOnce(Encoding) -> Option<Bytes>,
) -> HttpResponse {
    if let Some(known) = call.list(&header::IF_NONE_MATCH).and_then(|tags| tag.named_by(&tags)) {
        return head(HttpResponse::NotModified(), known.clone()).finish();
    }
    let accepted = call.list(&header::ACCEPT_ENCODING);
    let form = accepted.and_then(|accepted| Accepted::read(Some(&accepted)).choose(Encoding::ALL.into_iter()));
    let packed = form.and_then(|form| Some((form, packed(form)?)));
    let mut response = head(HttpResponse::Ok(), tag.of_form(packed.as_ref().map(|(form, _)| *form)));
    response.append_header((header::CONTENT_TYPE, HeaderValue::from_static("application/hal+json")));
    match packed {
        Some((form, bytes)) => response.append_header((header::CONTENT_ENCODING, form.as_str())).body(bytes),
        None => response.body(body.clone()),
    }
}

fn head(mut response: HttpResponseBuilder, tag: HeaderValue) -> HttpResponseBuilder {
    response
        .append_header((header::ETAG, tag))
        .append_header((header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
        .append_header((header::VARY, HeaderValue::from_static("Accept-Encoding, Authorization, Accept-Language")));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_in_lists() {
        let x = Tag::of(b"x");
        let tag = x.bytes.to_str().unwrap().to_owned();
        assert_eq!(tag.len(), 34);
        assert_ne!(Tag::of(b"y").bytes, x.bytes);
        for tags in [tag.clone(), format!("W/{tag}"), format!("\"a\" ,{tag}"), "*".to_owned()] {
            assert!(names(&tags, &tag), "{tags}");
        }
        for tags in ["", "\"a\"", tag.trim_matches('"'), "w/*"] {
            assert!(!names(tags, &tag), "{tags}");
        }
        for form in std::iter::once(None).chain(Encoding::ALL.map(Some)) {
            let named = x.of_form(form);
            assert_eq!(x.named_by(&format!("\"a\", {}", named.to_str().unwrap())), Some(&named));
        }
        for (form, end) in [(Encoding::Gzip, "-gzip\""), (Encoding::Brotli, "-br\""), (Encoding::Zstd, "-zstd\"")] {
            let name = x.of_form(Some(form));
            assert_eq!(name.to_str().unwrap(), [tag.trim_end_matches('"'), end].concat());
        }
    }
}
