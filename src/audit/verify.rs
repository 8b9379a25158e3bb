//! Checking a chain: whether an entry was changed, taken out, put in, moved, or cut off at the end.

use std::collections::BTreeMap;
use std::fmt;

use super::store::{self, End};
use super::{Entry, anchor::Anchor};
use crate::database::{Connection, Failure};
use crate::digest::Sha256;

/// Entries that are read at once.
const BATCH: i64 = 1_000;

/// What is wrong with a chain, and at which of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The account, or 0.
    pub account: i64,
    /// The number of the entry.
    pub seq: i64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What can be wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The entry is not there.
    Missing,
    /// The entry is not what was hashed, or does not go on from the one before.
    Altered,
    /// The entries from this one on are not there: the head, or an anchor, knows of more.
    CutOff,
    /// The head does not know of the entry, or is not there itself.
    Beyond,
    /// The entry is the last, and the head has another hash of it.
    Head,
    /// The entry has another hash than its anchor: it, or what stands before it, was written anew.
    Rewritten,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, seq, kind } = self;
        let what = match kind {
            FaultKind::Missing => "is missing",
            FaultKind::Altered => "was changed, or does not follow the one before",
            FaultKind::CutOff => "is missing, with all that came after",
            FaultKind::Beyond => "is there, but the chain's head does not know of it",
            FaultKind::Head => "is the last, but the chain's head has another hash of it",
            FaultKind::Rewritten => "is not the one of the anchor: the chain was written anew",
        };
        write!(f, "account {account}: entry {seq} {what}")
    }
}

/// A walk along a chain, from its first entry on.
#[derive(Debug)]
struct Walk<'a> {
    account: i64,
    next: i64,
    hash: Option<Sha256>,
    anchors: Option<&'a BTreeMap<i64, Sha256>>,
}

impl Walk<'_> {
    fn fault(&self, seq: i64, kind: FaultKind) -> Fault {
        Fault { account: self.account, seq, kind }
    }

    fn step(&mut self, entry: &Entry) -> Result<(), Fault> {
        if entry.seq > self.next {
            return Err(self.fault(self.next, FaultKind::Missing));
        }
        let hash = entry.hash_after(self.hash);
        if entry.seq < self.next || entry.hash != Some(hash) {
            return Err(self.fault(entry.seq, FaultKind::Altered));
        }
        if self.anchors.and_then(|anchors| anchors.get(&entry.seq)).is_some_and(|anchor| *anchor != hash) {
            return Err(self.fault(entry.seq, FaultKind::Rewritten));
        }
        self.hash = Some(hash);
        self.next += 1;
        Ok(())
    }

    /// Whether the chain ends where its head and its anchors say.
    fn end(&self, head: (i64, Option<Sha256>)) -> Result<(), Fault> {
        let (entries, hash) = head;
        let anchored = self.anchors.and_then(|anchors| anchors.keys().next_back()).copied().unwrap_or(0);
        if self.next <= entries.max(anchored) {
            return Err(self.fault(self.next, FaultKind::CutOff));
        }
        if hash != self.hash {
            return Err(self.fault(entries, FaultKind::Head));
        }
        Ok(())
    }
}

/// Checks the chain of one account, in batches; others may append to it meanwhile. Returns where it ends, or the first fault.
///
/// # Errors
///
/// When the database fails.
pub async fn account(
    connection: &mut Connection,
    account: i64,
    anchors: Option<&BTreeMap<i64, Sha256>>,
) -> Result<Result<Option<Anchor>, Fault>, Failure> {
    let mut walk = Walk { account, next: 1, hash: None, anchors };
    // What is appended after this look is not looked at.
    let End { head, last } = store::end(connection, account).await?;
    let (entries, hash) = head.unwrap_or((0, None));
    if let Some(last) = last.filter(|last| *last > entries) {
        let first = if head.is_none() { 1 } else { entries + 1 };
        return Ok(Err(walk.fault(first.min(last), FaultKind::Beyond)));
    }
    let mut after = None;
    while walk.next <= entries {
        let batch = store::entries(connection, account, after, BATCH.min(entries - walk.next + 1)).await?;
        let Some(last) = batch.last() else { break };
        after = Some(last.seq);
        for entry in &batch {
            if let Err(fault) = walk.step(entry) {
                return Ok(Err(fault));
            }
        }
    }
    let end = || walk.hash.map(|hash| Anchor { account, entries, hash });
    Ok(walk.end((entries, hash)).map(|()| end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: i64) -> Vec<Entry> {
        let mut chain: Vec<Entry> = Vec::new();
        for seq in 1..=length {
            let mut entry = Entry {
                account: 5,
                seq,
                at: Some(seq),
                by_account: Some(5),
                by_user: Some(7),
                by_client: None,
                acted_as: "admin".to_owned(),
                request_id: None,
                action: "widget.installed".to_owned(),
                subject: format!("w{seq}"),
                details: "{}".to_owned(),
                hash: None,
            };
            entry.hash = Some(entry.hash_after(chain.last().and_then(|entry| entry.hash)));
            chain.push(entry);
        }
        chain
    }

    fn walked(chain: &[Entry], entries: i64, hash: Option<Sha256>, anchors: &[(i64, Sha256)]) -> Result<(), Fault> {
        let anchors = anchors.iter().copied().collect();
        let mut walk = Walk { account: 5, next: 1, hash: None, anchors: Some(&anchors) };
        chain.iter().try_for_each(|entry| walk.step(entry))?;
        walk.end((entries, hash))
    }

    #[test]
    fn a_whole_chain_has_no_fault() {
        let whole = chain(3);
        let at = |seq: usize| whole[seq - 1].hash.unwrap();
        assert_eq!(walked(&whole, 3, Some(at(3)), &[(1, at(1)), (3, at(3))]), Ok(()));
        assert_eq!(walked(&[], 0, None, &[]), Ok(()));
    }

    #[test]
    fn each_fault_is_named_with_its_place() {
        let whole = chain(4);
        let end = whole[3].hash;
        let at = |chain: &[Entry], anchors: &[(i64, Sha256)]| {
            let fault = walked(chain, 4, end, anchors).unwrap_err();
            (fault.seq, fault.kind)
        };
        for gone in 0..3 {
            let mut broken = whole.clone();
            broken.remove(gone);
            assert_eq!(at(&broken, &[]), (i64::try_from(gone).unwrap() + 1, FaultKind::Missing));
        }
        assert_eq!(at(&whole[..3], &[]), (4, FaultKind::CutOff));
        let mut swapped = whole.clone();
        swapped.swap(1, 2);
        (swapped[1].seq, swapped[2].seq) = (2, 3);
        assert_eq!(at(&swapped, &[]), (2, FaultKind::Altered));
        // A changed entry with its own hash made anew is found at the next, and at the head when there is none.
        let mut changed = whole.clone();
        changed[3].subject = "other".to_owned();
        changed[3].hash = Some(changed[3].hash_after(changed[2].hash));
        assert_eq!(at(&changed, &[]), (4, FaultKind::Head));
        changed.truncate(3);
        changed[1].subject = "other".to_owned();
        changed[1].hash = Some(changed[1].hash_after(changed[0].hash));
        assert_eq!(at(&changed, &[]), (3, FaultKind::Altered));
        // What was written anew as a whole is told by an anchor alone, as is what was cut off with its head.
        let other = Sha256::of(&[b"other"]);
        assert_eq!(at(&whole, &[(2, other)]), (2, FaultKind::Rewritten));
        assert_eq!(at(&whole, &[(9, other)]), (5, FaultKind::CutOff));
    }
}
