//! Local headers and data descriptors: they repeat the directory, and leave no byte between them.

use std::io::{self, Read, Seek, SeekFrom};

use super::Problem;
use super::directory::{BINDING_FLAGS, DESCRIPTOR_FOLLOWS, Entry, shown_name};
use super::extra::{self, ExtraProblem};
use super::fields::{Fields, read_bytes};
use super::signature::{DESCRIPTOR, LOCAL};
use crate::archive::finding::{Findings, Place};
use crate::archive::finding_code::FindingCode;

/// Bytes of a local header without its name and extra fields.
const LENGTH: usize = 30;
/// Bytes of a data descriptor: a checksum and two sizes.
const DESCRIPTOR_LENGTH: u64 = 12;
/// The same, with its optional first bytes.
const SIGNED_DESCRIPTOR_LENGTH: u64 = 16;
/// The same two with sizes of 64 bits.
const ZIP64_DESCRIPTOR_LENGTHS: [u64; 2] = [20, 24];

/// Walks the entries, sorted by offset, from the first byte to the directory.
///
/// `false` when the records do not follow each other without a gap; the first break ends the walk, because what
/// comes after it means nothing.
pub(super) fn check<R: Read + Seek>(
    source: &mut R,
    entries: &mut [Entry],
    directory_at: u64,
    findings: &mut Findings,
) -> io::Result<bool> {
    // An offset past the directory is refused in its turn; until then it must not make room for the entry before.
    let starts = entries.iter().skip(1).map(|entry| entry.header_at.min(directory_at));
    let next_starts: Vec<u64> = starts.chain([directory_at]).collect();
    let mut expected = 0;
    for (entry, next) in entries.iter_mut().zip(next_starts) {
        if let Err((code, message)) = follows(entry, expected, directory_at) {
            findings.add(code, entry.place(), message);
            return Ok(false);
        }
        let record = match read_record(source, entry, next, directory_at)? {
            Ok(record) => record,
            Err((code, message)) => {
                findings.add(code, entry.place(), message);
                return Ok(false);
            }
        };
        entry.data_at = record.data_at;
        if let Some((code, message)) = record.mismatch {
            findings.add(code, entry.place(), message);
            entry.sound = false;
        }
        expected = record.end;
    }
    if expected != directory_at {
        let message = "There are bytes between the last entry and the central directory; pack the files anew.";
        findings.add(FindingCode::ArchiveHiddenData, Place::archive(), message);
        return Ok(false);
    }
    Ok(true)
}

fn follows(entry: &Entry, expected: u64, directory_at: u64) -> Result<(), Problem> {
    let name = shown_name(entry);
    if entry.header_at >= directory_at {
        return Err(no_header());
    }
    match entry.header_at.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err((
            FindingCode::EntryOverlap,
            format!("The entry `{name}` shares bytes with the one before it; pack the files anew."),
        )),
        std::cmp::Ordering::Greater => Err((
            FindingCode::ArchiveHiddenData,
            format!("There are bytes before the entry `{name}` that belong to no entry; pack the files anew."),
        )),
    }
}

fn no_header() -> Problem {
    let message = "There is no local header where the central directory says; pack the files anew.";
    (FindingCode::EntryHeaderMismatch, message.to_owned())
}

struct LocalRecord {
    data_at: u64,
    end: u64,
    mismatch: Option<Problem>,
}

/// Reads one local header and the descriptor behind its data.
///
/// The inner error is one after which the next record cannot be found.
fn read_record<R: Read + Seek>(
    source: &mut R,
    entry: &Entry,
    next: u64,
    directory_at: u64,
) -> io::Result<Result<LocalRecord, Problem>> {
    let overlap =
        || (FindingCode::EntryOverlap, "The entry reaches into the record after it; pack the files anew.".to_owned());
    if entry.header_at + LENGTH as u64 > directory_at {
        return Ok(Err(overlap()));
    }
    source.seek(SeekFrom::Start(entry.header_at))?;
    let mut header = [0; LENGTH];
    source.read_exact(&mut header)?;
    if !header.starts_with(LOCAL) {
        return Ok(Err(no_header()));
    }
    let mut fields = Fields(header.get(LENGTH - 4..).unwrap_or_default());
    let (name_length, extra_length) = (fields.u16(), fields.u16());
    let data_at = entry.header_at + LENGTH as u64 + u64::from(name_length) + u64::from(extra_length);
    let data_end = data_at + entry.packed;
    if data_end > next {
        return Ok(Err(overlap()));
    }
    let name = read_bytes(source, name_length)?;
    let extra = read_bytes(source, extra_length)?;
    let mut mismatch = header_mismatch(&header, &name, &extra, entry);
    let mut end = data_end;
    if entry.flags & DESCRIPTOR_FOLLOWS != 0 {
        let gap = next - data_end;
        let length = match gap {
            DESCRIPTOR_LENGTH | SIGNED_DESCRIPTOR_LENGTH => gap,
            gap if ZIP64_DESCRIPTOR_LENGTHS.contains(&gap) => {
                let message = "The entry's data descriptor uses zip64; pack the files as a plain zip.".to_owned();
                return Ok(Err((FindingCode::ArchiveZip64, message)));
            }
            _ => {
                let message = "The entry's data descriptor is missing or followed by other bytes; pack the files anew.";
                return Ok(Err((FindingCode::EntryDescriptorMismatch, message.to_owned())));
            }
        };
        source.seek(SeekFrom::Start(data_end))?;
        let mut descriptor = vec![0; usize::try_from(length).unwrap_or_default()];
        source.read_exact(&mut descriptor)?;
        mismatch = mismatch.or_else(|| descriptor_mismatch(&descriptor, entry));
        end += length;
    }
    Ok(Ok(LocalRecord { data_at, end, mismatch }))
}

fn header_mismatch(header: &[u8], name: &[u8], extra: &[u8], entry: &Entry) -> Option<Problem> {
    let mut fields = Fields(header.get(LOCAL.len()..).unwrap_or_default());
    let (_needed, flags, method) = (fields.u16(), fields.u16(), fields.u16());
    let (_time, _date) = (fields.u16(), fields.u16());
    let (crc, packed, unpacked) = (fields.u32(), u64::from(fields.u32()), u64::from(fields.u32()));
    // With a descriptor the header may say nothing yet, but it must not say something else.
    let descriptor = entry.flags & DESCRIPTOR_FOLLOWS != 0;
    let same = |local: u64, central: u64| local == central || (descriptor && local == 0);
    let what = if name.len() != usize::from(entry.name_length) || !name.starts_with(&entry.name) {
        "name"
    } else if method != entry.method {
        "method"
    } else if (flags ^ entry.flags) & BINDING_FLAGS != 0 {
        "flags"
    } else if !same(crc.into(), entry.crc.into()) {
        "checksum"
    } else if !same(packed, entry.packed) || !same(unpacked, entry.unpacked) {
        "size"
    } else {
        return extra_mismatch(extra::check(extra, name));
    };
    let message =
        format!("The entry's local header has another {what} than the central directory; pack the files anew.");
    Some((FindingCode::EntryHeaderMismatch, message))
}

fn extra_mismatch(extra: Result<(), ExtraProblem>) -> Option<Problem> {
    let (code, what) = match extra.err()? {
        ExtraProblem::Malformed => (FindingCode::EntryExtraField, "malformed extra fields"),
        ExtraProblem::OtherName => (FindingCode::EntryExtraField, "a second, different name"),
        ExtraProblem::Zip64 => (FindingCode::ArchiveZip64, "sizes of zip64"),
        ExtraProblem::Encrypted => (FindingCode::EntryEncrypted, "an encryption"),
    };
    Some((code, format!("The entry's local header has {what}; pack the files anew.")))
}

fn descriptor_mismatch(descriptor: &[u8], entry: &Entry) -> Option<Problem> {
    let unsigned = if descriptor.len() as u64 == SIGNED_DESCRIPTOR_LENGTH {
        descriptor.strip_prefix(DESCRIPTOR)
    } else {
        Some(descriptor)
    };
    let same = unsigned.is_some_and(|bytes| {
        let mut fields = Fields(bytes);
        let (crc, packed, unpacked) = (fields.u32(), fields.u32(), fields.u32());
        crc == entry.crc && u64::from(packed) == entry.packed && u64::from(unpacked) == entry.unpacked
    });
    let message = "The entry's data descriptor differs from the central directory; pack the files anew.";
    (!same).then(|| (FindingCode::EntryDescriptorMismatch, message.to_owned()))
}
