//! Archives that end too early: at each of a zip's structures, in it, and before it.

use widget_registry::archive::FindingCode as Code;

use super::builder::{Descriptor, Entry};
use super::hostile::{Hostile, hostile};
use super::widget::zip;

/// The last place of these bytes.
fn last(whole: &[u8], bytes: &[u8]) -> usize {
    whole.windows(bytes.len()).rposition(|window| window == bytes).unwrap()
}

pub(super) fn cuts() -> Vec<Hostile> {
    let entry = Entry::deflated("last.txt", b"some text that is deflated").described_by(Descriptor::Signed);
    let whole = zip().with(|zip| zip.comment = b"a comment".to_vec()).and(entry).bytes();
    let (local, descriptor) = (last(&whole, b"PK\x03\x04"), last(&whole, b"PK\x07\x08"));
    let directory = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let (central, end) = (last(&whole, b"PK\x01\x02"), last(&whole, b"PK\x05\x06"));
    [
        ("cut in the first signature", 2, Code::ArchiveNotAZip),
        ("cut behind the first signature", 4, Code::ArchiveTruncated),
        ("cut in the first header", 17, Code::ArchiveTruncated),
        ("cut in the first name", 33, Code::ArchiveTruncated),
        ("cut in the first data", 60, Code::ArchiveTruncated),
        ("cut before the last record", local, Code::ArchiveTruncated),
        ("cut in the last header", local + 20, Code::ArchiveTruncated),
        ("cut in the last name", local + 33, Code::ArchiveTruncated),
        ("cut in the last data", local + 40, Code::ArchiveTruncated),
        ("cut before the descriptor", descriptor, Code::ArchiveTruncated),
        ("cut in the descriptor", descriptor + 9, Code::ArchiveTruncated),
        ("cut before the directory", directory, Code::ArchiveTruncated),
        ("cut in the directory", directory + 30, Code::ArchiveTruncated),
        ("cut between two of the directory", central, Code::ArchiveTruncated),
        ("cut in the directory's last name", central + 49, Code::ArchiveTruncated),
        ("cut before the end record", end, Code::ArchiveTruncated),
        ("cut in the end record's signature", end + 2, Code::ArchiveTruncated),
        ("cut in the end record", end + 12, Code::ArchiveTruncated),
        ("cut before the comment", end + 22, Code::ArchiveTruncated),
        ("cut before the comment's last byte", whole.len() - 1, Code::ArchiveTruncated),
    ]
    .map(|(name, at, code)| hostile(name, whole[..at].to_vec(), code))
    .into()
}
