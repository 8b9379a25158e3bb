//! The settings template: what a widget's settings look like, one document per version.

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

impl Template {
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
