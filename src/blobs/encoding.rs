//! The forms in which a blob's bytes are kept besides their own.

use std::fmt;

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

    /// As `Content-Encoding` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Types that are neither text nor compressed already.
const PACKABLE: &[&str] = &[
    "application/json",
    "application/xml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/svg+xml",
];

/// Whether files of this type are worth a try.
pub(super) fn packable(media_type: &str) -> bool {
    media_type.starts_with("text/") || PACKABLE.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_packable_and_pictures_are_not() {
        for yes in ["text/javascript; charset=utf-8", "text/css; charset=utf-8", "application/json", "image/svg+xml"] {
            assert!(packable(yes), "{yes}");
        }
        for no in ["image/png", "font/woff2", "application/octet-stream", "video/mp4", "application/pdf"] {
            assert!(!packable(no), "{no}");
        }
    }
}
