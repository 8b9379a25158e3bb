//! Every row of the table about the zip; hostile archives have a table of their own.

use widget_registry::archive::{FindingCode as Code, Severity};

use super::builder::{Descriptor, Entry};
use super::widget::{
    MANIFEST, accepted, check, check_files, codes, files, files_with, files_without, png, zip, zip_of,
};

#[test]
fn a_manifest_in_a_folder_is_refused_with_its_place() {
    let nested: Vec<_> = files().into_iter().map(|(name, bytes)| (format!("my-widget/{name}"), bytes)).collect();
    let report = check_files(&nested);
    assert_eq!(codes(&report), [Code::ManifestElsewhere, Code::ScriptMissing]);
    assert_eq!(report.findings[0].place.entry.as_deref(), Some("my-widget/manifest.json"));
    assert!(report.findings[1].message.contains("my-widget/script.js"));
    assert_eq!(codes(&check_files(&files_without("manifest.json"))), [Code::ManifestMissing]);
    let mut upper = files_without("manifest.json");
    upper.push(("Manifest.json".into(), MANIFEST.into()));
    assert_eq!(codes(&check_files(&upper)), [Code::ManifestElsewhere]);
}

#[test]
fn directories_descriptors_and_stored_entries_work() {
    let plain = files();
    let entry = |index: usize| {
        let (name, bytes) = plain.get(index).unwrap();
        (name.as_str(), bytes.as_slice())
    };
    let (en, ru, logo, manifest, script) = (entry(0), entry(1), entry(2), entry(3), entry(4));
    let archive = super::builder::Zip::of([
        Entry::directory("i18n/"),
        Entry::deflated(en.0, en.1).described_by(Descriptor::Signed),
        Entry::deflated(ru.0, ru.1).described_by(Descriptor::Unsigned),
        Entry::directory("images/"),
        Entry::stored(logo.0, logo.1),
        Entry::stored(manifest.0, manifest.1).described_by(Descriptor::Signed),
        Entry::stored(script.0, script.1),
        Entry::directory("empty/").described_by(Descriptor::Signed),
    ]);
    let package = accepted(check(archive.bytes()), &[]);
    assert_eq!(package.files.len(), 5);
    assert_eq!(package.manifest.name.resolve(&["en"], "ru"), "Widget");
}

#[test]
fn what_writers_add_is_accepted() {
    // Times and user ids as extra fields, comments, attributes of MS-DOS, hints about the compression.
    let times = vec![0x55, 0x54, 5, 0, 1, 0, 0, 0, 0];
    let mut archive = zip();
    for entry in &mut archive.entries {
        entry.local.extra.clone_from(&times);
        entry.central.extra.clone_from(&times);
        entry.comment = b"made by hand".to_vec();
        entry.central.flags |= 1 << 1;
    }
    archive.entries[0].made_by = 20;
    archive.entries[0].attributes = 0x20;
    archive.comment = b"the archive's comment".to_vec();
    accepted(check(archive.bytes()), &[]);
}

#[test]
fn leftovers_are_dropped_silently() {
    let mut all = files();
    for name in ["__MACOSX/._script.js", "images/.DS_Store", "._manifest.json", ".idea/workspace.xml", ".git/HEAD"] {
        all.push((name.into(), b"leftover".to_vec()));
    }
    let package = accepted(check_files(&all), &[]);
    assert_eq!(package.files.len(), 5);
}

#[test]
fn what_is_not_for_browsers_is_kept_out() {
    let zipped = zip().bytes();
    for (name, bytes, code) in [
        ("widget.php", b"<?php".as_slice(), Code::EntryServerCode),
        ("server/app.py", b"import os", Code::EntryServerCode),
        (".env", b"KEY=1", Code::EntrySecretFile),
        ("deploy.pem", b"-----BEGIN", Code::EntrySecretFile),
        ("old/widget.zip", b"not even a zip", Code::EntryNestedArchive),
        ("data.bin", zipped.as_slice(), Code::EntryNestedArchive),
        ("script.js.map", b"{}", Code::EntrySourceMap),
        (".eslintrc", b"{}", Code::EntryHidden),
    ] {
        let package = accepted(check_files(&files_with(name, bytes)), &[code]);
        let file = package.files.iter().find(|file| file.path == name).unwrap();
        assert!(!file.served, "{name}");
    }
}

#[test]
fn names_in_utf8_without_the_flag_are_utf8() {
    let entry = Entry::deflated("images/лого.txt", b"x").both(|header| header.flags = 0);
    let package = accepted(check(zip().and(entry).bytes()), &[]);
    assert!(package.files.iter().any(|file| file.path == "images/лого.txt"));
    let entry = Entry::deflated("images/x", b"x").both(|header| header.name = b"images/\x8B\xAE\xA3\xAE".to_vec());
    assert_eq!(codes(&check(zip().and(entry).bytes())), [Code::EntryNameEncoding]);
}

#[test]
fn other_formats_are_named() {
    for (bytes, name) in [
        (b"7z\xBC\xAF\x27\x1C\0\x04rest".as_slice(), "7z"),
        (b"Rar!\x1A\x07\x01\0rest", "RAR"),
        (b"\x1F\x8B\x08rest", "gzip"),
        (b"%PDF-1.4", "PDF"),
    ] {
        let report = check(bytes);
        assert_eq!(codes(&report), [Code::ArchiveNotAZip]);
        assert!(report.findings[0].message.contains(name), "{}", report.findings[0].message);
    }
    for bytes in [b"".as_slice(), b"P", b"hello", vec![0; 100_000].as_slice()] {
        assert_eq!(codes(&check(bytes)), [Code::ArchiveNotAZip]);
    }
}

#[test]
fn a_missing_script_is_refused() {
    assert_eq!(codes(&check_files(&files_without("script.js"))), [Code::ScriptMissing]);
}

#[test]
fn everything_is_reported_at_once_with_errors_first() {
    let mut all = files_without("script.js");
    all.retain(|(name, _)| name != "manifest.json" && name != "i18n/ru.json");
    let manifest =
        MANIFEST.replace("\"1.0.0\"", "\"1.1.\"").replace("\"text\"", "\"select\"").replace("\"pass\"", "\"number\"");
    all.push(("manifest.json".into(), manifest.into()));
    all.push(("i18n/ru.json".into(), b"{\n  // a comment\n}".to_vec()));
    all.push(("images/logo_min.png".into(), png(1, 1)));
    all.push(("../evil".into(), b"x".to_vec()));
    let report = check(zip_of(&all).bytes());
    assert_eq!(
        codes(&report),
        [
            Code::EntryNameDots,
            Code::ScriptMissing,
            Code::ManifestVersionInvalid,
            Code::ManifestSettingTypeUnknown,
            Code::ManifestSettingTypeUnknown,
            Code::I18nSyntax,
            Code::ImageSize,
        ]
    );
    let json = serde_json::to_value(&report.findings).unwrap();
    assert_eq!(json[3]["place"]["path"], "settings.login.type");
    assert_eq!((&json[5]["place"]["line"], &json[5]["place"]["column"]), (&2.into(), &3.into()));
    assert_eq!(report.findings[6].severity(), Severity::Warning);
}

#[test]
fn images_are_sniffed() {
    let jpeg = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC0\0\x11\x08\0\x64\0\x82".to_vec();
    let package = accepted(check_files(&files_with("images/logo.png", jpeg)), &[Code::ImageFormat]);
    let logo = package.files.iter().find(|file| file.path == "images/logo.png").unwrap();
    assert_eq!(logo.media_type, "image/jpeg");
    let script = package.files.iter().find(|file| file.path == "script.js").unwrap();
    assert_eq!(script.media_type, "text/javascript; charset=utf-8");
    let fake = accepted(check_files(&files_with("images/x.png", "<script>")), &[Code::ImageFormat]);
    let fake = fake.files.iter().find(|file| file.path == "images/x.png").unwrap();
    assert_eq!(fake.media_type, "application/octet-stream");
    for (name, width, height) in [
        ("logo_main", 400, 272),
        ("logo_small", 108, 108),
        ("logo", 130, 100),
        ("logo_medium", 240, 84),
        ("logo_min", 84, 84),
        ("logo_dp", 174, 109),
    ] {
        let path = format!("images/{name}.png");
        accepted(check_files(&files_with(&path, png(width, height))), &[]);
        accepted(check_files(&files_with(&path, png(width, height + 1))), &[Code::ImageSize]);
    }
}
