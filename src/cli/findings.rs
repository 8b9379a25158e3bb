//! Findings as a compiler prints them: what is wrong, where, and the line that is meant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use serde::Deserialize;

use super::excerpt::Excerpt;
use crate::archive::{self, Limits, Severity};

/// A finding, whether it was made here or by a server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Finding {
    code: String,
    severity: String,
    place: Place,
    message: String,
}

/// Where it is; members that say nothing are missing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Place {
    entry: Option<String>,
    path: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

impl From<&archive::Finding> for Finding {
    fn from(finding: &archive::Finding) -> Self {
        let archive::Finding { code, place, message } = finding;
        let severity = match finding.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        Self {
            code: code.as_str().to_owned(),
            severity: severity.to_owned(),
            place: Place {
                entry: place.entry.clone(),
                path: place.path.clone(),
                line: place.line,
                column: place.column,
            },
            message: message.clone(),
        }
    }
}

/// Describes the findings of one archive, and reads from it the lines that they are about.
pub(super) struct Printer<'a> {
    path: &'a str,
    archive: &'a [u8],
    texts: BTreeMap<String, Option<String>>,
}

impl<'a> Printer<'a> {
    /// For the archive that is found at this path.
    pub(super) fn new(path: &'a str, archive: &'a [u8]) -> Self {
        Self { path, archive, texts: BTreeMap::new() }
    }

    /// `warning[manifest.bom]: what and what to do`, in the next line where, then the line of the file when it is JSON.
    pub(super) fn describe(&mut self, finding: &Finding) -> String {
        let Finding { code, severity, place, message } = finding;
        let mut text = format!("{severity}[{code}]: {message}");
        let number = place.line.map(|line| line.to_string()).unwrap_or_default();
        let width = number.len().max(1);
        // Writing to a string does not fail.
        let _ = write!(text, "\n{:width$}--> {}", "", whereabouts(self.path, place));
        if let Some(Excerpt { text: line, before }) = self.excerpt(place) {
            let (gap, caret) = (" ".repeat(width), " ".repeat(before));
            let _ = write!(text, "\n{gap} |\n{number} | {line}\n{gap} | {caret}^");
        }
        text
    }

    fn excerpt(&mut self, place: &Place) -> Option<Excerpt> {
        let entry = place.entry.as_deref().filter(|entry| is_json(entry))?;
        let (line, column) = (place.line?, place.column?);
        let archive = self.archive;
        let text = self.texts.entry(entry.to_owned()).or_insert_with(|| {
            let bytes = archive::read_file(Cursor::new(archive), entry, &Limits::default()).ok()?;
            String::from_utf8(bytes).ok()
        });
        Excerpt::of(text.as_deref()?, line, column)
    }
}

/// Whether it is a file that is read as JSON.
fn is_json(entry: &str) -> bool {
    Path::new(entry).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// `widget.zip: manifest.json:1:1 (settings.login)`
fn whereabouts(path: &str, place: &Place) -> String {
    let mut text = path.to_owned();
    if let Some(entry) = &place.entry {
        let _ = write!(text, ": {entry}");
    }
    if let (Some(line), Some(column)) = (place.line, place.column) {
        let _ = write!(text, ":{line}:{column}");
    }
    if let Some(path) = place.path.as_deref().filter(|path| !path.is_empty()) {
        let _ = write!(text, " ({path})");
    }
    text
}

/// `1 error, 2 warnings`
pub(super) fn summary(findings: &[Finding]) -> String {
    let counted = |severity: &str, more: &str| {
        let listed = findings.iter().filter(|finding| finding.severity == severity && finding.code != more).count();
        let at_least = if findings.iter().any(|finding| finding.code == more) { "more than " } else { "" };
        let ending = if listed == 1 { "" } else { "s" };
        (listed > 0 || !at_least.is_empty()).then(|| format!("{at_least}{listed} {severity}{ending}"))
    };
    let more_errors = archive::FindingCode::MoreErrors.as_str();
    let more_warnings = archive::FindingCode::MoreWarnings.as_str();
    match (counted("error", more_errors), counted("warning", more_warnings)) {
        (Some(errors), Some(warnings)) => format!("{errors}, {warnings}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => "no errors, no warnings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: &str, code: &str) -> Finding {
        Finding { severity: severity.to_owned(), code: code.to_owned(), ..Finding::default() }
    }

    #[test]
    fn sums_up() {
        let (error, warning) = (finding("error", "a"), finding("warning", "b"));
        assert_eq!(summary(&[]), "no errors, no warnings");
        assert_eq!(summary(std::slice::from_ref(&error)), "1 error");
        assert_eq!(summary(&[error.clone(), warning.clone(), warning.clone()]), "1 error, 2 warnings");
        let more = finding("warning", archive::FindingCode::MoreWarnings.as_str());
        assert_eq!(summary(&[error, warning, more]), "1 error, more than 1 warning");
    }

    #[test]
    fn says_where_without_a_line_too() {
        let place = Place { entry: Some("a.php".to_owned()), ..Place::default() };
        let found = Finding { place, message: "m".to_owned(), ..finding("warning", "c") };
        assert_eq!(Printer::new("w.zip", b"").describe(&found), "warning[c]: m\n --> w.zip: a.php");
        assert_eq!(Printer::new("w.zip", b"").describe(&finding("error", "c")), "error[c]: \n --> w.zip");
    }
}
