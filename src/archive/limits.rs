//! How much of an archive is read at most.

/// Limits of one archive, passed in as a value; [`Limits::default`] holds the figures of the limits table.
///
/// Sizes are in bytes. Everything that exceeds a limit is reported as a finding, never as an I/O error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the archive itself: 20 MiB.
    pub packed: u64,
    /// Sum of the unpacked sizes of all entries: 64 MiB.
    pub unpacked: u64,
    /// Entries, directories and dropped ones included: 2,000.
    pub entries: u64,
    /// `manifest.json`, unpacked: 256 KiB.
    pub manifest: u64,
    /// One `i18n/*.json`, unpacked: 256 KiB.
    pub i18n: u64,
    /// Segments of an entry's path; `images/logo.png` has two: 10.
    pub depth: usize,
    /// Bytes of an entry's path: 512.
    pub path: usize,
    /// Unpacked size of one entry divided by its packed size: 200.
    pub ratio: u64,
    /// Nested arrays and objects in a JSON file: 32.
    pub json_depth: usize,
    /// Values in one JSON file, which bounds the memory of its tree: 20,000.
    pub json_values: usize,
    /// Settings of one widget: 200.
    pub settings: usize,
    /// Locations of one widget: 64.
    pub locations: usize,
    /// Locales of one widget, declared or as files: 64.
    pub locales: usize,
    /// One name or description in one language: 16 KiB.
    pub text: usize,
    /// All names and descriptions of one widget in all its languages: 1 MiB.
    pub texts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packed: 20 << 20,
            unpacked: 64 << 20,
            entries: 2_000,
            manifest: 256 << 10,
            i18n: 256 << 10,
            depth: 10,
            path: 512,
            ratio: 200,
            json_depth: 32,
            json_values: 20_000,
            settings: 200,
            locations: 64,
            locales: 64,
            text: 16 << 10,
            texts: 1 << 20,
        }
    }
}
