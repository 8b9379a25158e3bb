//! Transactions that change what somebody keeps in memory: how many have ended, so that the next reader knows that it must look anew.
//!
//! A handler ends wherever it waits when its client goes away, also while its COMMIT is on the way. So it is not the handler that says
//! that something has changed, but the end of a value that it made before the transaction began, whatever it ends by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts transactions that have ended; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Writes(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    ended: AtomicU64,
    unsure: AtomicU64,
}

/// How many transactions have ended so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// All of them.
    pub all: u64,
    /// Those of which nobody knows what came of them: their COMMIT may still be on its way to the database.
    pub unsure: u64,
}

impl Writes {
    /// Is to be kept from before the transaction begins until it has ended.
    #[must_use]
    pub fn begin(&self) -> Write {
        self.0.begun.fetch_add(1, Ordering::AcqRel);
        Write { counts: self.0.clone(), is_unsure: false }
    }

    /// Whether one is under way: it may be committed already, though nobody here knows it yet.
    #[must_use]
    pub fn are_under_way(&self) -> bool {
        let ended = self.0.ended.load(Ordering::Acquire);
        self.0.begun.load(Ordering::Acquire) != ended
    }

    /// How many have ended. What ended before is in the database when this is asked, or else is `unsure`.
    #[must_use]
    pub fn ended(&self) -> Ended {
        // The other way round than they are counted: who sees an end sees whether it was sure.
        let all = self.0.ended.load(Ordering::Acquire);
        Ended { all, unsure: self.0.unsure.load(Ordering::Acquire) }
    }
}

/// A transaction under way. When it is dropped, the transaction counts as ended.
#[derive(Debug)]
pub struct Write {
    counts: Arc<Counts>,
    is_unsure: bool,
}

impl Write {
    /// Says that COMMIT is about to be sent: until it is answered, nobody knows what comes of the transaction.
    pub fn commits(&mut self) {
        self.is_unsure = true;
    }

    /// Says that the transaction is committed: who reads now finds what it wrote.
    pub fn committed(mut self) {
        self.is_unsure = false;
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if self.is_unsure {
            self.counts.unsure.fetch_add(1, Ordering::Release);
        }
        self.counts.ended.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_ends_counts_and_tells_whether_it_is_sure() {
        let writes = Writes::default();
        let (mut one, mut other, refused) = (writes.begin(), writes.clone().begin(), writes.begin());
        one.commits();
        other.commits();
        assert_eq!(writes.ended(), Ended { all: 0, unsure: 0 });
        assert!(writes.are_under_way());
        one.committed();
        assert_eq!(writes.ended(), Ended { all: 1, unsure: 0 });
        drop(other);
        assert_eq!(writes.ended(), Ended { all: 2, unsure: 1 });
        drop(refused);
        assert_eq!(writes.ended(), Ended { all: 3, unsure: 1 });
        assert!(!writes.are_under_way());
    }
}
