//! The settings template: what a widget's settings look like, one document per version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::archive::{LocalizedText, Setting, SettingType};

/// The fields of a widget's settings, in the manifest's order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    /// Each key stands once.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    /// Its key in the settings.
    pub key: String,
    /// Its name in every language of the widget.
    pub name: LocalizedText,
    /// What its value must look like.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// Whether an install must give it.
    pub is_required: bool,
}

/// What an install has to give for a field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rule<'a> {
    /// The field's key in the settings.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What its value must look like.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// Whether it must be given.
    pub is_required: bool,
}

impl<'a> Rule<'a> {
    fn of(field: &'a Field) -> Self {
        Self { key: Cow::Borrowed(&field.key), kind: field.kind, is_required: field.is_required }
    }
}

impl Template {
    /// What an install has to give, field by field.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule<'_>> {
        self.fields.iter().map(Rule::of).collect()
    }

    /// The template of a manifest.
    #[must_use]
    pub fn of(settings: &[Setting]) -> Self {
        let field = |setting: &Setting| Field {
            key: setting.key.clone(),
            name: setting.name.clone(),
            kind: setting.kind,
            is_required: setting.is_required,
        };
        Self { fields: settings.iter().map(field).collect() }
    }
}
