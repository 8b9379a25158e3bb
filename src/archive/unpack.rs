//! Unpacks one entry at a time through a small buffer, and holds it to its sizes and its checksum.

use std::io::{self, Read, Seek, SeekFrom};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::finding_code::FindingCode;
use super::structure::{DEFLATED, Record};

/// Bytes that are read, and that are unpacked, at a time.
const BUFFER: usize = 32 << 10;

/// Why an entry's bytes cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// There are more or fewer bytes than the archive says, packed or unpacked.
    #[error("the entry has another size than the archive says; pack the files anew")]
    Size,
    /// The checksum is another one.
    #[error("the entry has another checksum than the archive says; pack the files anew")]
    Checksum,
    /// The compressed data is broken, or ends before its end.
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
    sink: impl FnMut(&[u8]),
) -> io::Result<Result<(), UnpackError>> {
    source.seek(SeekFrom::Start(record.data_at))?;
    let packed = Packed { source, left: record.packed };
    let unpacked = Unpacked { record, total: 0, checksum: Crc::new(), sink };
    if record.method == DEFLATED { inflate(packed, unpacked) } else { copy(packed, unpacked) }
}

/// An entry that is stored as it is.
fn copy<R: Read, S: FnMut(&[u8])>(
    mut packed: Packed<'_, R>,
    mut unpacked: Unpacked<'_, S>,
) -> io::Result<Result<(), UnpackError>> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let piece = packed.read(&mut buffer)?;
        if piece.is_empty() {
            return Ok(unpacked.finish());
        }
        if let Err(error) = unpacked.hand_out(piece) {
            return Ok(Err(error));
        }
    }
}

/// An entry that is one deflate stream, which has to end with the entry's last byte.
fn inflate<R: Read, S: FnMut(&[u8])>(
    mut packed: Packed<'_, R>,
    mut unpacked: Unpacked<'_, S>,
) -> io::Result<Result<(), UnpackError>> {
    let (mut from, mut to) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut stream = Decompress::new(false);
    let mut piece: &[u8] = &[];
    loop {
        if piece.is_empty() {
            piece = packed.read(&mut from)?;
        }
        let (taken, given) = (stream.total_in(), stream.total_out());
        let outcome = stream.decompress(piece, &mut to, FlushDecompress::None);
        let (taken, given) = (stream.total_in() - taken, stream.total_out() - given);
        piece = piece.get(length(taken)..).unwrap_or_default();
        if let Err(error) = unpacked.hand_out(to.get(..length(given)).unwrap_or_default()) {
            return Ok(Err(error));
        }
        match outcome {
            Ok(Status::StreamEnd) if piece.is_empty() && packed.left == 0 => return Ok(unpacked.finish()),
            Ok(Status::StreamEnd) => return Ok(Err(UnpackError::Size)),
            Ok(_) if taken > 0 || given > 0 => {}
            // Without an end, and with nothing that could bring it.
            Ok(_) | Err(_) => return Ok(Err(UnpackError::Corrupt)),
        }
    }
}

/// Of a part of a buffer.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The packed bytes of one entry.
struct Packed<'a, R> {
    source: &'a mut R,
    /// Those that were not read yet.
    left: u64,
}

impl<R: Read> Packed<'_, R> {
    /// The next bytes; none after the last.
    fn read<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let wanted = length(self.left).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        self.source.read_exact(buffer)?;
        self.left -= buffer.len() as u64;
        Ok(buffer)
    }
}

/// The unpacked bytes of one entry, on their way out.
struct Unpacked<'a, S> {
    record: &'a Record,
    total: u64,
    checksum: Crc,
    sink: S,
}

impl<S: FnMut(&[u8])> Unpacked<'_, S> {
    fn hand_out(&mut self, piece: &[u8]) -> Result<(), UnpackError> {
        self.total += piece.len() as u64;
        if self.total > self.record.unpacked {
            return Err(UnpackError::Size);
        }
        self.checksum.update(piece);
        if !piece.is_empty() {
            (self.sink)(piece);
        }
        Ok(())
    }

    fn finish(self) -> Result<(), UnpackError> {
        if self.total != self.record.unpacked {
            Err(UnpackError::Size)
        } else if self.checksum.sum() != self.record.crc {
            Err(UnpackError::Checksum)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::super::structure::STORED;
    use super::*;

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes out of an entry that stands between other bytes.
    fn unpacked(method: u16, packed: &[u8], bytes: &[u8]) -> Result<Vec<u8>, UnpackError> {
        let mut checksum = Crc::new();
        checksum.update(bytes);
        let record = Record {
            path: "a".to_owned(),
            directory: false,
            method,
            crc: checksum.sum(),
            packed: packed.len() as u64,
            unpacked: bytes.len() as u64,
            data_at: 3,
        };
        let mut out = Vec::new();
        let mut source = Cursor::new([b"abc".as_slice(), packed, &[0xFF; 64]].concat());
        unpack(&mut source, &record, |piece| out.extend_from_slice(piece)).unwrap().map(|()| out)
    }

    /// Lengths around the buffer's, of bytes that pack well and of those that do not.
    fn samples() -> Vec<Vec<u8>> {
        let noise = |length: u32| (0..length).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
        let lengths = [0_u32, 1, 2, 100, 32_767, 32_768, 32_769, 65_536, 100_000];
        lengths.into_iter().flat_map(|length| [vec![b'a'; length as usize], noise(length)]).collect()
    }

    #[test]
    fn exactly_the_bytes_that_are_announced() {
        for bytes in samples() {
            assert_eq!(unpacked(DEFLATED, &deflated(&bytes), &bytes).unwrap(), bytes);
            assert_eq!(unpacked(STORED, &bytes, &bytes).unwrap(), bytes);
        }
    }

    #[test]
    fn a_byte_too_many_or_too_few() {
        for bytes in samples() {
            let stream = deflated(&bytes);
            for superfluous in [0, b'a', 0xFF] {
                let more = [stream.as_slice(), &[superfluous]].concat();
                assert_eq!(unpacked(DEFLATED, &more, &bytes), Err(UnpackError::Size), "{}", bytes.len());
                let more = [bytes.as_slice(), &[superfluous]].concat();
                assert_eq!(unpacked(STORED, &more, &bytes), Err(UnpackError::Size), "{}", bytes.len());
            }
            assert_eq!(unpacked(DEFLATED, &stream[..stream.len() - 1], &bytes), Err(UnpackError::Corrupt));
            if !bytes.is_empty() {
                assert_eq!(unpacked(STORED, &bytes[1..], &bytes), Err(UnpackError::Size));
            }
        }
        assert_eq!(unpacked(DEFLATED, &[], &[]), Err(UnpackError::Corrupt));
    }

    #[test]
    fn a_second_stream_behind_the_first() {
        let twice = [deflated(b"one"), deflated(b"")].concat();
        assert_eq!(unpacked(DEFLATED, &twice, b"one"), Err(UnpackError::Size));
    }

    #[test]
    fn a_source_that_ends_too_early_is_the_sources_fault() {
        let record = Record {
            path: "a".to_owned(),
            directory: false,
            method: STORED,
            crc: 0,
            packed: 9,
            unpacked: 9,
            data_at: 0,
        };
        let error = unpack(&mut Cursor::new(b"abc"), &record, |_| {}).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
