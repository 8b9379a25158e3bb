//! The parts of the service that read what strangers send, built without the rest of it: so the fuzzer's build takes a minute instead
//! of ten, and only what is fuzzed counts as covered.

use std::io::Cursor;

#[path = "../../src/archive/mod.rs"]
pub mod archive;
pub mod http;

use archive::{Files, Limits, Package, Report, Severity};

/// Limits that small inputs can reach.
pub const SMALL: Limits = Limits {
    packed: 64 << 10,
    unpacked: 256 << 10,
    entries: 40,
    manifest: 16 << 10,
    i18n: 8 << 10,
    depth: 5,
    path: 64,
    ratio: 50,
    json_depth: 12,
    json_values: 400,
    settings: 12,
    locations: 8,
    locales: 8,
    text: 256,
    texts: 2 << 10,
};

/// Reads an archive under small limits and checks what holds of every report.
///
/// # Panics
///
/// When something of that does not hold.
#[must_use]
pub fn inspect(bytes: &[u8]) -> Report {
    let report = archive::inspect(Cursor::new(bytes), &SMALL).expect("a source in memory has no errors");
    let refused = report.findings.iter().any(|finding| finding.severity() == Severity::Error);
    assert_eq!(report.package.is_none(), refused, "a package exactly when there is no error");
    assert!(report.findings.len() <= 202, "findings are bounded");
    for finding in &report.findings {
        let json = serde_json::to_string(finding).expect("a finding is JSON");
        assert!(json.len() < 4_000, "a finding repeats little of what it is about: {json}");
    }
    if let Some(package) = &report.package {
        read_again(bytes, package);
    }
    report
}

/// What was accepted can be unpacked, and is what the report says.
fn read_again(bytes: &[u8], package: &Package) {
    assert_eq!(package.packed_size, bytes.len() as u64);
    let mut files = Files::open(Cursor::new(bytes), &SMALL).expect("an accepted archive opens again");
    let mut total = 0;
    for file in &package.files {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut size = 0;
        let mut sink = |piece: &[u8]| {
            context.update(piece);
            size += piece.len() as u64;
        };
        files.read(&file.path, &mut sink).expect("an accepted file can be read");
        assert_eq!(size, file.size);
        assert_eq!(context.finish().as_ref(), file.sha256);
        assert!(file.path.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != ".."));
        total += size;
    }
    assert!(total <= SMALL.unpacked);
}

/// An entry of a lawful archive.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// In ASCII.
    pub name: &'a str,
    /// Its bytes in the archive.
    pub packed: &'a [u8],
    /// What they are said to be.
    pub unpacked: &'a [u8],
    /// How.
    pub deflated: bool,
}

/// An archive of these entries, lawful but for what is in them.
///
/// # Panics
///
/// When there is more in it than a zip can hold.
#[must_use]
pub fn zip(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let number = |length: usize| u32::try_from(length).expect("inputs are small").to_le_bytes();
    for entry in entries {
        let mut checksum = flate2::Crc::new();
        checksum.update(entry.unpacked);
        let fixed = [20, 0, 0, 0, if entry.deflated { 8 } else { 0 }, 0, 0, 0, 0x21, 0];
        let header = [
            fixed.as_slice(),
            &checksum.sum().to_le_bytes(),
            &number(entry.packed.len()),
            &number(entry.unpacked.len()),
            &number(entry.name.len()),
        ];
        let (header, offset) = (header.concat(), number(out.len()));
        directory
            .extend([b"PK\x01\x02\x14\x03".as_slice(), &header, &[0; 10], &offset, entry.name.as_bytes()].concat());
        out.extend([b"PK\x03\x04".as_slice(), &header, entry.name.as_bytes(), entry.packed].concat());
    }
    let count = u8::try_from(entries.len()).expect("entries are few");
    let (length, offset) = (number(directory.len()), number(out.len()));
    out.extend(directory);
    out.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &[count, 0, count, 0], &length, &offset, &[0, 0]].concat());
    out
}
