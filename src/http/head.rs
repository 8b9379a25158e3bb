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
