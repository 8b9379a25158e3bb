//! Little-endian numbers of a fixed-size record.

use std::io::{self, Read};

/// Reads a record's numbers one after the other.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    /// The next two bytes; 0 past the end, which no caller reaches.
    pub(super) fn u16(&mut self) -> u16 {
        self.take().map_or(0, u16::from_le_bytes)
    }

    /// The next four bytes; 0 past the end, which no caller reaches.
    pub(super) fn u32(&mut self) -> u32 {
        self.take().map_or(0, u32::from_le_bytes)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

/// Reads exactly this many bytes, at most 64 KiB: every variable length in a zip is a 16-bit number.
pub(super) fn read_bytes<R: Read>(source: &mut R, length: u16) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}
