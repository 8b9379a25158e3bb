//! Whatever the bytes are, the answer is a report.

use std::io::Cursor;
use std::sync::LazyLock;

use proptest::prelude::*;
use widget_registry::archive::{Limits, inspect, read_file};

use super::builder::{Descriptor, Entry};
use super::widget::{RU, files_with, zip, zip_of};

static LAWFUL: LazyLock<Vec<u8>> =
    LazyLock::new(|| zip().and(Entry::stored("a/b.txt", b"stored").described_by(Descriptor::Signed)).bytes());

fn survives(bytes: &[u8]) {
    let limits = Limits::default();
    let report = inspect(Cursor::new(bytes), &limits).unwrap();
    let errors = report.findings.iter().any(|finding| finding.severity() == widget_registry::archive::Severity::Error);
    assert_eq!(report.package.is_some(), !errors);
    let again = inspect(Cursor::new(bytes), &limits).unwrap();
    assert_eq!(report, again, "the same bytes give the same report");
    for file in report.package.iter().flat_map(|package| &package.files) {
        let read = read_file(Cursor::new(bytes), &file.path, &limits).unwrap();
        assert_eq!(read.len() as u64, file.size);
    }
}

/// Every place at which a number, a signature or a name can be changed.
#[test]
fn each_byte_of_a_lawful_archive_may_be_any_other() {
    for at in 0..LAWFUL.len() {
        for flip in [0x01, 0xFF] {
            let mut bytes = LAWFUL.clone();
            bytes[at] ^= flip;
            let report = inspect(Cursor::new(&bytes), &Limits::default()).unwrap();
            assert!(report.package.is_some() || !report.findings.is_empty(), "{at}");
        }
    }
}

#[test]
fn a_lawful_archive_may_end_anywhere() {
    for length in 0..LAWFUL.len() {
        let report = inspect(Cursor::new(&LAWFUL[..length]), &Limits::default()).unwrap();
        assert!(report.package.is_none(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        survives(&bytes);
    }

    #[test]
    fn random_bytes_between_a_header_and_an_end_record(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let mut archive = LAWFUL[..40].to_vec();
        archive.extend(&bytes);
        archive.extend(&LAWFUL[LAWFUL.len() - 22..]);
        survives(&archive);
    }

    #[test]
    fn mutations(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = LAWFUL.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survives(&bytes);
    }

    #[test]
    fn pieces_cut_out_and_doubled(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), double: bool) {
        let (from, to) = (from.index(LAWFUL.len()), to.index(LAWFUL.len()));
        let (from, to) = (from.min(to), from.max(to));
        let mut bytes = LAWFUL[..to].to_vec();
        bytes.extend(&LAWFUL[if double { from } else { to }..]);
        if !double {
            bytes.drain(from..to);
        }
        survives(&bytes);
    }

    #[test]
    fn random_manifests(manifest in "[\\[\\]{}:,\"\\\\/ntfu0-9eE.+ \n-]{0,200}") {
        survives(&zip_of(&files_with("manifest.json", manifest)).bytes());
    }

    #[test]
    fn mutated_json(at in any::<prop::sample::Index>(), value in "\\PC|[\\x00-\\x1f]", text in any::<bool>()) {
        let (name, json) = if text { ("i18n/ru.json", RU) } else { ("manifest.json", super::widget::MANIFEST) };
        let mut characters: Vec<String> = json.chars().map(String::from).collect();
        let at = at.index(characters.len());
        characters[at] = value;
        survives(&zip_of(&files_with(name, characters.concat())).bytes());
    }
}
