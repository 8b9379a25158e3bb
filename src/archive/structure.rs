//! A strict reading of a zip's records, before anything is unpacked.
//!
//! Zip readers disagree about archives that hold more than one truth: two directories, a name given twice, bytes
//! between records. This one accepts only archives that every reader sees alike: local records follow each other from
//! the first byte to the central directory, the directory and the end record follow without a gap, and each local
//! header repeats what the directory says.

use std::io::{self, Read, Seek};

use super::finding::{Findings, Place};
use super::finding_code::FindingCode;
use super::limits::Limits;

mod directory;
mod end_record;
mod extra;
mod fields;
mod local;
mod names;
mod signature;

pub(super) use names::check_name;

/// Method of an entry that is stored as it is.
pub(super) const STORED: u16 = 0;
/// Method of an entry that is deflated.
pub(super) const DEFLATED: u16 = 8;

/// What is wrong, and the sentence that says so.
type Problem = (FindingCode, String);

/// One entry, as the central directory and its local header agree on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Path relative to the root, checked; a directory's has no slash at its end.
    pub(super) path: String,
    /// Whether it is a directory.
    pub(super) directory: bool,
    /// 0 (stored) or 8 (deflated).
    pub(super) method: u16,
    /// CRC-32 of the unpacked bytes.
    pub(super) crc: u32,
    /// Bytes in the archive.
    pub(super) packed: u64,
    /// Bytes unpacked.
    pub(super) unpacked: u64,
    /// Where the packed bytes begin.
    pub(super) data_at: u64,
}

/// Reads all records; those with a finding of their own are left out.
///
/// `None` when the archive as a whole cannot be relied on; a finding says why.
///
/// # Errors
///
/// Those of the source.
pub(super) fn scan<R: Read + Seek>(
    source: &mut R,
    size: u64,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<Option<Vec<Record>>> {
    let end = match end_record::find(source, size, limits)? {
        Ok(end) => end,
        Err((code, message)) => {
            findings.add(code, Place::archive(), message);
            return Ok(None);
        }
    };
    let Some(mut entries) = directory::read(source, &end, limits, findings)? else {
        return Ok(None);
    };
    entries.sort_by_key(|entry| entry.header_at);
    if !local::check(source, &mut entries, end.directory_at, findings)? {
        return Ok(None);
    }
    let mut records: Vec<Record> =
        entries.into_iter().filter_map(|entry| names::into_record(entry, limits, findings)).collect();
    names::refuse_twins(&mut records, findings);
    Ok(Some(records))
}
