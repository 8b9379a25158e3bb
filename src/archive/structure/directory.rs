//! The central directory.

use std::io::{self, Read, Seek, SeekFrom};

use super::end_record::EndRecord;
use super::extra::{self, ExtraProblem};
use super::fields::{Fields, read_bytes};
use super::signature::DIRECTORY;
use super::{DEFLATED, STORED};
use crate::archive::finding::{Findings, Place, shown};
use crate::archive::finding_code::FindingCode;
use crate::archive::limits::Limits;

/// Bytes of a directory record without its name, extra fields and comment.
const LENGTH: usize = 46;

/// Flags: encrypted, strongly encrypted, with an encrypted directory.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Flag: the data is a patch to something else.
const PATCH: u16 = 1 << 5;
/// Flag: checksum and sizes follow the data.
pub(super) const DESCRIPTOR_FOLLOWS: u16 = 1 << 3;
/// Flag: the name is UTF-8.
const UTF8: u16 = 1 << 11;
/// Flags in which the local header has to agree; the others are hints about how well the data was compressed.
pub(super) const BINDING_FLAGS: u16 = ENCRYPTED | PATCH | DESCRIPTOR_FOLLOWS | UTF8;

/// Mask and values of the file type in a Unix mode.
const TYPE: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_DIRECTORY: u32 = 0o040_000;
const TYPE_LINK: u32 = 0o120_000;
/// The directory bit of the MS-DOS attributes.
const DOS_DIRECTORY: u32 = 0x10;

/// One record of the central directory.
pub(super) struct Entry {
    /// The name, or the beginning of one that is longer than any lawful one.
    pub(super) name: Vec<u8>,
    /// Bytes of the whole name.
    pub(super) name_length: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    pub(super) header_at: u64,
    /// Where the packed bytes begin; set when the local header is read.
    pub(super) data_at: u64,
    /// Nothing speaks against unpacking it.
    pub(super) sound: bool,
    attributes: u32,
}

impl Entry {
    /// The place of a finding about it, by its name as far as it can be read.
    pub(super) fn place(&self) -> Place {
        Place::entry(&String::from_utf8_lossy(&self.name))
    }

    pub(super) fn is_directory(&self) -> bool {
        self.name.ends_with(b"/")
    }
}

/// Reads the directory and checks what can be told without the local headers.
///
/// `None` when it is malformed or says that the entries exceed the unpacked size.
pub(super) fn read<R: Read + Seek>(
    source: &mut R,
    end: &EndRecord,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<Option<Vec<Entry>>> {
    source.seek(SeekFrom::Start(end.directory_at))?;
    let mut entries = Vec::with_capacity(usize::from(end.entries));
    let mut left = end.directory_end - end.directory_at;
    let mut zip64 = false;
    for _ in 0..end.entries {
        let Some((mut entry, extra)) = read_entry(source, &mut left)? else {
            let message = "The central directory is broken; pack the files anew.";
            findings.add(FindingCode::ArchiveDirectory, Place::archive(), message);
            return Ok(None);
        };
        zip64 |= !check_entry(&mut entry, &extra, limits, findings);
        entries.push(entry);
    }
    if left != 0 {
        let message = "The central directory holds more than the end record says; pack the files anew.";
        findings.add(FindingCode::ArchiveDirectory, Place::archive(), message);
        return Ok(None);
    }
    let unpacked: u64 = entries.iter().map(|entry| entry.unpacked).sum();
    if unpacked > limits.unpacked {
        let message = format!(
            "The files have {unpacked} bytes unpacked, at most {} are allowed; leave out what the widget does not need.",
            limits.unpacked
        );
        findings.add(FindingCode::ArchiveUnpackedTooLarge, Place::archive(), message);
        return Ok(None);
    }
    Ok((!zip64).then_some(entries))
}

/// Reads one record and its extra fields; `None` when it is not one or does not fit.
fn read_entry<R: Read>(source: &mut R, left: &mut u64) -> io::Result<Option<(Entry, Vec<u8>)>> {
    if *left < LENGTH as u64 {
        return Ok(None);
    }
    let mut record = [0; LENGTH];
    source.read_exact(&mut record)?;
    if !record.starts_with(DIRECTORY) {
        return Ok(None);
    }
    let mut fields = Fields(record.get(DIRECTORY.len()..).unwrap_or_default());
    let (_made_by, _needed, flags, method) = (fields.u16(), fields.u16(), fields.u16(), fields.u16());
    let (_time, _date, crc) = (fields.u16(), fields.u16(), fields.u32());
    let (packed, unpacked) = (fields.u32(), fields.u32());
    let (name, extra, comment) = (fields.u16(), fields.u16(), fields.u16());
    let (disk, _internal) = (fields.u16(), fields.u16());
    let (attributes, header_at) = (fields.u32(), fields.u32());
    let length = LENGTH as u64 + u64::from(name) + u64::from(extra) + u64::from(comment);
    if length > *left || disk != 0 {
        return Ok(None);
    }
    *left -= length;
    let entry = Entry {
        name: read_bytes(source, name)?,
        name_length: name,
        flags,
        method,
        crc,
        packed: packed.into(),
        unpacked: unpacked.into(),
        header_at: header_at.into(),
        data_at: 0,
        sound: true,
        attributes,
    };
    let extra = read_bytes(source, extra)?;
    read_bytes(source, comment)?;
    Ok(Some((entry, extra)))
}

/// Reports what is wrong with one entry; `false` when it is of zip64, whose sizes mean nothing here.
fn check_entry(entry: &mut Entry, extra: &[u8], limits: &Limits, findings: &mut Findings) -> bool {
    let place = entry.place();
    let before = findings.error_count();
    let mut refuse = |code, message: &str| findings.add(code, place.clone(), message);
    let extra = extra::check(extra, &entry.name);
    let beyond = |number: u64| number == u64::from(u32::MAX);
    if extra == Err(ExtraProblem::Zip64) || beyond(entry.packed) || beyond(entry.unpacked) || beyond(entry.header_at) {
        refuse(FindingCode::ArchiveZip64, "The entry uses zip64; pack the files as a plain zip.");
        entry.sound = false;
        return false;
    }
    if entry.flags & ENCRYPTED != 0 || extra == Err(ExtraProblem::Encrypted) {
        refuse(FindingCode::EntryEncrypted, "The entry is encrypted; pack the files without a password.");
    } else if entry.method != STORED && entry.method != DEFLATED || entry.flags & PATCH != 0 {
        refuse(FindingCode::EntryMethod, &method_message(entry.method));
    } else if entry.method == STORED && entry.packed != entry.unpacked {
        refuse(FindingCode::EntrySize, "The entry is stored, but its two sizes differ; pack the files anew.");
    }
    // A slash at its end makes a directory's name one byte longer. Names of 64 KiB each are not kept.
    if entry.name.len() > limits.path + 1 {
        refuse(FindingCode::EntryNameTooLong, "The name is too long; rename the file.");
        entry.name.truncate(limits.path);
        entry.name.shrink_to_fit();
    }
    match extra {
        Err(ExtraProblem::Malformed) => {
            refuse(FindingCode::EntryExtraField, "The entry's extra fields are malformed; pack the files anew.");
        }
        Err(ExtraProblem::OtherName) => {
            refuse(
                FindingCode::EntryExtraField,
                "The entry has a second, different name; pack it with names in UTF-8.",
            );
        }
        Err(ExtraProblem::Zip64 | ExtraProblem::Encrypted) | Ok(()) => {}
    }
    if let Some((code, message)) = type_problem(entry) {
        refuse(code, message);
    }
    if entry.unpacked > entry.packed.saturating_mul(limits.ratio) {
        let message = format!(
            "The entry unpacks from {} to {} bytes; more than {} times is refused as a decompression bomb.",
            entry.packed, entry.unpacked, limits.ratio
        );
        refuse(FindingCode::EntryRatio, &message);
    }
    entry.sound = findings.error_count() == before;
    true
}

fn method_message(method: u16) -> String {
    let name = match method {
        1..=6 => "an old method",
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        20 | 93 => "Zstandard",
        95 => "xz",
        98 => "PPMd",
        _ => "another method",
    };
    format!("The entry is compressed by {name} ({method}); pack the files with Deflate or without compression.")
}

/// Only files and directories are lawful, and the name and the attributes have to agree on which it is.
fn type_problem(entry: &Entry) -> Option<(FindingCode, &'static str)> {
    let directory = entry.is_directory();
    let special = "The entry is neither a file nor a directory; pack plain files only.";
    match (entry.attributes >> 16) & TYPE {
        TYPE_LINK => Some((FindingCode::EntryLink, "The entry is a symbolic link; pack the file that it leads to.")),
        TYPE_DIRECTORY if !directory => Some((
            FindingCode::EntrySpecial,
            "The entry is a directory by its mode and a file by its name; pack the files anew.",
        )),
        0 if !directory && entry.attributes & DOS_DIRECTORY != 0 => Some((
            FindingCode::EntrySpecial,
            "The entry is a directory by its attributes and a file by its name; pack the files anew.",
        )),
        0 | TYPE_FILE | TYPE_DIRECTORY => (directory && entry.unpacked != 0).then_some((
            FindingCode::EntryDirectoryData,
            "The entry is a directory but holds bytes; pack the files anew.",
        )),
        _ => Some((FindingCode::EntrySpecial, special)),
    }
}

/// An entry's name for a message.
pub(super) fn shown_name(entry: &Entry) -> String {
    shown(&String::from_utf8_lossy(&entry.name))
}
