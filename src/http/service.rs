//! What answers requests on one thread of the server.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Extensions;

use super::paths::Paths;
use super::shared::Shared;

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
}

impl Service {
    /// Puts it together.
    #[must_use]
    pub fn new(shared: Arc<Shared>, paths: Arc<Paths>, state: Extensions, listens_on: SocketAddr) -> Self {
        Self { shared, paths, state, listens_on }
    }
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}
