//! A lawful widget, and what is found in variations of it.

use std::io::Cursor;

use widget_registry::archive::{Finding, FindingCode, Limits, Package, Report, inspect};

use super::builder::{Entry, Zip};

pub(super) const MANIFEST: &str = r#"{
  "widget": {
    "name": "widget.name", "description": "widget.description", "short_description": "widget.short_description",
    "version": "1.0.0", "interface_version": 2, "init_once": false, "installation": true, "locale": ["ru", "en"],
    "support": {"link": "https://widgets.example.ru", "email": "help@widgets.example.ru"}
  },
  "locations": ["settings", "lcard-1"],
  "settings": {
    "login": {"name": "settings.login", "type": "text", "required": true},
    "api_key": {"name": "settings.api_key", "type": "pass"}
  }
}"#;

pub(super) const RU: &str = r#"{"widget": {"name": "Виджет", "description": "Описание", "short_description": "Кратко"},
 "settings": {"login": "Логин", "api_key": "Ключ"}}"#;

pub(super) const EN: &str = r#"{"widget": {"name": "Widget", "description": "Description", "short_description": "Short"},
 "settings": {"login": "Login", "api_key": "Key"}}"#;

/// The beginning of a PNG of this size.
pub(super) fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes
}

/// The files of a widget in which nothing is found.
pub(super) fn files() -> Vec<(String, Vec<u8>)> {
    vec![
        ("i18n/en.json".into(), EN.into()),
        ("i18n/ru.json".into(), RU.into()),
        ("images/logo.png".into(), png(130, 100)),
        ("manifest.json".into(), MANIFEST.into()),
        ("script.js".into(), b"define([], function () {});".to_vec()),
    ]
}

/// The same as a zip that can still be changed.
pub(super) fn zip() -> Zip {
    zip_of(&files())
}

pub(super) fn zip_of(files: &[(String, Vec<u8>)]) -> Zip {
    Zip::of(files.iter().map(|(name, bytes)| Entry::deflated(name, bytes)))
}

/// The files with one replaced or added.
pub(super) fn files_with(name: &str, bytes: impl Into<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let mut files = files_without(name);
    files.push((name.into(), bytes.into()));
    files
}

pub(super) fn files_without(name: &str) -> Vec<(String, Vec<u8>)> {
    files().into_iter().filter(|(known, _)| known != name).collect()
}

pub(super) fn check(bytes: impl Into<Vec<u8>>) -> Report {
    let report = inspect(Cursor::new(bytes.into()), &Limits::default()).unwrap();
    let refused = report.findings.iter().any(|finding| finding.severity() == widget_registry::archive::Severity::Error);
    assert_eq!(report.package.is_none(), refused, "a package exactly when there is no error: {:?}", report.findings);
    report
}

pub(super) fn check_files(files: &[(String, Vec<u8>)]) -> Report {
    check(zip_of(files).bytes())
}

pub(super) fn check_manifest(manifest: impl Into<Vec<u8>>) -> Report {
    check_files(&files_with("manifest.json", manifest))
}

/// The manifest with one piece of its text replaced, which has to be there.
pub(super) fn edited(from: &str, to: &str) -> String {
    assert!(MANIFEST.contains(from), "{from}");
    MANIFEST.replacen(from, to, 1)
}

/// The manifest with another section `settings`.
pub(super) fn with_settings(settings: &str) -> String {
    let (before, _) = MANIFEST.split_once(r#""settings": {"#).unwrap();
    format!(r#"{before}"settings": {settings}}}"#)
}

pub(super) fn codes(report: &Report) -> Vec<FindingCode> {
    report.findings.iter().map(|finding| finding.code).collect()
}

/// The package, and that nothing but these warnings was found.
pub(super) fn accepted(report: Report, warnings: &[FindingCode]) -> Package {
    assert_eq!(codes(&report), warnings, "{:#?}", report.findings);
    report.package.unwrap()
}

/// The only finding.
pub(super) fn only(report: &Report, code: FindingCode) -> &Finding {
    assert_eq!(codes(report), [code], "{:#?}", report.findings);
    &report.findings[0]
}
