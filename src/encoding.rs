//! The forms in which bytes are sent besides their own.

use std::fmt;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// How hard an answer is packed: much less than what is published once and sent for ever.
const GZIP: Compression = Compression::new(5);
/// Of Brotli's 11.
const BROTLI: u32 = 4;
/// The window of Brotli, in bits: an answer is not larger.
const WINDOW: u32 = 18;
/// Bytes that Brotli works with at a time.
const BUFFER: usize = 16 * 1024;

/// A coding of contents that clients ask for (RFC 9110, 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// Gzip (RFC 1952).
    Gzip,
}

impl Encoding {
    /// All, the one that packs best first.
    pub const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// Where it stands in [`Self::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::Brotli => 0,
            Self::Gzip => 1,
        }
    }

    /// As `Content-Encoding` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl Encoding {
    /// Packs an answer.
    ///
    /// # Errors
    ///
    /// None is known: it is written to memory.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut packed = Vec::with_capacity(bytes.len() / 3);
        match self {
            Self::Brotli => {
                let mut writer = brotli::CompressorWriter::new(&mut packed, BUFFER, BROTLI, WINDOW);
                writer.write_all(bytes)?;
                writer.flush()?;
            }
            Self::Gzip => {
                let mut writer = GzEncoder::new(&mut packed, GZIP);
                writer.write_all(bytes)?;
                writer.finish()?;
            }
        }
        Ok(packed)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
