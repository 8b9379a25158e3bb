//! Inflating one entry: any bytes are its deflate stream, in an archive that is lawful otherwise. Another inflater says what has to
//! come of it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use widget_registry_fuzz::archive::{FindingCode, read_file};
use widget_registry_fuzz::{Entry, SMALL, inspect, zip};

/// Unpacked bytes that are compared.
const MOST: usize = 64 << 10;

fuzz_target!(|data: &[u8]| {
    // What looks like an end record may be one, and then there are two.
    if data.windows(4).any(|four| four == b"PK\x05\x06") {
        return;
    }
    let mut out = vec![0; MOST];
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, taken, given) = decompress(&mut DecompressorOxide::new(), data, &mut out, 0, flags);
    if status == TINFLStatus::HasMoreOutput || given as u64 > SMALL.ratio * data.len() as u64 {
        return;
    }
    out.truncate(given);
    let archive = zip(&[Entry { name: "script.js", packed: data, unpacked: &out, deflated: true }]);
    let report = inspect(&archive);
    let found: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    let broken = [FindingCode::EntrySize, FindingCode::EntryChecksum, FindingCode::EntryCorrupt];
    let refused = found.iter().any(|code| broken.contains(code));
    let whole = status == TINFLStatus::Done && taken == data.len();
    assert_eq!(refused, !whole, "{status:?} after {taken} of {} bytes, but {found:?}", data.len());
    let read = read_file(Cursor::new(&archive), "script.js", &SMALL);
    assert_eq!(read.ok(), whole.then_some(out));
});
