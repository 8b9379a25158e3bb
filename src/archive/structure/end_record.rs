//! The end record: where the central directory is, and how many entries it has.

use std::io::{self, Read, Seek, SeekFrom};

use super::Problem;
use super::fields::Fields;
use super::signature::{DIRECTORY, END, LOCAL, ZIP64_LOCATOR, other_format};
use crate::archive::finding_code::FindingCode;
use crate::archive::limits::Limits;

/// Bytes of an end record without its comment.
const LENGTH: usize = 22;
/// Bytes of the locator that stands before the end record of a zip64 archive.
const ZIP64_LOCATOR_LENGTH: usize = 20;
/// First bytes that are looked at to tell other formats apart.
const HEAD: u64 = 512;
/// Bytes in which the end record of a lawful archive begins: the longest comment follows it, a locator precedes it.
const LONGEST_TAIL: u64 = (LENGTH + u16::MAX as usize + ZIP64_LOCATOR_LENGTH) as u64;

/// What the end record says, checked against the archive's size and the limits.
pub(super) struct EndRecord {
    /// Where the central directory begins.
    pub(super) directory_at: u64,
    /// Where it ends and the end record begins.
    pub(super) directory_end: u64,
    /// Entries of the directory.
    pub(super) entries: u16,
}

/// Finds and checks the end record.
///
/// The inner error says why the archive cannot be read.
pub(super) fn find<R: Read + Seek>(
    source: &mut R,
    size: u64,
    limits: &Limits,
) -> io::Result<Result<EndRecord, Problem>> {
    let head = read_at(source, 0, size.min(HEAD))?;
    if let Some(format) = other_format(&head) {
        let message = format!("The file is {format}, not a zip archive; pack the widget's files as zip.");
        return Ok(Err((FindingCode::ArchiveNotAZip, message)));
    }
    let begins_with_entry = head.starts_with(LOCAL);
    let tail_at = size.saturating_sub(LONGEST_TAIL);
    let tail = read_at(source, tail_at, LONGEST_TAIL)?;
    let at = match locate(&tail) {
        Ok(at) => at,
        Err(Unlocated::Nowhere) if !begins_with_entry => {
            let message = "The file is not a zip archive; pack the widget's files as zip.";
            return Ok(Err((FindingCode::ArchiveNotAZip, message.to_owned())));
        }
        Err(cause) => return Ok(Err(cause.explain())),
    };
    let end_at = tail_at + at as u64;
    let claims: EndRecord = match EndRecord::read(&tail, at, limits) {
        Ok(claims) => claims,
        Err(problem) => return Ok(Err(problem)),
    };
    if claims.directory_end < end_at {
        // A program put before an archive shifts every record by its own length.
        let shifted = claims.directory_at + (end_at - claims.directory_end);
        if read_at(source, shifted, DIRECTORY.len() as u64)? == DIRECTORY {
            return Ok(Err(leading_data()));
        }
        let message = "There are bytes between the central directory and the end record; pack the files anew.";
        return Ok(Err((FindingCode::ArchiveHiddenData, message.to_owned())));
    }
    if claims.directory_end > end_at {
        let message = "The end record points past the archive's end: a part is missing; send it again in full.";
        return Ok(Err((FindingCode::ArchiveTruncated, message.to_owned())));
    }
    Ok(if begins_with_entry { Ok(claims) } else { Err(leading_data()) })
}

fn leading_data() -> Problem {
    let message = "There are bytes before the archive's first record; send the zip archive alone.";
    (FindingCode::ArchiveLeadingData, message.to_owned())
}

/// Why no end record is found.
enum Unlocated {
    Nowhere,
    Trailing,
    CutOff,
    Several,
}

impl Unlocated {
    fn explain(&self) -> Problem {
        let (code, message) = match self {
            Self::Nowhere => (
                FindingCode::ArchiveTruncated,
                "The archive does not end with an end record: it was cut off, or other bytes follow; send it in full.",
            ),
            Self::CutOff => {
                (FindingCode::ArchiveTruncated, "The archive's end record was cut off; send it again in full.")
            }
            Self::Trailing => (
                FindingCode::ArchiveTrailingData,
                "There are bytes after the archive's end record; send the zip archive alone.",
            ),
            Self::Several => (
                FindingCode::ArchiveEndRecord,
                "The archive has two end records, and readers would disagree about its contents; pack the files anew.",
            ),
        };
        (code, message.to_owned())
    }
}

/// Where the end record begins in the tail: the one whose comment ends with the archive.
fn locate(tail: &[u8]) -> Result<usize, Unlocated> {
    let mut found = None;
    let mut otherwise = Unlocated::Nowhere;
    for (at, _) in tail.windows(END.len()).enumerate().filter(|(_, window)| window == END) {
        let comment = tail.get(at + LENGTH - 2..at + LENGTH).map(|bytes| usize::from(Fields(bytes).u16()));
        match comment.map(|comment| (at + LENGTH + comment).cmp(&tail.len())) {
            Some(std::cmp::Ordering::Equal) if found.replace(at).is_some() => return Err(Unlocated::Several),
            Some(std::cmp::Ordering::Equal) => {}
            Some(std::cmp::Ordering::Less) if found.is_none() => otherwise = Unlocated::Trailing,
            // A second one inside the first one's comment is a trap for readers that search backwards.
            Some(_) | None if found.is_some() => return Err(Unlocated::Several),
            Some(_) | None => otherwise = Unlocated::CutOff,
        }
    }
    found.ok_or(otherwise)
}

impl EndRecord {
    /// Reads the record at this place of the tail and checks what it says about itself.
    fn read(tail: &[u8], at: usize, limits: &Limits) -> Result<Self, Problem> {
        let mut fields = Fields(tail.get(at + END.len()..).unwrap_or_default());
        let (disk, directory_disk) = (fields.u16(), fields.u16());
        let (entries_here, entries) = (fields.u16(), fields.u16());
        let (length, offset) = (fields.u32(), fields.u32());
        if u64::from(entries) > limits.entries {
            return Err((FindingCode::ArchiveTooManyEntries, too_many_entries(entries.into(), limits)));
        }
        let locator = at.checked_sub(ZIP64_LOCATOR_LENGTH).and_then(|locator| tail.get(locator..at));
        let has_locator = locator.is_some_and(|bytes| bytes.starts_with(ZIP64_LOCATOR));
        if has_locator || entries == u16::MAX || length == u32::MAX || offset == u32::MAX {
            let message = "The archive uses zip64, which only archives beyond every limit need; pack a plain zip.";
            return Err((FindingCode::ArchiveZip64, message.to_owned()));
        }
        if disk != 0 || directory_disk != 0 || entries_here != entries {
            let message = "The archive says that it is one part of several; pack the files into one archive.";
            return Err((FindingCode::ArchiveEndRecord, message.to_owned()));
        }
        if entries == 0 && length == 0 {
            let message = "The archive is empty; pack manifest.json, script.js, i18n/ and images/.";
            return Err((FindingCode::ArchiveEmpty, message.to_owned()));
        }
        let directory_at = u64::from(offset);
        Ok(Self { directory_at, directory_end: directory_at + u64::from(length), entries })
    }
}

fn too_many_entries(entries: u64, limits: &Limits) -> String {
    let most = limits.entries;
    format!("The archive has {entries} entries, at most {most} are allowed; leave out what the widget does not need.")
}

fn read_at<R: Read + Seek>(source: &mut R, at: u64, length: u64) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    source.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}
