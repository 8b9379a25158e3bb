//! Whether settings that were given for one version of a widget fit another.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::archive::SettingType;
use crate::catalogue::Template;
use crate::config::Limits;
use crate::http::violation::{FieldError, Violation};

/// What would be wrong with stored settings if they were given for this template now. A setting that the template has no more is
/// left out: it does no harm where it is.
#[must_use]
pub fn misfits(template: &Template, settings: &Settings, limits: &Limits) -> Vec<FieldError> {
    let mut errors = settings.check_again(template, limits).err().unwrap_or_default();
    let is_key = |path: &str| settings.members().iter().any(|(key, _)| key == path);
    errors.retain(|error| error.violation != Violation::NotExpected || !is_key(&error.path));
    errors
}

/// The key of the setting that an error is about. Keys may hold dots too, so the longest key that fits counts.
fn setting_of<'a>(template: &'a Template, error: &'a FieldError) -> &'a str {
    let inside = |key: &str| error.path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let keys = template.fields.iter().map(|field| field.key.as_str()).filter(|key| inside(key));
    keys.max_by_key(|key| key.len()).unwrap_or(&error.path)
}

/// How one template differs from another.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys that only the new one has.
    pub added: Vec<String>,
    /// Keys that only the old one has.
    pub removed: Vec<String>,
    /// Keys whose type changes, with the old and the new one.
    pub retyped: Vec<(String, SettingType, SettingType)>,
    /// Keys that are required only now.
    pub newly_required: Vec<String>,
}

impl Difference {
    /// What changes from `old` to `new`, in the order of the fields.
    #[must_use]
    pub fn between(old: &Template, new: &Template) -> Self {
        let before: BTreeMap<&str, _> = old.fields.iter().map(|field| (field.key.as_str(), field)).collect();
        let mut difference = Self::default();
        for field in &new.fields {
            let was = before.get(field.key.as_str());
            match was {
                None => difference.added.push(field.key.clone()),
                Some(was) if was.kind != field.kind => {
                    difference.retyped.push((field.key.clone(), was.kind, field.kind));
                }
                Some(_) => {}
            }
            if field.is_required && was.is_none_or(|was| !was.is_required) {
                difference.newly_required.push(field.key.clone());
            }
        }
        let stays = |key: &str| new.fields.iter().any(|field| field.key == key);
        difference.removed = old.fields.iter().map(|field| field.key.clone()).filter(|key| !stays(key)).collect();
        difference
    }
}

/// How many accounts have settings that do not fit, and why.
#[derive(Debug, Default)]
pub struct Tally {
    /// Accounts that have the widget installed.
    pub installs: u64,
    /// Those whose settings do not fit.
    pub unfit: u64,
    /// By setting and code, how many accounts.
    pub reasons: BTreeMap<(String, &'static str), u64>,
}

impl Tally {
    /// Counts one account.
    pub fn count(&mut self, template: &Template, misfits: &[FieldError]) {
        self.installs += 1;
        self.unfit += u64::from(!misfits.is_empty());
        let mut reasons: Vec<_> =
            misfits.iter().map(|error| (setting_of(template, error).to_owned(), error.violation.code())).collect();
        // Ten wrong entries of one setting are one reason.
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Value;
    use super::*;
    use crate::archive::LocalizedText;
    use crate::catalogue::Field;
    use crate::config::{Config, Sources};

    fn template(fields: &[(&str, SettingType, bool)]) -> Template {
        let field = |(key, kind, is_required): &(&str, SettingType, bool)| Field {
            key: (*key).to_owned(),
            name: LocalizedText::literal("name"),
            kind: *kind,
            is_required: *is_required,
        };
        Template { fields: fields.iter().map(field).collect() }
    }

    fn found(template: &Template, settings: &str) -> Vec<(String, &'static str)> {
        let limits = Config::read(Sources::default()).config.unwrap().limits;
        let settings: serde_json::Map<String, serde_json::Value> = serde_json::from_str(settings).unwrap();
        let value = |value: serde_json::Value| Value::Secret(value.to_string().into());
        let settings = Settings::of_members(settings.into_iter().map(|(key, given)| (key, value(given))).collect());
        let mut tally = Tally::default();
        tally.count(template, &misfits(template, &settings, &limits));
        tally.reasons.into_keys().collect()
    }

    #[test]
    fn retired_settings_do_no_harm_even_with_dots_in_their_keys() {
        let template = template(&[("sip", SettingType::Text, true), ("users", SettingType::UsersLp, false)]);
        assert_eq!(found(&template, r#"{"sip":"a","sip.host":"b","old":1}"#), []);
        let wrong = found(&template, r#"{"users":{"x":{},"1":{"login":"l","password":"p","more":1}}}"#);
        assert_eq!(wrong, [("sip".to_owned(), "FieldMissing"), ("users".to_owned(), "NotExpected")]);
    }
}
