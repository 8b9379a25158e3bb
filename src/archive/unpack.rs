//! Unpacks one entry at a time through a small buffer.

use std::cell::{Cell, RefCell};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use zip::ZipReadOptions;
use zip::read::read_zipfile_from_stream_with_options;

use super::finding_code::FindingCode;
use super::structure::{DEFLATED, Record};

/// Bytes that are unpacked at a time.
const BUFFER: usize = 32 << 10;
/// Bytes at the end of an entry that are handed out one by one, so that a stream that ends early leaves some over.
///
/// A single superfluous byte cannot be told from a stream's own last one: the decoder asks for a byte to see its end.
const TAIL: u64 = 32;
/// Bytes that follow a deflated entry's own, so that a stream that does not end by itself runs into nonsense: three
/// ones begin a block of a kind that does not exist.
const NONSENSE: &[u8] = &[0xFF; 8];

/// Why an entry's bytes cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// There are more or fewer bytes than the archive says.
    #[error("the entry has another size than the archive says; pack the files anew")]
    Size,
    /// The checksum is another one.
    #[error("the entry has another checksum than the archive says; pack the files anew")]
    Checksum,
    /// The compressed data is broken.
    #[error("the entry's compressed data is broken; pack the files anew")]
    Corrupt,
}

impl UnpackError {
    /// The code of a finding about it.
    pub(super) fn code(self) -> FindingCode {
        match self {
            Self::Size => FindingCode::EntrySize,
            Self::Checksum => FindingCode::EntryChecksum,
            Self::Corrupt => FindingCode::EntryCorrupt,
        }
    }
}

/// Hands the entry's bytes to `sink` in pieces of at most 32 KiB, and never more than the archive says.
///
/// Bytes may have been handed out before a mistake is found.
///
/// # Errors
///
/// The outer error is the source's; the inner one says what is wrong with the entry.
pub(super) fn unpack<R: Read + Seek>(
    source: &mut R,
    record: &Record,
    mut sink: impl FnMut(&[u8]),
) -> io::Result<Result<(), UnpackError>> {
    source.seek(SeekFrom::Start(record.data_at))?;
    let state = State { left: Cell::new(record.packed), closed: Cell::new(false), failure: RefCell::new(None) };
    let after = if record.method == DEFLATED { NONSENSE } else { &[] };
    let packed = Packed { source, state: &state }.chain(after);
    let mut stream = Cursor::new(header(record, after.len() as u64)).chain(packed);
    let outcome = inflate(&mut stream, record, &state, &mut sink);
    match state.failure.into_inner() {
        Some(failure) => Err(failure),
        None => Ok(outcome),
    }
}

fn inflate<S: Read>(
    stream: &mut S,
    record: &Record,
    state: &State,
    sink: &mut impl FnMut(&[u8]),
) -> Result<(), UnpackError> {
    let Ok(Some(mut file)) = read_zipfile_from_stream_with_options(stream, ZipReadOptions::new()) else {
        return Err(UnpackError::Corrupt);
    };
    let mut buffer = vec![0; BUFFER];
    let mut total = 0_u64;
    let outcome = loop {
        let count = match file.read(&mut buffer) {
            Ok(0) if total == record.unpacked && state.left.get() == 0 => break Ok(()),
            Ok(0) => break Err(UnpackError::Size),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() != io::ErrorKind::InvalidData => break Err(UnpackError::Corrupt),
            // The checksum is compared when the data ends, so that a wrong length shows as a wrong checksum.
            Err(_) if total == record.unpacked => break Err(UnpackError::Checksum),
            Err(_) => break Err(UnpackError::Size),
        };
        total += count as u64;
        if total > record.unpacked {
            break Err(UnpackError::Size);
        }
        sink(buffer.get(..count).unwrap_or_default());
    };
    // The file reads what is left of its stream when it is dropped.
    state.closed.set(true);
    outcome
}

/// A local header for the zip crate, made from what both of the archive's own headers agree on.
///
/// So the crate inflates and compares the checksum, and never interprets a header that someone else wrote. The size is
/// the greatest that is not zip64, because the true one is enforced by the caller, who can tell a wrong size from a
/// wrong checksum.
fn header(record: &Record, after: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(30);
    header.extend_from_slice(b"PK\x03\x04\x14\0\0\0");
    header.extend_from_slice(&record.method.to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header.extend_from_slice(&record.crc.to_le_bytes());
    header.extend_from_slice(&u32::try_from(record.packed + after).unwrap_or(u32::MAX).to_le_bytes());
    header.extend_from_slice(&(u32::MAX - 1).to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    header
}

struct State {
    /// Packed bytes that were not read yet.
    left: Cell<u64>,
    /// Nothing is read any more.
    closed: Cell<bool>,
    /// The source's own error, which is not the entry's fault.
    failure: RefCell<Option<io::Error>>,
}

/// The packed bytes of one entry.
struct Packed<'a, R> {
    source: &'a mut R,
    state: &'a State,
}

impl<R: Read> Read for Packed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.state.left.get();
        if self.state.closed.get() || left == 0 {
            return Ok(0);
        }
        let most = left.saturating_sub(TAIL).max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most) else { return Ok(0) };
        match self.source.read(buffer) {
            Ok(count) => {
                self.state.left.set(left.saturating_sub(count as u64));
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                *self.state.failure.borrow_mut() = Some(error);
                Err(kind.into())
            }
        }
    }
}
