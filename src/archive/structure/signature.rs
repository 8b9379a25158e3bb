//! What a file is by its first bytes.

/// First bytes of a local header, with which every archive that has entries begins.
pub(super) const LOCAL: &[u8; 4] = b"PK\x03\x04";
/// First bytes of a record of the central directory.
pub(super) const DIRECTORY: &[u8; 4] = b"PK\x01\x02";
/// First bytes of the end record.
pub(super) const END: &[u8; 4] = b"PK\x05\x06";
/// First bytes of the locator of a zip64 end record.
pub(super) const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
/// First bytes of a data descriptor, when it has any.
pub(super) const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";

/// The formats that are sent in place of a zip, by what they begin with.
const FORMATS: &[(&[u8], &str)] = &[
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"\x1F\x8B", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xFD7zXZ\0", "an xz file"),
    (b"\x28\xB5\x2F\xFD", "a Zstandard file"),
    (b"MSCF", "a cabinet file"),
    (b"MZ", "a Windows program"),
    (b"\x7FELF", "a Linux program"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"PK\x07\x08PK\x03\x04", "one part of a split zip"),
    (b"PK00PK\x03\x04", "one part of a split zip"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<!doctype", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"{", "a JSON file"),
];

/// The name of the format, when it is a known one that is not a zip.
pub(super) fn other_format(head: &[u8]) -> Option<&'static str> {
    // A tar is known by bytes in its midst, which any zip may hold there.
    let tar = !head.starts_with(LOCAL) && head.get(257..262) == Some(b"ustar");
    let by_start = FORMATS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, name)| *name);
    by_start.or_else(|| tar.then_some("a tar archive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_not_a_zip() {
        assert_eq!(other_format(b"7z\xBC\xAF\x27\x1C\0\x04"), Some("a 7z archive"));
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(other_format(&tar), Some("a tar archive"));
        tar[..4].copy_from_slice(LOCAL);
        assert_eq!(other_format(&tar), None);
        assert_eq!(other_format(b"PK\x03\x04"), None);
    }
}
