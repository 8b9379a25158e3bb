//! The section `settings`: what an administrator fills in when installing the widget.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Reader;
use crate::archive::finding::shown;
use crate::archive::finding_code::FindingCode;
use crate::archive::json::{Member, Node, Value};
use crate::archive::text::LocalizedText;

/// Characters of the longest key.
const MOST_KEY_CHARACTERS: usize = 255;

/// One field of the settings template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its key in the settings object: 1 to 255 characters, no control characters.
    pub key: String,
    /// What the administrator sees.
    pub name: LocalizedText,
    /// Its type.
    pub kind: SettingType,
    /// Whether the widget cannot be installed without it.
    pub is_required: bool,
}

/// The types that the real service accepts; all others are refused there as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// A text.
    Text,
    /// A text that is a secret.
    Pass,
    /// Any JSON value, filled in by the widget's own form.
    Custom,
    /// Users, each with an extension.
    Users,
    /// Users, each with a login and a password.
    UsersLp,
}

/// The text is none of the five types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a setting's type is one of text, pass, custom, users and users_lp")]
pub struct SettingTypeError;

impl SettingType {
    /// All types.
    pub const ALL: &[Self] = &[Self::Text, Self::Pass, Self::Custom, Self::Users, Self::UsersLp];

    /// The type as manifests and the API write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Pass => "pass",
            Self::Custom => "custom",
            Self::Users => "users",
            Self::UsersLp => "users_lp",
        }
    }
}

impl FromStr for SettingType {
    type Err = SettingTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(SettingTypeError)
    }
}

impl fmt::Display for SettingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Reader<'_, '_> {
    pub(super) fn settings(&mut self) -> Vec<Setting> {
        let path = "settings";
        let Some(node) = self.root().get(path) else {
            let message = "The section is missing, so that the widget has no settings; write \"settings\": {}.";
            self.report_missing(FindingCode::ManifestSettingsMissing, path, message);
            return Vec::new();
        };
        let members = match &node.value {
            Value::Map(members) => members,
            Value::List(elements) if elements.is_empty() => {
                let message = "An empty list counts as no settings; write \"settings\": {}.";
                self.report(FindingCode::ManifestSettingsEmptyList, path, node, message);
                return Vec::new();
            }
            _ => {
                let message = format!("`settings` is {}; an object of settings by key is expected.", node.kind());
                self.report(FindingCode::ManifestSettingsNotAnObject, path, node, message);
                return Vec::new();
            }
        };
        if members.len() > self.limits.settings {
            let message =
                format!("There are {} settings, at most {} are allowed.", members.len(), self.limits.settings);
            self.report(FindingCode::ManifestSettingsTooMany, path, node, message);
            return Vec::new();
        }
        members.iter().filter_map(|member| self.setting(member)).collect()
    }

    fn setting(&mut self, member: &Member<'_>) -> Option<Setting> {
        let key = member.key.as_ref();
        let node = &member.node;
        let path = format!("settings.{key}");
        if key.starts_with('_') {
            let message = "A key that begins with `_` is ignored; rename it if it is a setting.";
            self.report_at(FindingCode::ManifestUnknownKey, &path, member.key_at, message);
            return None;
        }
        if key.is_empty() || key.chars().count() > MOST_KEY_CHARACTERS || key.chars().any(char::is_control) {
            let message =
                format!("A setting's key has 1 to {MOST_KEY_CHARACTERS} characters and no control characters.");
            self.report_at(FindingCode::ManifestSettingKey, &path, member.key_at, message);
        }
        if node.members().is_none() {
            let message =
                format!("The setting `{}` is {}; an object with name and type is expected.", shown(key), node.kind());
            self.report(FindingCode::ManifestSettingNotAnObject, &path, node, message);
            return None;
        }
        let name = self.wording(node.get("name"), &format!("{path}.name"), key);
        let is_required = self.required(node, key, &path);
        let kind = self.setting_type(node, key, &path)?;
        Some(Setting { key: key.to_owned(), name, kind, is_required })
    }

    fn setting_type(&mut self, setting: &Node<'_>, key: &str, path: &str) -> Option<SettingType> {
        let path = format!("{path}.type");
        let key = shown(key);
        let Some(node) = setting.get("type") else {
            let message =
                format!("The setting `{key}` has no type; give one of text, pass, custom, users and users_lp.");
            self.report(FindingCode::ManifestSettingTypeMissing, &path, setting, message);
            return None;
        };
        let kind = node.text().and_then(|text| text.parse().ok());
        if kind.is_none() {
            let given = node.text().map_or_else(|| node.kind().to_owned(), |text| format!("`{}`", shown(text)));
            let message = format!("The setting `{key}` has the type {given}; {SettingTypeError}.");
            self.report(FindingCode::ManifestSettingTypeUnknown, &path, node, message);
        }
        kind
    }

    fn required(&mut self, setting: &Node<'_>, key: &str, path: &str) -> bool {
        match setting.get("required").map(|node| (node, &node.value)) {
            None => false,
            Some((_, Value::Bool(required))) => *required,
            Some((node, _)) => {
                let message = format!(
                    "`required` of the setting `{}` is {}; write true or false without quotes.",
                    shown(key),
                    node.kind()
                );
                self.report(FindingCode::ManifestSettingRequired, &format!("{path}.required"), node, message);
                false
            }
        }
    }
}
