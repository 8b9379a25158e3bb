//! Places for requests: so many are worked on at once, and of so many bodies are read. Who finds none is told to come again.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::caller::Who;
use super::problem::Problem;

/// Places for requests; clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Kinds>);

#[derive(Debug)]
struct Kinds {
    work: Semaphore,
    bodies: Semaphore,
    /// Apart, so that those who show no token before they send one keep out nobody who has one.
    of_strangers: Semaphore,
}

impl Places {
    /// So many of each kind.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let [work, bodies, of_strangers] = [(); 3].map(|()| Semaphore::new(count));
        Self(Arc::new(Kinds { work, bodies, of_strangers }))
    }

    /// A place for a request that is worked on.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_work(&self) -> Result<SemaphorePermit<'_>, Problem> {
        free(&self.0.work, "requests")
    }

    /// A place for a body that is read.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_body(&self, who: Who) -> Result<SemaphorePermit<'_>, Problem> {
        match who {
            Who::Anyone => free(&self.0.of_strangers, "bodies of callers without a token"),
            _ => free(&self.0.bodies, "bodies"),
        }
    }
}

fn free<'a>(places: &'a Semaphore, of: &str) -> Result<SemaphorePermit<'a>, Problem> {
    places.try_acquire().map_err(|_| {
        tracing::info!("every place for {of} is taken");
        Problem::Busy
    })
}
