//! Hostile archives: each is refused with the code that says why, quickly and without a panic.

use std::io::Cursor;
use std::time::{Duration, Instant};

use widget_registry::archive::{FindingCode as Code, Limits, inspect};

use super::builder::{Descriptor, Entry, Zip, deflate};
use super::hostile_cuts::cuts;
use super::hostile_records as records;
use super::widget::{MANIFEST, RU, files_with, with_settings, zip, zip_of};

/// The longest that one archive may take.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Hostile {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    code: Code,
}

pub(super) fn hostile(name: &'static str, bytes: Vec<u8>, code: Code) -> Hostile {
    Hostile { name, bytes, code }
}

/// A lawful widget with one more entry.
pub(super) fn plus(entry: Entry) -> Vec<u8> {
    zip().and(entry).bytes()
}

/// A lawful widget with one more entry of this name.
fn named(name: &str) -> Vec<u8> {
    plus(Entry::deflated(name, b"x"))
}

pub(super) fn file() -> Entry {
    Entry::deflated("a.txt", b"some text that is deflated")
}

fn names() -> Vec<Hostile> {
    let nfd = "images/e\u{301}.png";
    vec![
        hostile("slip", named("../../etc/passwd"), Code::EntryNameDots),
        hostile("slip inside", named("a/../../b"), Code::EntryNameDots),
        hostile("dot segment", named("a/./b"), Code::EntryNameDots),
        hostile("absolute", named("/etc/passwd"), Code::EntryNameAbsolute),
        hostile("network path", named("//host/share"), Code::EntryNameAbsolute),
        hostile("drive", named("C:/windows"), Code::EntryNameDrive),
        hostile("drive relative", named("c:windows"), Code::EntryNameDrive),
        hostile("backslash", named("a\\..\\b"), Code::EntryNameBackslash),
        hostile("nul", named("script.js\0.png"), Code::EntryNameControl),
        hostile("line break", named("a\nb"), Code::EntryNameControl),
        hostile("delete character", named("a\u{7f}"), Code::EntryNameControl),
        hostile("c1 control", named("a\u{9b}b"), Code::EntryNameControl),
        hostile("empty name", named(""), Code::EntryNameEmpty),
        hostile("only a slash", plus(Entry::directory("/")), Code::EntryNameEmpty),
        hostile("empty segment", named("a//b"), Code::EntryNameEmpty),
        hostile("too deep", named(&("d/".repeat(10) + "leaf")), Code::EntryNameTooDeep),
        hostile("long name", named(&"n".repeat(60_000)), Code::EntryNameTooLong),
        hostile("not utf-8", plus(file().both(|header| header.name = b"\xff\xfe".to_vec())), Code::EntryNameEncoding),
        hostile("duplicate", zip().and(file()).and(file()).bytes(), Code::EntryDuplicate),
        hostile("second manifest", plus(Entry::deflated("manifest.json", b"{}")), Code::EntryDuplicate),
        hostile("twin by case", named("Script.JS"), Code::EntryTwin),
        hostile(
            "twin by unicode form",
            zip().and(Entry::stored("images/\u{e9}.png", b"")).and(Entry::stored(nfd, b"")).bytes(),
            Code::EntryTwin,
        ),
        hostile(
            "twin by both",
            zip().and(Entry::stored("\u{c9}", b"")).and(Entry::stored("e\u{301}", b"")).bytes(),
            Code::EntryTwin,
        ),
        hostile("file that is a folder", named("script.js/a.js"), Code::EntryFileAndFolder),
        hostile("file that is a directory", plus(Entry::directory("script.js/")), Code::EntryFileAndFolder),
        hostile("folder that is a file by case", named("IMAGES"), Code::EntryFileAndFolder),
    ]
}

fn kinds() -> Vec<Hostile> {
    let mode = |mode: u32| plus(file().with(|entry| entry.attributes = mode << 16));
    vec![
        hostile("symbolic link", mode(0o120_777), Code::EntryLink),
        hostile(
            "link of a dos writer",
            plus(file().with(|entry| (entry.attributes, entry.made_by) = (0o120_777 << 16, 20))),
            Code::EntryLink,
        ),
        hostile("device", mode(0o020_666), Code::EntrySpecial),
        hostile("pipe", mode(0o010_666), Code::EntrySpecial),
        hostile("socket", mode(0o140_666), Code::EntrySpecial),
        hostile("directory without a slash", mode(0o040_755), Code::EntrySpecial),
        hostile(
            "dos directory without a slash",
            plus(file().with(|entry| entry.attributes = 0x10)),
            Code::EntrySpecial,
        ),
        hostile("directory with bytes", plus(Entry::stored("d/", b"hidden")), Code::EntryDirectoryData),
        hostile("encrypted", plus(file().both(|header| header.flags |= 1)), Code::EntryEncrypted),
        hostile("strongly encrypted", plus(file().both(|header| header.flags |= 0x41)), Code::EntryEncrypted),
        hostile("masked headers", plus(file().both(|header| header.flags |= 1 << 13)), Code::EntryEncrypted),
        hostile(
            "aes",
            plus(file().both(|header| {
                header.method = 99;
                header.extra = vec![1, 0x99, 7, 0, 2, 0, b'A', b'E', 3, 8, 0];
            })),
            Code::EntryEncrypted,
        ),
        hostile("patch", plus(file().both(|header| header.flags |= 1 << 5)), Code::EntryMethod),
        hostile("bzip2", plus(file().both(|header| header.method = 12)), Code::EntryMethod),
        hostile("lzma", plus(file().both(|header| header.method = 14)), Code::EntryMethod),
        hostile("deflate64", plus(file().both(|header| header.method = 9)), Code::EntryMethod),
        hostile("zstandard", plus(file().both(|header| header.method = 93)), Code::EntryMethod),
        hostile("unknown method", plus(file().both(|header| header.method = 0xFFFF)), Code::EntryMethod),
    ]
}

fn sizes() -> Vec<Hostile> {
    let zeros = |length: usize| vec![0; length];
    let bomb = |declared: u32| plus(Entry::deflated("bomb", &zeros(5 << 20)).both(|header| header.unpacked = declared));
    let stored_size = file().both(|header| header.method = 0);
    let many = |count: usize| {
        let empty = Entry::stored("x", b"");
        let fill = (0..count).map(|index| empty.clone().both(|header| header.name = format!("f{index}").into()));
        Zip::of(fill).bytes()
    };
    let wide: Vec<Entry> = (0..20)
        .map(|index| file().both(|header| (header.name, header.unpacked) = (format!("f{index}").into(), 4 << 20)))
        .collect();
    let padded: Vec<u8> =
        deflate(b"x").0.into_iter().chain(b"hidden bytes behind the stream".iter().copied()).collect();
    let length = u32::try_from(padded.len()).unwrap();
    let one_more = |entry: Entry| plus(entry.both(|header| header.packed += 1).with(|entry| entry.data.push(0)));
    // A stored block that is not the last one, and no other block.
    let unended = Entry::stored("a", b"x").both(|header| (header.method, header.packed) = (8, 6)).with(|entry| {
        entry.data = b"\0\x01\0\xFE\xFFx".to_vec();
    });
    let cut = file().both(|header| header.packed -= 1).with(|entry| {
        entry.data.pop();
    });
    let trailing = Entry::deflated("a", b"x").with(|entry| entry.data = padded).both(|header| header.packed = length);
    vec![
        hostile("bomb that says so", plus(Entry::deflated("bomb", &zeros(5 << 20))), Code::EntryRatio),
        hostile("bomb that hides its size", bomb(1_000), Code::EntrySize),
        hostile("bomb by many entries", Zip { entries: wide, ..zip() }.bytes(), Code::ArchiveUnpackedTooLarge),
        hostile("size of 4 GiB", bomb(u32::MAX - 1), Code::ArchiveUnpackedTooLarge),
        hostile("one byte less", plus(file().both(|header| header.unpacked -= 1)), Code::EntrySize),
        hostile("one byte more", plus(file().both(|header| header.unpacked += 1)), Code::EntrySize),
        hostile("stored with two sizes", plus(stored_size), Code::EntrySize),
        hostile("bytes behind the stream", plus(trailing), Code::EntrySize),
        hostile("one byte behind the stream", one_more(file()), Code::EntrySize),
        hostile("one byte behind stored bytes", one_more(Entry::stored("a", b"stored")), Code::EntrySize),
        hostile("stream without its last byte", plus(cut), Code::EntryCorrupt),
        hostile("stream without its end", plus(unended), Code::EntryCorrupt),
        hostile("another checksum", plus(file().both(|header| header.crc ^= 1)), Code::EntryChecksum),
        hostile("broken stream", plus(file().with(|entry| entry.data.fill(0xFF))), Code::EntryCorrupt),
        hostile(
            "dropped entries lie too",
            plus(file().both(|header| {
                header.name = b"__MACOSX/x".to_vec();
                header.crc ^= 1;
            })),
            Code::EntryChecksum,
        ),
        hostile("2,001 entries", many(2_001), Code::ArchiveTooManyEntries),
        hostile("66,000 entries", many(66_000), Code::ArchiveDirectory),
        hostile("more than the packed size", vec![0; (20 << 20) + 1], Code::ArchiveTooLarge),
    ]
}

fn json() -> Vec<Hostile> {
    let manifest = |text: String| zip_of(&files_with("manifest.json", text)).bytes();
    let stored = |name: &str, text: String| {
        let mut archive = zip();
        archive.entries.retain(|entry| entry.local.name != name.as_bytes());
        archive.and(Entry::stored(name, text.as_bytes())).bytes()
    };
    vec![
        hostile("deep arrays", stored("manifest.json", "[".repeat(100_000)), Code::ManifestTooDeep),
        hostile("deep objects", stored("manifest.json", "{\"a\":".repeat(50_000)), Code::ManifestTooDeep),
        hostile("deep texts", stored("i18n/ru.json", "{\"a\":".repeat(50_000)), Code::I18nTooDeep),
        hostile(
            "many values",
            stored("manifest.json", format!("[{}]", vec!["0"; 100_000].join(","))),
            Code::ManifestTooManyValues,
        ),
        hostile("large manifest", stored("manifest.json", " ".repeat(300 << 10)), Code::ManifestTooLarge),
        hostile("large texts", stored("i18n/ru.json", " ".repeat(300 << 10)), Code::I18nTooLarge),
        hostile("lone surrogate", manifest(MANIFEST.replacen("widget.name", "\\ud800", 1)), Code::ManifestSyntax),
        hostile("nul in a text", manifest(MANIFEST.replacen("widget.name", "a\\u0000b", 1)), Code::ManifestNul),
        hostile("one text for many settings", many_references(), Code::ManifestTextTooLong),
        hostile("many unknown keys", stored("manifest.json", many_keys()), Code::ManifestNotAWidget),
    ]
}

/// Two hundred settings that share one text of 16 KiB would take up 3 MiB.
fn many_references() -> Vec<u8> {
    let settings: Vec<String> =
        (0..200).map(|n| format!(r#""s{n}": {{"name": "long.text", "type": "text"}}"#)).collect();
    let manifest = with_settings(&format!("{{{}}}", settings.join(",")));
    let text: String = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761).to_string()).take(1_500).collect();
    let texts = RU.replacen('{', &format!(r#"{{"long": {{"text": "{text}"}}, "#), 1);
    let mut files = files_with("manifest.json", manifest);
    files.retain(|(name, _)| name != "i18n/ru.json");
    files.push(("i18n/ru.json".into(), texts.into()));
    zip_of(&files).bytes()
}

fn many_keys() -> String {
    let keys: Vec<String> = (0..15_000).map(|n| format!("\"k{}\":0", n % 7_000)).collect();
    format!("{{{}}}", keys.join(","))
}

/// All of them.
pub(super) fn all() -> Vec<Hostile> {
    let tables = [
        names(),
        kinds(),
        records::headers(),
        records::overlaps(),
        records::unclaimed_bytes(),
        records::end_records(),
        sizes(),
        json(),
        cuts(),
    ];
    tables.into_iter().flatten().collect()
}

#[test]
fn every_hostile_archive_is_refused_with_its_code() {
    let all = all();
    assert!(all.len() >= 130, "{}", all.len());
    let mut wrong = Vec::new();
    for Hostile { name, bytes, code } in all {
        let start = Instant::now();
        let report = inspect(Cursor::new(&bytes), &Limits::default()).unwrap();
        let codes: Vec<Code> = report.findings.iter().map(|finding| finding.code).collect();
        if report.package.is_some() || !codes.contains(&code) || start.elapsed() > PATIENCE {
            wrong.push(format!("{name}: {codes:?} instead of {code:?}, {:?}", start.elapsed()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Truncation is refused wherever it happens; no part of an archive is taken for a whole one.
#[test]
fn cut_at_every_structure() {
    let whole = zip().and(file().described_by(Descriptor::Signed)).bytes();
    let starts = whole.windows(2).enumerate().filter(|(_, two)| two == b"PK").map(|(at, _)| at);
    for at in starts.flat_map(|at| [at, at + 2, at + 4, at + 15]).filter(|at| *at < whole.len()) {
        let report = inspect(Cursor::new(&whole[..at]), &Limits::default()).unwrap();
        assert!(report.package.is_none(), "{at}");
    }
}
