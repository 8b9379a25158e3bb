//! Transactions that change what somebody keeps in memory: how many have ended, so that the next reader knows that it must look anew.
//!
//! A handler ends wherever it waits when its client goes away, also while its COMMIT is on the way. So it is not the handler that says
//! that something has changed, but the end of a value that it made before the transaction began, whatever it ends by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Failure, Transaction, in_any_case};
use crate::auth::AccountId;

/// Counts that accounts share, so that there are not as many of them as accounts: 40 bytes each.
const COUNTS: usize = 4_096;

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

    /// Whether exactly one is under way.
    #[must_use]
    pub fn is_only_one_under_way(&self) -> bool {
        let ended = self.0.ended.load(Ordering::Acquire);
        self.0.begun.load(Ordering::Acquire) == ended + 1
    }

    /// How many have ended. What ended before is in the database when this is asked, or else is `unsure`.
    #[must_use]
    pub fn ended(&self) -> Ended {
        // The other way round than they are counted: who sees an end sees whether it was sure.
        let all = self.0.ended.load(Ordering::Acquire);
        Ended { all, unsure: self.0.unsure.load(Ordering::Acquire) }
    }
}

/// [`Writes`] that change what belongs to an account. Several accounts share a count: who keeps something of one of them looks anew too
/// often, never too seldom.
#[derive(Debug, Clone)]
pub struct AccountWrites(Arc<[Writes; COUNTS]>);

impl Default for AccountWrites {
    fn default() -> Self {
        Self(Arc::new(std::array::from_fn(|_| Writes::default())))
    }
}

impl AccountWrites {
    /// The place of an account's count among all.
    #[must_use]
    pub fn place(account: AccountId) -> usize {
        usize::try_from(account.get().unsigned_abs() % COUNTS as u64).unwrap_or_default()
    }

    /// An account's count.
    #[must_use]
    pub fn of(&self, account: AccountId) -> &Writes {
        #[expect(clippy::indexing_slicing, reason = "a place is less than the number of counts")]
        &self.0[Self::place(account)]
    }

    /// Every count, in the order of places.
    pub fn iter(&self) -> impl Iterator<Item = &Writes> {
        self.0.iter()
    }

    /// Begins one that changes what belongs to any accounts.
    #[must_use]
    pub fn begin_everywhere(&self) -> Vec<Write> {
        self.iter().map(Writes::begin).collect()
    }
}

/// A transaction under way. When it is dropped, the transaction counts as ended.
#[derive(Debug)]
pub struct Write {
    counts: Arc<Counts>,
    is_unsure: bool,
}

/// Commits a transaction that was begun under these.
///
/// # Errors
///
/// When the database fails; then it is not known whether the transaction is committed.
pub async fn commit(transaction: Transaction, mut writes: Vec<Write>) -> Result<(), Failure> {
    writes.iter_mut().for_each(Write::commits);
    transaction.commit().await?;
    writes.into_iter().for_each(Write::committed);
    Ok(())
}

/// Has a statement done that commits by itself, under this one, whether or not anybody waits for it any more: what is on its way to the
/// database would be done all the same, perhaps after the moment from which nobody expects it any more.
///
/// # Errors
///
/// Those of the statement. When it was refused ([`Failure::is_refusal`]) nothing is committed; after any other it is not known.
pub async fn commit_by<T: Send + 'static>(
    statement: impl Future<Output = Result<T, Failure>> + Send + 'static,
    mut write: Write,
) -> Result<T, Failure> {
    let done = async move {
        write.commits();
        let done = statement.await;
        if done.as_ref().err().is_none_or(Failure::is_refusal) {
            write.committed();
        }
        done
    };
    in_any_case(done).await
}

impl Write {
    /// Says that COMMIT is about to be sent: until it is answered, nobody knows what comes of the transaction.
    pub fn commits(&mut self) {
        self.is_unsure = true;
    }

    /// Says that it is known what came of the transaction: who reads now finds what it wrote, if anything.
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
