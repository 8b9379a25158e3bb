//! Widgets to publish.

use serde_json::{Value, json};
use widget_registry::archive;

/// A widget in the making.
#[derive(Clone)]
pub struct Sample {
    pub code: String,
    /// The manifest but for its settings.
    pub manifest: Value,
    /// Key and definition, in their order.
    pub settings: Vec<(String, Value)>,
    /// The i18n files by locale.
    pub i18n: Vec<(String, Value)>,
    pub script: String,
}

impl Sample {
    /// A widget in English with these settings: key, name, type, whether it is required.
    pub fn new(code: &str, version: &str, settings: &[(&str, &str, &str, bool)]) -> Self {
        let mut fields = Vec::new();
        let mut names = serde_json::Map::new();
        for (key, name, kind, required) in settings {
            let field = json!({"name": format!("settings.{key}"), "type": kind, "required": required});
            fields.push(((*key).to_owned(), field));
            names.insert((*key).to_owned(), json!(name));
        }
        let manifest = json!({
            "widget": {
                "name": "widget.name", "description": "widget.description", "short_description": "widget.short_description",
                "version": version, "interface_version": 2, "init_once": false, "installation": true, "locale": ["en"],
            },
            "locations": ["settings"],
        });
        let texts = json!({
            "widget": {"name": code, "description": "A widget for tests", "short_description": "For tests"},
            "settings": names,
        });
        Self {
            code: code.to_owned(),
            manifest,
            settings: fields,
            i18n: vec![("en".to_owned(), texts)],
            script: "define([], function () { return function () {}; });\n".to_owned(),
        }
    }

    /// The widget of the source's install example.
    pub fn telephony() -> Self {
        let settings = [
            ("login", "Login", "text", true),
            ("password", "Password", "pass", true),
            ("phones", "Phone numbers", "users", true),
            ("script_path", "Script path", "text", true),
        ];
        Self::new("amo_asterisk", "1.1.6", &settings)
    }

    /// A widget without settings.
    pub fn plain(code: &str) -> Self {
        Self::new(code, "1.0.0", &[])
    }

    /// One field of this type, required or not.
    pub fn field(kind: &str, required: bool) -> Self {
        Self::new(&format!("one_{kind}"), "1.0.0", &[("field", "Field", kind, required)])
    }

    pub fn version(mut self, version: &str) -> Self {
        self.manifest["widget"]["version"] = json!(version);
        self
    }

    pub fn location(mut self, location: &str) -> Self {
        self.manifest["locations"].as_array_mut().unwrap().push(json!(location));
        self
    }

    /// Adds a language in which the settings have these names.
    pub fn language(mut self, locale: &str, names: &[(&str, &str)]) -> Self {
        let mut texts = self.i18n[0].1.clone();
        for (key, name) in names {
            texts["settings"][*key] = json!(name);
        }
        self.manifest["widget"]["locale"].as_array_mut().unwrap().push(json!(locale));
        self.i18n.push((locale.to_owned(), texts));
        self
    }

    /// The archive.
    pub fn zip(&self) -> Vec<u8> {
        archive::pack(&self.files()).unwrap()
    }

    /// The archive's files.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = vec![
            ("manifest.json".to_owned(), self.manifest_text().into_bytes()),
            ("script.js".to_owned(), self.script.clone().into_bytes()),
        ];
        for (locale, texts) in &self.i18n {
            files.push((format!("i18n/{locale}.json"), texts.to_string().into_bytes()));
        }
        files
    }

    /// The manifest as text, its settings in their order: a JSON value would sort them.
    pub fn manifest_text(&self) -> String {
        let fields: Vec<String> =
            self.settings.iter().map(|(key, field)| format!("    {}: {field}", json!(key))).collect();
        let rest = serde_json::to_string_pretty(&self.manifest).unwrap();
        format!("{},\n  \"settings\": {{\n{}\n  }}\n}}\n", rest.trim_end_matches("\n}"), fields.join(",\n"))
    }
}
