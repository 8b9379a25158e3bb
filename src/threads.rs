//! The threads that answer requests, and what each of them has for itself: what threads change by turns moves from processor to processor,
//! which takes longer than the change.

use std::cell::Cell;

thread_local! {
    /// Its number among those that answer requests.
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// This thread's number among those that answer requests; `None` for every other.
#[must_use]
pub fn number() -> Option<usize> {
    NUMBER.get()
}

/// Says that this thread is one of those that answer requests, by its number from 0; every other thread does what is done beside them.
pub fn answers_requests(number: usize) {
    NUMBER.set(Some(number));
}

/// So many threads have a [`PerThread`] of their own; those of higher numbers share theirs with others.
pub const MOST: usize = 16;

/// As much as processors take from each other at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

/// One for each thread that answers requests, and one for all others.
#[derive(Debug)]
pub struct PerThread<T> {
    answering: [Apart<T>; MOST],
    others: T,
}

impl<T: Default> Default for PerThread<T> {
    fn default() -> Self {
        Self { answering: std::array::from_fn(|_| Apart::default()), others: T::default() }
    }
}

impl<T> PerThread<T> {
    /// This thread's. Another one may have it too.
    #[must_use]
    pub fn own(&self) -> &T {
        self.of_this_thread().unwrap_or(&self.others)
    }

    /// This thread's, if it answers requests. Another one may have it too.
    #[must_use]
    pub fn of_this_thread(&self) -> Option<&T> {
        self.answering.get(number()? % MOST).map(|Apart(own)| own)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.answering.iter().map(|Apart(own)| own).chain(std::iter::once(&self.others))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn threads_have_their_own_and_nothing_is_left_out() {
        let counts: PerThread<AtomicU64> = PerThread::default();
        std::thread::scope(|scope| {
            for thread in 0..40 {
                let counts = &counts;
                scope.spawn(move || {
                    if thread > 0 {
                        answers_requests(thread - 1);
                    }
                    let own = std::ptr::from_ref(counts.own());
                    assert!(counts.iter().any(|one| std::ptr::eq(one, own)));
                    counts.own().fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        // 39 threads with numbers, and one without.
        assert_eq!(counts, [&[3; 7][..], &[2; 9], &[1]].concat());
    }
}
