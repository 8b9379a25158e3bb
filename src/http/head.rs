//! The head of a request: what is known of it before its body.

use std::net::SocketAddr;

use actix_http::header::HeaderMap;
use actix_http::{HttpMessage as _, Request};
use actix_web::dev::Url;
use actix_web::http::{Method, Uri};

/// The head of a request.
#[derive(Debug)]
pub struct Head {
    request: Request,
    /// The address that it came in at.
    listens_on: SocketAddr,
    /// Its path, where decoding changes it.
    decoded: Option<Url>,
}

impl Head {
    /// The head of a request that came in at this address.
    #[must_use]
    pub fn new(request: Request, listens_on: SocketAddr) -> Self {
        let decoded = request.path().as_bytes().contains(&b'%').then(|| Url::new(request.uri().clone()));
        Self { request, listens_on, decoded }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// Path and query.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        self.request.uri()
    }

    /// The path as it was sent.
    #[must_use]
    pub fn path(&self) -> &str {
        self.request.path()
    }

    /// The decoded path: all but `%`, `/` and `+`. What cannot be decoded is left as it is, and what is no UTF-8 then is U+FFFD; neither
    /// matches a pattern of ours.
    #[must_use]
    pub fn decoded_path(&self) -> &str {
        self.decoded.as_ref().map_or_else(|| self.request.path(), Url::path)
    }

    /// The segment of the decoded path that a pattern names `{name}`; that of the pattern's last segment is all of the rest. Empty when there
    /// is none.
    #[must_use]
    pub fn segment(&self, pattern: &str, name: &str) -> &str {
        let (mut left, mut rest) = (Some(pattern), self.decoded_path());
        while let Some(segments) = left {
            let (segment, others) = cut(segments);
            let (one, after) = if others.is_some() { cut(rest) } else { (rest, None) };
            if segment.strip_prefix('{').and_then(|named| named.strip_suffix('}')) == Some(name) {
                return one;
            }
            (left, rest) = (others, after.unwrap_or_default());
        }
        ""
    }

    /// The query as it was sent; empty when there is none.
    #[must_use]
    pub fn query_string(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// Who opened the connection.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.request.peer_addr()
    }

    /// The address that it came in at.
    #[must_use]
    pub fn listens_on(&self) -> SocketAddr {
        self.listens_on
    }
}

/// What stands before the first slash, and what after it. For the few bytes of a path a search made for long texts costs more.
fn cut(text: &str) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == b'/') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn segments_are_decoded_and_the_last_one_is_all_of_the_rest() {
        let segment = |path: &str, pattern: &str, name: &str| {
            let head = Head::new(TestRequest::with_uri(path).to_request(), "127.0.0.1:1".parse().unwrap());
            head.segment(pattern, name).to_owned()
        };
        for (path, pattern, name, expected) in [
            ("/a/x", "/a/{code}", "code", "x"),
            ("/a/x?b=/y", "/a/{code}", "code", "x"),
            ("/a/x/y", "/a/{code}", "code", "x/y"),
            ("/a/x/y/z", "/a/{code}/{path}", "path", "y/z"),
            ("/a/x/y/z", "/a/{code}/{path}", "code", "x"),
            ("/a/x/", "/a/{code}/{path}", "path", ""),
            ("/a/x", "/a/{code}/{path}", "path", ""),
            ("/a/x", "/a/{code}", "a", ""),
            ("/a/%C3%A9%2F%25/y", "/a/{code}/{path}", "code", "é%2F%25"),
            ("/%61/x", "/a/{code}", "code", "x"),
        ] {
            assert_eq!(segment(path, pattern, name), expected, "{path} {pattern} {name}");
        }
    }
}
