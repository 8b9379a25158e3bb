//! Writes any zip, lawful or not.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// How a data descriptor is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descriptor {
    Signed,
    Unsigned,
    Zip64,
}

/// One header's view of an entry; the local and the central one can be made to differ.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed: u32,
    pub(super) unpacked: u32,
    pub(super) extra: Vec<u8>,
}

/// One entry: two headers, its bytes, and what may stand around them.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) local: Header,
    pub(super) central: Header,
    /// Bytes in the archive.
    pub(super) data: Vec<u8>,
    /// Bytes before the local header.
    pub(super) gap: Vec<u8>,
    pub(super) descriptor: Option<Descriptor>,
    /// What the descriptor says: checksum, packed and unpacked size.
    pub(super) described: (u32, u32, u32),
    pub(super) made_by: u16,
    pub(super) attributes: u32,
    pub(super) comment: Vec<u8>,
    pub(super) disk: u16,
    /// Offset in the directory, in place of the true one.
    pub(super) offset: Option<u32>,
    /// Only in the directory, without a local record.
    pub(super) ghost: bool,
}

impl Entry {
    pub(super) fn stored(name: &str, bytes: &[u8]) -> Self {
        let (_, crc) = deflate(bytes);
        Self::new(name, 0, bytes.to_vec(), crc, bytes.len())
    }

    pub(super) fn deflated(name: &str, bytes: &[u8]) -> Self {
        let (packed, crc) = deflate(bytes);
        Self::new(name, 8, packed, crc, bytes.len())
    }

    pub(super) fn directory(name: &str) -> Self {
        let mut entry = Self::new(name, 0, Vec::new(), 0, 0);
        entry.attributes = 0o040_755 << 16 | 0x10;
        entry
    }

    fn new(name: &str, method: u16, data: Vec<u8>, crc: u32, unpacked: usize) -> Self {
        let (packed, unpacked) = (u32::try_from(data.len()).unwrap(), u32::try_from(unpacked).unwrap());
        let flags = if name.is_ascii() { 0 } else { 1 << 11 };
        let header = Header { name: name.into(), flags, method, crc, packed, unpacked, extra: Vec::new() };
        Self {
            local: header.clone(),
            central: header,
            data,
            gap: Vec::new(),
            descriptor: None,
            described: (crc, packed, unpacked),
            made_by: 0x0314,
            attributes: 0o100_644 << 16,
            comment: Vec::new(),
            disk: 0,
            offset: None,
            ghost: false,
        }
    }

    /// The same change in both headers.
    pub(super) fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }

    /// Any change.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Checksum and sizes after the data instead of before it.
    pub(super) fn described_by(self, descriptor: Descriptor) -> Self {
        self.both(|header| header.flags |= 1 << 3).with(|entry| {
            entry.descriptor = Some(descriptor);
            (entry.local.crc, entry.local.packed, entry.local.unpacked) = (0, 0, 0);
        })
    }
}

/// A whole archive.
#[derive(Debug, Clone, Default)]
pub(super) struct Zip {
    pub(super) entries: Vec<Entry>,
    pub(super) prefix: Vec<u8>,
    /// Whether offsets count from the archive's first byte or from the prefix's.
    pub(super) shifted: bool,
    pub(super) before_directory: Vec<u8>,
    pub(super) in_directory: Vec<u8>,
    pub(super) before_end: Vec<u8>,
    pub(super) suffix: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) comment_length: Option<u16>,
    pub(super) count: Option<u16>,
    pub(super) count_here: Option<u16>,
    pub(super) disk: u16,
    pub(super) directory_offset: Option<u32>,
    pub(super) directory_length: Option<u32>,
}

impl Zip {
    pub(super) fn of(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self { entries: entries.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn and(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let base = if self.shifted { out.len() } else { 0 };
        let mut offsets = Vec::new();
        for entry in &self.entries {
            out.extend(&entry.gap);
            offsets.push(entry.offset.unwrap_or_else(|| u32::try_from(out.len() - base).unwrap()));
            if !entry.ghost {
                write_local(&mut out, entry);
            }
        }
        out.extend(&self.before_directory);
        let directory_at = out.len();
        for (entry, offset) in self.entries.iter().zip(offsets) {
            write_central(&mut out, entry, offset);
        }
        out.extend(&self.in_directory);
        let length = u32::try_from(out.len() - directory_at).unwrap();
        out.extend(&self.before_end);
        let count = self.count.unwrap_or_else(|| u16::try_from(self.entries.len() % 65_536).unwrap());
        out.extend(b"PK\x05\x06");
        put16(&mut out, &[self.disk, self.disk, self.count_here.unwrap_or(count), count]);
        let offset = u32::try_from(directory_at - base).unwrap();
        put32(&mut out, &[self.directory_length.unwrap_or(length), self.directory_offset.unwrap_or(offset)]);
        put16(&mut out, &[self.comment_length.unwrap_or_else(|| u16::try_from(self.comment.len()).unwrap())]);
        out.extend(&self.comment);
        out.extend(&self.suffix);
        out
    }
}

fn write_local(out: &mut Vec<u8>, entry: &Entry) {
    out.extend(b"PK\x03\x04");
    put16(out, &[20]);
    write_shared(out, &entry.local);
    out.extend(&entry.local.name);
    out.extend(&entry.local.extra);
    out.extend(&entry.data);
    let (crc, packed, unpacked) = entry.described;
    match entry.descriptor {
        None => {}
        Some(Descriptor::Signed) => {
            out.extend(b"PK\x07\x08");
            put32(out, &[crc, packed, unpacked]);
        }
        Some(Descriptor::Unsigned) => put32(out, &[crc, packed, unpacked]),
        Some(Descriptor::Zip64) => {
            out.extend(b"PK\x07\x08");
            put32(out, &[crc, packed, 0, unpacked, 0]);
        }
    }
}

fn write_central(out: &mut Vec<u8>, entry: &Entry, offset: u32) {
    out.extend(b"PK\x01\x02");
    put16(out, &[entry.made_by, 20]);
    write_shared(out, &entry.central);
    put16(out, &[u16::try_from(entry.comment.len()).unwrap(), entry.disk, 0]);
    put32(out, &[entry.attributes, offset]);
    out.extend(&entry.central.name);
    out.extend(&entry.central.extra);
    out.extend(&entry.comment);
}

fn write_shared(out: &mut Vec<u8>, header: &Header) {
    put16(out, &[header.flags, header.method, 0, 0x21]);
    put32(out, &[header.crc, header.packed, header.unpacked]);
    put16(out, &[u16::try_from(header.name.len()).unwrap(), u16::try_from(header.extra.len()).unwrap()]);
}

fn put16(out: &mut Vec<u8>, numbers: &[u16]) {
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, numbers: &[u32]) {
    out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// The deflated bytes and their checksum.
pub(super) fn deflate(bytes: &[u8]) -> (Vec<u8>, u32) {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("a", SimpleFileOptions::default()).unwrap();
    writer.write_all(bytes).unwrap();
    let mut archive = ZipArchive::new(writer.finish().unwrap()).unwrap();
    let mut file = archive.by_index_raw(0).unwrap();
    let mut packed = Vec::new();
    file.read_to_end(&mut packed).unwrap();
    (packed, file.crc32())
}
