//! What answers requests on one thread of the server.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Extensions;
use actix_web::http::header;

use super::head::Head;
use super::origin;
use super::paths::Paths;
use super::shared::Shared;

/// A `Host`, and what links of an answer begin with for it.
type Named = (Box<[u8]>, Rc<str>);

/// What answers requests on one thread. Requests count for their thread alone that they use it: counts that threads share cost them time.
#[derive(Debug)]
pub struct Service {
    /// What every request shares.
    pub shared: Arc<Shared>,
    /// The route table.
    pub(super) paths: Arc<Paths>,
    /// What features keep for all requests, by its type.
    pub(super) state: Extensions,
    /// The address that requests come in at.
    pub(super) listens_on: SocketAddr,
    /// The `Host` of a request before, and what links of its answer began with. Clients name the same one again and again.
    named: RefCell<Option<Named>>,
}

impl Service {
    /// Puts it together.
    #[must_use]
    pub fn new(shared: Arc<Shared>, paths: Arc<Paths>, state: Extensions, listens_on: SocketAddr) -> Self {
        Self { shared, paths, state, listens_on, named: RefCell::default() }
    }

    /// What links of an answer begin with, see [`origin::of_request`].
    pub(super) fn origin(&self, head: &Head) -> Rc<str> {
        let (public_url, trusted) = (self.config.public_url.as_ref(), &self.config.trusted_proxies);
        let of_request = || origin::of_request(head, public_url, trusted).into();
        // With a proxy it depends on more than the host.
        let host = head.headers().get(header::HOST).filter(|_| trusted.is_empty());
        let (Some(host), Ok(mut named)) = (host, self.named.try_borrow_mut()) else { return of_request() };
        match named.as_ref() {
            Some((known, origin)) if **known == *host.as_bytes() => origin.clone(),
            // A copy: what is shared would keep the whole of what was read with it.
            _ => named.insert((host.as_bytes().into(), of_request())).1.clone(),
        }
    }
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}
