//! The section `widget`.

use super::Reader;
use crate::archive::code::WidgetCode;
use crate::archive::finding::shown;
use crate::archive::finding_code::FindingCode;
use crate::archive::i18n::is_locale;
use crate::archive::json::{Node, Value};
use crate::archive::text::LocalizedText;
use crate::archive::version::Version;

/// Keys of the section.
const KEYS: &[&str] = &[
    "name",
    "description",
    "short_description",
    "version",
    "interface_version",
    "init_once",
    "installation",
    "locale",
    "support",
    "code",
    "secret_key",
];
/// Sections that authors put into `widget` by mistake, where the real service ignores them.
const MISPLACED: &[&str] = &["locations", "settings", "salesbot_designer"];

/// What a missing `interface_version` means.
const DEFAULT_INTERFACE_VERSION: i64 = 2;

/// The section's contents.
pub(super) struct Head {
    pub(super) code: Option<WidgetCode>,
    pub(super) version: Option<Version>,
    pub(super) interface_version: i64,
    pub(super) init_once: bool,
    pub(super) installation: bool,
    pub(super) name: LocalizedText,
    pub(super) description: LocalizedText,
    pub(super) short_description: LocalizedText,
    pub(super) locales: Option<Vec<String>>,
}

impl Reader<'_, '_> {
    pub(super) fn widget(&mut self, widget: &Node<'_>) -> Head {
        self.report_keys(widget);
        Head {
            code: self.code(widget.get("code")),
            version: self.version(widget.get("version")),
            interface_version: self.interface_version(widget.get("interface_version")),
            init_once: self.flag(widget.get("init_once"), "widget.init_once", false),
            installation: self.flag(widget.get("installation"), "widget.installation", true),
            name: self.wording(widget.get("name"), "widget.name", ""),
            description: self.wording(widget.get("description"), "widget.description", ""),
            short_description: self.wording(widget.get("short_description"), "widget.short_description", ""),
            locales: self.locales(widget.get("locale")),
        }
    }

    fn report_keys(&mut self, widget: &Node<'_>) {
        for member in widget.members().into_iter().flatten() {
            let key = member.key.as_ref();
            let path = format!("widget.{key}");
            if MISPLACED.contains(&key) {
                let message = format!("`{key}` stands inside `widget`; move it to the top level, beside `widget`.");
                self.report_at(FindingCode::ManifestMisplaced, &path, member.key_at, message);
            } else if !KEYS.contains(&key) {
                let message = "The key is not known and is ignored; remove it or check its spelling.";
                self.report_at(FindingCode::ManifestUnknownKey, &path, member.key_at, message);
            }
        }
    }

    fn code(&mut self, node: Option<&Node<'_>>) -> Option<WidgetCode> {
        let node = node?;
        match node.text().map(str::parse) {
            Some(Ok(code)) => Some(code),
            Some(Err(error)) => {
                let message = format!("The code is ignored, because {error}; give the code when publishing.");
                self.report(FindingCode::ManifestCode, "widget.code", node, message);
                None
            }
            None => {
                let message = format!("The code is {} and ignored; give the code when publishing.", node.kind());
                self.report(FindingCode::ManifestCode, "widget.code", node, message);
                None
            }
        }
    }

    fn version(&mut self, node: Option<&Node<'_>>) -> Option<Version> {
        let path = "widget.version";
        let Some(node) = node else {
            let message = "The widget has no version; give one such as \"1.0.0\".";
            self.report_missing(FindingCode::ManifestVersionMissing, path, message);
            return None;
        };
        let Some(text) = node.text() else {
            let message = format!("The version is {}; a text such as \"1.0.0\" is expected.", node.kind());
            self.report(FindingCode::ManifestVersionInvalid, path, node, message);
            return None;
        };
        match text.parse() {
            Ok(version) => Some(version),
            Err(error) => {
                let message = format!(
                    "`{}` is not a version: {error}; write one to four numbers with dots between, such as \"1.0.0\".",
                    shown(text)
                );
                self.report(FindingCode::ManifestVersionInvalid, path, node, message);
                None
            }
        }
    }

    fn interface_version(&mut self, node: Option<&Node<'_>>) -> i64 {
        let path = "widget.interface_version";
        match node.map(|node| (node, &node.value)) {
            None => {
                let message = "The interface version is missing and 2 counts; give \"interface_version\": 2.";
                self.report_missing(FindingCode::ManifestInterfaceMissing, path, message);
            }
            Some((node, Value::Number(number))) => match number.parse() {
                Ok(version) => return version,
                Err(_) => self.report(
                    FindingCode::ManifestInterfaceInvalid,
                    path,
                    node,
                    "The interface version is not an integer; give 2.",
                ),
            },
            Some((node, _)) => {
                let message = format!("The interface version is {}; give the number 2.", node.kind());
                self.report(FindingCode::ManifestInterfaceInvalid, path, node, message);
            }
        }
        DEFAULT_INTERFACE_VERSION
    }

    /// A yes-or-no value, which some authors write as `"Y"`.
    fn flag(&mut self, node: Option<&Node<'_>>, path: &str, missing: bool) -> bool {
        match node.map(|node| (node, &node.value)) {
            None => missing,
            Some((_, Value::Bool(flag))) => *flag,
            Some((node, Value::Text(text))) if text == "Y" => {
                self.report(
                    FindingCode::ManifestFlagText,
                    path,
                    node,
                    "\"Y\" counts as true; write true without quotes.",
                );
                true
            }
            Some((node, _)) => {
                let message = format!("`{path}` is {}; write true or false without quotes.", node.kind());
                self.report(FindingCode::ManifestFlagInvalid, path, node, message);
                missing
            }
        }
    }

    fn locales(&mut self, node: Option<&Node<'_>>) -> Option<Vec<String>> {
        let path = "widget.locale";
        let elements = match node {
            Some(node) if node.elements().is_none() => {
                let message = format!("`{path}` is {}; an array such as [\"ru\", \"en\"] is expected.", node.kind());
                self.report(FindingCode::ManifestLocaleInvalid, path, node, message);
                return None;
            }
            Some(node) => node.elements().unwrap_or_default(),
            None => &[],
        };
        if elements.is_empty() {
            let message = "No locales are declared and those of the i18n files count; \
                declare them, such as \"locale\": [\"ru\", \"en\"].";
            self.report_missing(FindingCode::ManifestLocaleMissing, path, message);
            return None;
        }
        let mut locales: Vec<String> = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let path = format!("{path}.{index}");
            match element.text() {
                Some(locale) if locales.iter().any(|known| known == locale) => {
                    let message = "The locale is named twice; remove one.";
                    self.report(FindingCode::ManifestLocaleDuplicate, &path, element, message);
                }
                Some(locale) if is_locale(locale) => locales.push(locale.to_owned()),
                _ => {
                    let message = "A locale is a text of letters, digits, `-` and `_`, such as \"ru\" or \"es_ES\".";
                    self.report(FindingCode::ManifestLocaleInvalid, &path, element, message);
                }
            }
            if locales.len() > self.limits.locales {
                let message = format!("At most {} locales are allowed; remove some.", self.limits.locales);
                self.report(FindingCode::I18nTooMany, &path, element, message);
                break;
            }
        }
        Some(locales)
    }
}
