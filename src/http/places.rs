//! Places for requests: so many are worked on at once, and of so many bodies are read. Who finds none is told to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::caller::Who;
use super::problem::Problem;
use crate::threads::{self, PerThread};

/// Places for requests; clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Kinds>);

#[derive(Debug)]
struct Kinds {
    /// Of the places for work each thread has one for itself, where there are enough: what is answered at once needs no other. Whether it is
    /// taken.
    own: Option<PerThread<AtomicBool>>,
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
pub struct Place<'a>(Taken<'a>);

#[derive(Debug)]
enum Taken<'a> {
    Own(&'a AtomicBool),
    OneOf(&'a Count),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        match self.0 {
            Taken::Own(own) => own.store(false, Ordering::Release),
            Taken::OneOf(places) => {
                places.taken.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

/// So many of the places are left for each thread at least when each has one for itself. A thread cannot take those of others.
const ENOUGH: usize = 4;

impl Places {
    /// So many of each kind, for so many threads.
    #[must_use]
    pub fn new(count: usize, threads: usize) -> Self {
        let with_own = threads.min(threads::MOST);
        let own = (count > (ENOUGH + 1) * with_own).then(PerThread::default);
        let shared = if own.is_some() { count - with_own } else { count };
        let [work, bodies, of_strangers] =
            [shared, count, count].map(|most| Count { taken: AtomicUsize::new(0), most });
        Self(Arc::new(Kinds { own, work, bodies, of_strangers }))
    }

    /// A place for a request that is worked on.
    ///
    /// # Errors
    ///
    /// 503 when there is none.
    pub fn for_work(&self) -> Result<Place<'_>, Problem> {
        let own = self.0.own.as_ref().and_then(PerThread::of_this_thread);
        if let Some(own) = own.filter(|own| !own.swap(true, Ordering::Acquire)) {
            return Ok(Place(Taken::Own(own)));
        }
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
    let place = Place(Taken::OneOf(places));
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
        let places = Places::new(2, 1);
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

    #[test]
    fn a_thread_has_one_for_itself_and_there_are_no_more_of_them() {
        let places = Places::new(20, 2);
        let taken = |number: usize, count: usize| {
            std::thread::scope(|scope| {
                let work = || {
                    threads::answers_requests(number);
                    std::iter::from_fn(|| places.for_work().ok()).take(count).collect::<Vec<_>>()
                };
                scope.spawn(work).join().unwrap()
            })
        };
        let first = taken(0, 99);
        assert_eq!(first.len(), 19);
        let second = taken(1, 99);
        assert_eq!(second.len(), 1);
        assert!(places.for_work().is_err(), "other threads have none of their own");
        drop(second);
        assert_eq!(taken(0, 99).len(), 0);
        let second = taken(1, 99);
        assert_eq!(second.len(), 1);
        drop((first, second));
        assert_eq!(taken(1, 99).len(), 19);
    }
}
