//! Data keys that were used lately, ready for use.

use std::collections::HashMap;
use std::sync::Arc;

use super::envelope::DataKey;
use crate::auth::AccountId;

/// Keys of a generation: two of them are kept, some megabytes.
const GENERATION: usize = 5_000;

/// What is looked for: a data key by its number, or the account's newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    /// The one of this number.
    Numbered(AccountId, i32),
    /// The newest.
    Newest(AccountId),
}

/// A key, and until when it counts, in seconds since 1970; `None` for ever.
#[derive(Debug, Clone)]
struct Kept {
    key: Arc<DataKey>,
    until: Option<i64>,
}

/// Two generations of keys: when the young one is full it becomes the old one, and the old one is forgotten. A key that is used in time
/// becomes young again.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: HashMap<Wanted, Kept>,
    old: HashMap<Wanted, Kept>,
}

impl Cache {
    pub(super) fn get(&mut self, wanted: Wanted, now: i64) -> Option<Arc<DataKey>> {
        let kept = self.young.get(&wanted).or_else(|| self.old.get(&wanted))?.clone();
        if kept.until.is_some_and(|until| until <= now) {
            return None;
        }
        if !self.young.contains_key(&wanted) {
            self.keep(wanted, kept.clone());
        }
        Some(kept.key)
    }

    pub(super) fn put(&mut self, wanted: Wanted, key: Arc<DataKey>, until: Option<i64>) {
        self.keep(wanted, Kept { key, until });
    }

    fn keep(&mut self, wanted: Wanted, kept: Kept) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(wanted, kept);
    }
}
