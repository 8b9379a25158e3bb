//! The forms in which bytes are sent besides their own.

use std::fmt;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// How hard an answer is packed: much less than what is published once and sent for ever.
const GZIP: Compression = Compression::new(5);
/// Of Brotli's 11.
const BROTLI: u32 = 4;
/// Of zstd's 19: the library's default.
const ZSTD: i32 = 3;
/// The windows of Brotli and zstd, in bits: an answer is not larger. Clients need not have room for more than 23 of zstd (RFC 9659).
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
    /// Zstandard (RFC 8878), with a window of at most 256 KiB.
    Zstd,
}

impl Encoding {
    /// All that answers are packed in, the one that packs a page of widgets best first.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];
    /// Those that files of published versions are stored in, in the same order.
    pub const STORED: [Self; 2] = [Self::Brotli, Self::Gzip];

    /// Where it stands in [`Self::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        match self {
            Self::Brotli => 0,
            Self::Zstd => 1,
            Self::Gzip => 2,
        }
    }

    /// As `Content-Encoding` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
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
        let mut packed = Vec::new();
        match self {
            Self::Zstd => {
                let mut compressor = Compressor::new(ZSTD)?;
                compressor.set_parameter(CParameter::WindowLog(WINDOW))?;
                packed = compressor.compress(bytes)?;
            }
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
        // It is kept in memory: only what is counted of it there.
        packed.shrink_to_fit();
        Ok(packed)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn zstd_is_unpacked_with_a_small_window() {
        // Longer than the window, and what is repeated lies further back than it reaches.
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + u8::try_from(state >> 28).unwrap()
        };
        let half: Vec<u8> = (0..1_000_000).map(|_| letter()).collect();
        for bytes in [Vec::new(), b"a".to_vec(), [half.as_slice(), half.as_slice()].concat()] {
            let packed = Encoding::Zstd.pack(&bytes).unwrap();
            let mut reader = zstd::Decoder::new(packed.as_slice()).unwrap();
            reader.window_log_max(WINDOW).unwrap();
            let mut out = Vec::new();
            reader.read_to_end(&mut out).unwrap();
            assert!(out == bytes, "{}", bytes.len());
        }
    }

    #[test]
    fn they_come_in_the_order_of_what_they_leave_of_a_page() {
        let field =
            |key: &str, name: &str| format!(r#"{{"key":"{key}","name":"{name}","type":"text","is_required":true}}"#);
        let widget = |number: u64| {
            let fields = [
                field("login", "Login of your account"),
                field("password", "Password"),
                field("comment", "What to know"),
            ];
            format!(
                r#"{{"id":{number},"code":"widget_{number}","version":"1.0.{}","rating":"{},5","settings_template":[{}],"is_lead_source":false,"_links":{{"self":{{"href":"https://crm.test/api/v4/widgets/widget_{number}"}}}}}}"#,
                number % 10,
                number * 7_919 % 5,
                fields.join(",")
            )
        };
        let page = format!(r#"{{"_embedded":{{"widgets":[{}]}}}}"#, (1..=50).map(widget).collect::<Vec<_>>().join(","));
        let sizes = Encoding::ALL.map(|form| form.pack(page.as_bytes()).unwrap().len());
        assert!(sizes.is_sorted() && sizes[2] < page.len() / 5, "{sizes:?} of {}", page.len());
    }

    #[test]
    fn each_form_has_its_place() {
        for (place, form) in Encoding::ALL.into_iter().enumerate() {
            assert_eq!(form.place(), place, "{form}");
        }
    }
}
