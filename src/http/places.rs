//! Places for requests: so many are worked on at once, and of so many bodies are read. Who finds none is told to come again.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::caller::Who;
use super::problem::Problem;

/// One of so many places for bodies may be taken by those who show no token before they send one: who has one is not kept out by them.
const STRANGERS_SHARE: usize = 4;

/// Places for requests; clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Kinds>);

#[derive(Debug)]
struct Kinds {
    work: Semaphore,
    bodies: Semaphore,
    of_strangers: Semaphore,
}

impl Places {
    /// So many for each of both.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let of_strangers = Semaphore::new((count / STRANGERS_SHARE).max(1));
        Self(Arc::new(Kinds { work: Semaphore::new(count), bodies: Semaphore::new(count), of_strangers }))
    }

    /// A place for a request that is worked on.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_work(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.0.work.try_acquire().map_err(|_| Problem::Busy)
    }

    /// A place for a body that is read.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_body(&self, who: Who) -> Result<SemaphorePermit<'_>, Problem> {
        let of = if who == Who::Anyone { &self.0.of_strangers } else { &self.0.bodies };
        of.try_acquire().map_err(|_| Problem::Busy)
    }
}
