//! Each limit, at it and one past it.

use std::io::Cursor;

use widget_registry::archive::{FindingCode, Limits, inspect};

use super::builder::{Entry, deflate};
use super::widget::{check, check_files, check_manifest, codes, edited, files_with, zip};

fn codes_under(bytes: &[u8], limits: Limits) -> Vec<FindingCode> {
    codes(&inspect(Cursor::new(bytes), &limits).unwrap())
}

#[test]
fn the_defaults_are_those_of_the_table() {
    let limits = Limits::default();
    assert_eq!(limits.packed, 20 * 1024 * 1024);
    assert_eq!(limits.unpacked, 64 * 1024 * 1024);
    assert_eq!((limits.entries, limits.manifest, limits.depth, limits.ratio), (2_000, 256 * 1024, 10, 200));
    assert_eq!((limits.settings, limits.locations), (200, 64));
}

#[test]
fn packed_and_unpacked_size_and_entries() {
    let bytes = zip().bytes();
    let packed = bytes.len() as u64;
    let unpacked: u64 = zip().entries.iter().map(|entry| u64::from(entry.central.unpacked)).sum();
    let limits = Limits { packed, unpacked, entries: 5, ..Limits::default() };
    assert_eq!(codes_under(&bytes, limits), []);
    for (limits, code) in [
        (Limits { packed: packed - 1, ..limits }, FindingCode::ArchiveTooLarge),
        (Limits { unpacked: unpacked - 1, ..limits }, FindingCode::ArchiveUnpackedTooLarge),
        (Limits { entries: 4, ..limits }, FindingCode::ArchiveTooManyEntries),
    ] {
        assert_eq!(codes_under(&bytes, limits), [code]);
    }
}

#[test]
fn entries_at_the_default_limit() {
    let filled = |count: usize| {
        let empty = Entry::stored("x", b"");
        let fill = (5..count).map(|index| empty.clone().both(|header| header.name = format!("f/{index}").into()));
        fill.fold(zip(), super::builder::Zip::and).bytes()
    };
    assert_eq!(codes(&check(filled(2_000))), []);
    assert_eq!(codes(&check(filled(2_001))), [FindingCode::ArchiveTooManyEntries]);
}

#[test]
fn manifest_and_texts_in_bytes() {
    let padded = |length: usize| {
        let mut manifest = super::widget::MANIFEST.as_bytes().to_vec();
        // Blanks compress too well to be honest.
        let noise: String = (0_u32..).map(|n| n.wrapping_mul(2_654_435_761).to_string() + "/").take(40_000).collect();
        let room = length - manifest.len() - br#","_":"""#.len();
        let end = manifest.pop().unwrap();
        manifest.extend(br#","_":""#);
        manifest.extend(&noise.as_bytes()[..room]);
        manifest.extend([b'"', end]);
        assert_eq!(manifest.len(), length);
        manifest
    };
    assert_eq!(codes(&check_manifest(padded(256 << 10))), [FindingCode::ManifestUnknownKey]);
    assert_eq!(codes(&check_manifest(padded((256 << 10) + 1))), [FindingCode::ManifestTooLarge]);

    let limits = Limits { i18n: super::widget::RU.len() as u64, ..Limits::default() };
    assert_eq!(codes_under(&zip().bytes(), limits), []);
    let limits = Limits { i18n: super::widget::RU.len() as u64 - 1, ..Limits::default() };
    assert_eq!(codes_under(&zip().bytes(), limits), [FindingCode::I18nTooLarge]);

    let limits = Limits { text: "Description".len(), ..Limits::default() };
    let short = files_with("i18n/ru.json", super::widget::EN);
    let bytes = super::widget::zip_of(&short).bytes();
    assert_eq!(codes_under(&bytes, Limits { text: "widget.short_description".len(), ..limits }), []);
    assert!(codes_under(&bytes, limits).contains(&FindingCode::ManifestTextTooLong));
    assert!(codes_under(&bytes, Limits { texts: 50, ..Limits::default() }).contains(&FindingCode::ManifestTextTooLong));
}

#[test]
fn depth_and_length_of_paths() {
    let with = |path: &str| codes(&check_files(&files_with(path, "x")));
    assert_eq!(with("1/2/3/4/5/6/7/8/9/x.js"), []);
    assert_eq!(with("1/2/3/4/5/6/7/8/9/10/x.js"), [FindingCode::EntryNameTooDeep]);
    assert_eq!(with(&"x".repeat(512)), []);
    assert_eq!(with(&"x".repeat(513)), [FindingCode::EntryNameTooLong]);
}

#[test]
fn ratio() {
    // One packed byte stands for at most 200 unpacked ones.
    let zeros = |length: usize| vec![0; length];
    let packed = deflate(&zeros(10_000)).0.len();
    let limits = Limits { ratio: (10_000_usize.div_ceil(packed)) as u64, ..Limits::default() };
    let bytes = zip().and(Entry::deflated("zeros", &zeros(10_000))).bytes();
    assert_eq!(codes_under(&bytes, limits), []);
    let less = Limits { ratio: limits.ratio - 1, ..limits };
    assert_eq!(codes_under(&bytes, less), [FindingCode::EntryRatio]);
    assert_eq!(codes(&check(bytes)), [FindingCode::EntryRatio]);
}

#[test]
fn depth_and_values_of_json() {
    let nested = |depth: usize| {
        let tail = format!(r#","_": {}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
        super::widget::MANIFEST.strip_suffix('}').unwrap().to_owned() + &tail
    };
    assert_eq!(codes(&check_manifest(nested(32))), [FindingCode::ManifestUnknownKey]);
    assert_eq!(codes(&check_manifest(nested(33))), [FindingCode::ManifestTooDeep]);

    let many = |count: usize| codes(&check_files(&files_with("i18n/en.json", format!("[{}]", numbers(count)))));
    assert_eq!(many(19_999), [FindingCode::I18nNotAnObject]);
    assert_eq!(many(20_000), [FindingCode::I18nTooManyValues]);
}

fn numbers(count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|number| (number * 7919 % 100_003).to_string()).collect();
    numbers.join(",")
}

#[test]
fn settings_locations_locales_and_keys() {
    let settings = |count: usize| {
        let each = |n: usize| format!(r#""s{n}": {{"name": "Name {n}", "type": "text"}}"#);
        let settings = (0..count).map(each).collect::<Vec<_>>().join(",");
        super::widget::with_settings(&format!("{{{settings}}}"))
    };
    assert_eq!(codes(&check_manifest(settings(200))), []);
    assert_eq!(codes(&check_manifest(settings(201))), [FindingCode::ManifestSettingsTooMany]);

    let locations = |count: usize| {
        let locations: Vec<String> = (0..count).map(|n| format!(r#""x{n}""#)).collect();
        edited(r#"["settings", "lcard-1"]"#, &format!("[{}]", locations.join(",")))
    };
    assert_eq!(codes(&check_manifest(locations(64))), [FindingCode::ManifestLocationUnknown; 64]);
    assert_eq!(codes(&check_manifest(locations(65))), [FindingCode::ManifestLocationsTooMany]);

    let locales = |count: usize| {
        let locales: Vec<String> = (0..count).map(|n| format!(r#""x{n}""#)).collect();
        let manifest = edited(r#"["ru", "en"]"#, &format!("[{}]", locales.join(",")));
        codes(&check_manifest(manifest)).contains(&FindingCode::I18nTooMany)
    };
    assert!(!locales(64));
    assert!(locales(65));

    let key =
        |length: usize| codes(&check_manifest(edited(r#""login": {"#, &format!(r#""{}": {{"#, "ж".repeat(length)))));
    assert_eq!(key(255), []);
    assert_eq!(key(256), [FindingCode::ManifestSettingKey]);
}

#[test]
fn findings_are_bounded_and_errors_are_never_lost() {
    let settings: Vec<String> = (0..200).map(|n| format!(r#""s{n}": {{"type": "select", "required": 1}}"#)).collect();
    let manifest = edited(r#""login": {"#, &format!(r#"{}, "login": {{"#, settings.get(..198).unwrap().join(",")));
    let report = check_manifest(manifest);
    assert_eq!(report.findings.len(), 202);
    let last_two: Vec<_> = codes(&report).into_iter().skip(200).collect();
    assert_eq!(last_two, [FindingCode::MoreErrors, FindingCode::MoreWarnings]);
}

#[test]
fn findings_repeat_little_of_what_they_are_about() {
    let long = "k".repeat(10_000) + "\\u0000\\u202e";
    let setting = format!(r#"{{"{long}": {{"name": {{"{long}": 1}}, "type": "{long}", "required": "{long}"}}}}"#);
    let manifest = super::widget::with_settings(&setting);
    let manifest = manifest.replace("1.0.0", &long).replace("lcard-1", &long).replacen(
        "\"widget\"",
        &format!("\"{long}\": 1, \"widget\""),
        1,
    );
    let mut files = files_with("manifest.json", manifest);
    files.push(("x".repeat(60_000), Vec::new()));
    // Repetitions compress too well to be honest.
    let entries = files.iter().map(|(name, bytes)| Entry::stored(name, bytes));
    let report = check(super::builder::Zip::of(entries).bytes());
    assert!(report.findings.len() > 8, "{:?}", codes(&report));
    for finding in report.findings {
        let json = serde_json::to_string(&finding).unwrap();
        assert!(json.len() < 1_000 && !json.contains('\u{202e}'), "{json}");
    }
}
