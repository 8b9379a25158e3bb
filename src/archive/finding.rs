//! A finding: what is wrong, where, and what to do about it.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::finding_code::{FindingCode, Severity};

/// Findings that one report lists; what exceeds it is counted.
const MOST_FINDINGS: usize = 200;

/// Characters of foreign text that a finding repeats.
const MOST_SHOWN: usize = 120;

/// Where a finding is; members that say nothing are left out of its JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Name of the entry, with control characters escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Path of keys inside a JSON file, for example `settings.login.type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, counted from 1 in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Place {
    /// The archive as a whole.
    #[must_use]
    pub fn archive() -> Self {
        Self::default()
    }

    /// One entry.
    #[must_use]
    pub fn entry(name: &str) -> Self {
        Self { entry: Some(shown(name)), ..Self::default() }
    }
}

/// One thing that is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: FindingCode,
    /// Where it is.
    pub place: Place,
    /// A sentence for the author: what is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// Whether the archive is refused because of it.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_struct("Finding", 4)?;
        members.serialize_field("code", &self.code)?;
        members.serialize_field("severity", &self.severity())?;
        members.serialize_field("place", &self.place)?;
        members.serialize_field("message", &self.message)?;
        members.end()
    }
}

/// Collects findings; bounded, and never loses the fact that there was an error.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<Finding>,
    warnings: Vec<Finding>,
    more_errors: usize,
    more_warnings: usize,
}

impl Findings {
    /// Adds a finding, or counts it when there are enough.
    pub(super) fn add(&mut self, code: FindingCode, place: Place, message: impl Into<String>) {
        let (list, more) = match code.severity() {
            Severity::Error => (&mut self.errors, &mut self.more_errors),
            Severity::Warning => (&mut self.warnings, &mut self.more_warnings),
        };
        if list.len() < MOST_FINDINGS {
            list.push(Finding { code, place, message: message.into() });
        } else {
            *more += 1;
        }
    }

    /// Whether another finding of this code would be listed; `false` spares the work of describing it.
    pub(super) fn has_room(&self, code: FindingCode) -> bool {
        match code.severity() {
            Severity::Error => self.errors.len() < MOST_FINDINGS,
            Severity::Warning => self.warnings.len() < MOST_FINDINGS,
        }
    }

    /// Whether the archive is refused.
    pub(super) fn any_error(&self) -> bool {
        !self.errors.is_empty()
    }

    /// How many errors there are, whether listed or only counted.
    pub(super) fn error_count(&self) -> usize {
        self.errors.len() + self.more_errors
    }

    /// Errors first, then warnings, at most 200 of both together; the rest is counted in one last finding of each kind.
    pub(super) fn into_list(mut self) -> Vec<Finding> {
        let room = MOST_FINDINGS.saturating_sub(self.errors.len());
        self.more_warnings += self.warnings.len().saturating_sub(room);
        self.warnings.truncate(room);
        let mut list = self.errors;
        list.append(&mut self.warnings);
        for (code, more, what) in [
            (FindingCode::MoreErrors, self.more_errors, "errors"),
            (FindingCode::MoreWarnings, self.more_warnings, "warnings"),
        ] {
            if more > 0 {
                let message = format!("And {more} more {what}; repair those that are listed and check again.");
                list.push(Finding { code, place: Place::archive(), message });
            }
        }
        list
    }
}

/// Foreign text made fit for a message: control characters escaped, cut at 120 characters.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == MOST_SHOWN {
            shown.push('…');
            break;
        }
        if character.is_control() || is_format_character(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Characters that reorder or hide text on a screen.
fn is_format_character(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialises_without_empty_members() {
        let finding = Finding {
            code: FindingCode::ManifestSettingTypeUnknown,
            place: Place {
                entry: Some("manifest.json".into()),
                path: Some("settings.login.type".into()),
                line: Some(12),
                column: Some(3),
            },
            message: "x".into(),
        };
        assert_eq!(
            serde_json::to_string(&finding).unwrap(),
            concat!(
                r#"{"code":"manifest.settings.unknown-type","severity":"error","place":{"entry":"manifest.json","#,
                r#""path":"settings.login.type","line":12,"column":3},"message":"x"}"#
            )
        );
        assert_eq!(serde_json::to_string(&Place::archive()).unwrap(), "{}");
    }

    #[test]
    fn keeps_errors_before_warnings_and_counts_the_rest() {
        let mut findings = Findings::default();
        for _ in 0..300 {
            findings.add(FindingCode::ManifestUnknownKey, Place::archive(), "w");
        }
        for _ in 0..10 {
            findings.add(FindingCode::EntryLink, Place::archive(), "e");
        }
        let list = findings.into_list();
        assert_eq!(list.len(), 201);
        assert!(list.iter().take(10).all(|finding| finding.code == FindingCode::EntryLink));
        let more = list.last().unwrap();
        assert_eq!(more.code, FindingCode::MoreWarnings);
        assert!(more.message.starts_with("And 110 more warnings"));
    }

    #[test]
    fn shows_foreign_text_safely() {
        assert_eq!(shown("a\u{0}b\u{202e}"), "a\\u{0}b\\u{202e}");
        assert_eq!(shown(&"ж".repeat(200)).chars().count(), 121);
    }
}
