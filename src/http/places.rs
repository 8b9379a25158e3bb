//! Places for requests: so many are worked on at once, and of so many bodies are read. Who finds none is told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::caller::Who;
use super::problem::Problem;

/// Places for requests; clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Kinds>);

#[derive(Debug)]
struct Kinds {
    work: Count,
    bodies: Count,
    /// Apart, so that those who show no token before they send one keep out nobody who has one.
    of_strangers: Count,
}

#[derive(Debug)]
struct Count {
    taken: AtomicUsize,
    most: usize,
}

/// A place, taken until this is dropped.
#[derive(Debug)]
pub struct Place<'a>(&'a Count);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// So many of each kind.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let [work, bodies, of_strangers] = [(); 3].map(|()| Count { taken: AtomicUsize::new(0), most: count });
        Self(Arc::new(Kinds { work, bodies, of_strangers }))
    }

    /// A place for a request that is worked on.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_work(&self) -> Result<Place<'_>, Problem> {
        free(&self.0.work, "requests")
    }

    /// A place for a body that is read.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_body(&self, who: Who) -> Result<Place<'_>, Problem> {
        match who {
            Who::Anyone => free(&self.0.of_strangers, "bodies of callers without a token"),
            _ => free(&self.0.bodies, "bodies"),
        }
    }
}

/// Nobody waits for a place, so a number does what a semaphore does with more. Who is refused counts for a moment, so that another may be
/// refused who would find a place just then.
fn free<'a>(places: &'a Count, of: &str) -> Result<Place<'a>, Problem> {
    let place = Place(places);
    if places.taken.fetch_add(1, Ordering::Relaxed) < places.most {
        return Ok(place);
    }
    tracing::info!("every place for {of} is taken");
    Err(Problem::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped_and_refusals_take_none() {
        let places = Places::new(2);
        let (one, two) = (places.for_work().unwrap(), places.for_work().unwrap());
        for _ in 0..3 {
            assert!(places.for_work().is_err());
        }
        let body = places.for_body(Who::User).unwrap();
        drop(two);
        let again = places.for_work().unwrap();
        assert!(places.for_work().is_err());
        drop((one, again, body));
        assert!(places.for_work().is_ok());
    }
}
