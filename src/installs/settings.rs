//! The settings of an install: checked against the template, every finding at once, kept as they came in.

use std::borrow::Cow;

use secrecy::{ExposeSecret as _, SecretString};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::archive::{SettingType, WidgetCode};
use crate::audit::Change;
use crate::auth::UserId;
use crate::catalogue::{Rule, Template};
use crate::config::Limits;
use crate::http::json::{self, Document, Kind};
use crate::http::violation::{Expected, FieldError, Violation, join};

/// The value of a setting.
#[derive(Debug)]
pub enum Value {
    /// One that anybody who sees the settings may see.
    Plain(Box<RawValue>),
    /// A password, or the logins and passwords of users: JSON that was checked.
    Secret(SecretString),
}

impl Value {
    /// The JSON as it came.
    #[must_use]
    pub fn as_raw(&self) -> &RawValue {
        match self {
            Self::Plain(value) => value,
            // It was checked when it became a value.
            Self::Secret(text) => serde_json::from_str(text.expose_secret()).unwrap_or(RawValue::NULL),
        }
    }
}

/// Checked settings: a JSON object with the template's keys in the template's order. `Debug` does not show secrets; being serialised
/// does, as the answers of the API v4 need it.
#[derive(Debug, Default)]
pub struct Settings {
    members: Vec<(String, Value)>,
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (key, value) in &self.members {
            map.serialize_entry(key, value.as_raw())?;
        }
        map.end()
    }
}

impl Settings {
    /// Settings that were checked before they were stored.
    pub(super) fn of_members(members: Vec<(String, Value)>) -> Self {
        Self { members }
    }

    /// Whether a value is secret.
    #[must_use]
    pub fn has_secrets(&self) -> bool {
        self.members.iter().any(|(_, value)| matches!(value, Value::Secret(_)))
    }

    /// Keys and values in their order.
    #[must_use]
    pub fn members(&self) -> &[(String, Value)] {
        &self.members
    }

    /// Checks an install's body, which is the settings object itself. No body and `[]` are no settings.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it: first by the template's fields, then fields that the template does not have.
    pub fn check(rules: &[Rule<'_>], body: Option<&Document>, limits: &Limits) -> Result<Self, Vec<FieldError>> {
        let given = match body.map(Document::root) {
            None => Vec::new(),
            Some(root) => object("", root).map_err(|error| vec![error])?,
        };
        Self::check_members(rules, &given, limits)
    }

    /// [`Settings::check`] for settings that were given for another version.
    ///
    /// # Errors
    ///
    /// As [`Settings::check`].
    pub(super) fn check_again(&self, template: &Template, limits: &Limits) -> Result<Self, Vec<FieldError>> {
        let given: Members<'_> =
            self.members.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value.as_raw())).collect();
        Self::check_members(&template.rules(), &given, limits)
    }

    fn check_members(rules: &[Rule<'_>], given: &Members<'_>, limits: &Limits) -> Result<Self, Vec<FieldError>> {
        let mut check = Check { limits, errors: Vec::new(), members: Vec::new() };
        for field in rules {
            check.field(field, given.iter().find(|(key, _)| *key == field.key).map(|(_, value)| *value));
        }
        for (key, _) in given.iter().filter(|(key, _)| !rules.iter().any(|field| field.key == *key)) {
            check.errors.push(FieldError::new(key.as_ref(), Violation::NotExpected));
        }
        if check.errors.is_empty() { Ok(Self { members: check.members }) } else { Err(check.errors) }
    }

    /// As the audit log tells it: which settings have a value now, and of which it is another than before, or was none.
    #[must_use]
    pub fn change<'a>(&self, code: &'a WidgetCode, before: Option<&Self>) -> Change<'a> {
        let before = before.map_or(&[][..], Self::members);
        let settings: Vec<String> = self.members.iter().map(|(key, _)| key.clone()).collect();
        let gone = before.iter().map(|(key, _)| key.clone()).filter(|key| !settings.contains(key));
        let keys = settings.iter().cloned().chain(gone);
        let changed = keys.filter(|key| value_of(before, key) != value_of(&self.members, key)).collect();
        Change::WidgetInstalled { widget: code.as_str(), settings, changed }
    }
}

/// The JSON of a member's value.
fn value_of<'a>(members: &'a [(String, Value)], key: &str) -> Option<&'a str> {
    members.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_raw().get())
}

type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// An object's members; an empty array counts as an empty object, because PHP cannot tell them apart.
fn object<'a>(path: &str, value: &'a RawValue) -> Result<Members<'a>, FieldError> {
    match json::kind(value) {
        Kind::Array if json::elements(value).is_some_and(|elements| elements.is_empty()) => Ok(Vec::new()),
        _ => json::members(value).ok_or_else(|| FieldError::new(path, Violation::InvalidType(Expected::Object))),
    }
}

struct Check<'a> {
    limits: &'a Limits,
    errors: Vec<FieldError>,
    members: Vec<(String, Value)>,
}

impl Check<'_> {
    fn field(&mut self, field: &Rule<'_>, value: Option<&RawValue>) {
        let key = field.key.as_ref();
        let value = match value.map(|value| (json::kind(value), value)) {
            None if field.is_required => return self.error(key, Violation::FieldMissing),
            Some((Kind::Null, _)) if field.is_required => return self.error(key, Violation::NotBlank),
            None | Some((Kind::Null, _)) => return,
            Some((_, value)) => value,
        };
        let checked = match field.kind {
            SettingType::Text => self.text(field, value, self.limits.text_value),
            SettingType::Pass => self.text(field, value, self.limits.pass_value),
            SettingType::Users => self.users(field, value, Self::extension),
            SettingType::UsersLp => self.users(field, value, Self::login),
            SettingType::Custom => Some(self.custom(field, value)),
        };
        let Some(checked) = checked else { return };
        let is_secret = matches!(field.kind, SettingType::Pass | SettingType::UsersLp);
        let value = if is_secret {
            Ok(Value::Secret(checked.into()))
        } else {
            RawValue::from_string(checked).map(Value::Plain)
        };
        match value {
            Ok(value) => self.members.push((key.to_owned(), value)),
            // Each part is JSON that was checked before or written here.
            Err(_) => self.error(key, Violation::InvalidType(Expected::Object)),
        }
    }

    fn text(&mut self, field: &Rule<'_>, value: &RawValue, most: usize) -> Option<String> {
        let Some(text) = json::text(value) else {
            self.error(&field.key, Violation::InvalidType(Expected::String));
            return None;
        };
        if field.is_required && text.trim().is_empty() {
            self.error(&field.key, Violation::NotBlank);
        }
        if text.len() > most {
            self.error(&field.key, Violation::TooLong(most));
        }
        Some(value.get().to_owned())
    }

    fn custom(&mut self, field: &Rule<'_>, value: &RawValue) -> String {
        let blank = match json::kind(value) {
            Kind::String => json::text(value).is_some_and(|text| text.trim().is_empty()),
            Kind::Object | Kind::Array => object("", value).is_ok_and(|members| members.is_empty()),
            Kind::Number | Kind::Bool | Kind::Null => false,
        };
        if field.is_required && blank {
            self.error(&field.key, Violation::NotBlank);
        }
        if value.get().len() > self.limits.custom_value {
            self.error(&field.key, Violation::TooLong(self.limits.custom_value));
        }
        value.get().to_owned()
    }

    /// An object whose keys are user ids; `entry` checks one user's value and returns it as it is stored.
    fn users(
        &mut self,
        field: &Rule<'_>,
        value: &RawValue,
        entry: fn(&mut Self, &str, &RawValue) -> Option<String>,
    ) -> Option<String> {
        let users = object(&field.key, value).map_err(|error| self.errors.push(error)).ok()?;
        if field.is_required && users.is_empty() {
            self.error(&field.key, Violation::NotBlank);
        }
        if users.len() > self.limits.users {
            self.error(&field.key, Violation::TooMany(self.limits.users));
            return None;
        }
        let mut entries = Vec::with_capacity(users.len());
        for (user, value) in users {
            let path = join(&field.key, &user);
            if user.parse::<UserId>().is_err() {
                self.error(&path, Violation::NotExpected);
            } else if let Some(stored) = entry(self, &path, value) {
                entries.push(format!("\"{user}\":{stored}"));
            }
        }
        Some(format!("{{{}}}", entries.join(",")))
    }

    /// A string, or a whole number that becomes one.
    fn extension(&mut self, path: &str, value: &RawValue) -> Option<String> {
        let token = value.get();
        if json::kind(value) == Kind::String {
            return self.short(path, value);
        }
        let digits = token.strip_prefix('-').unwrap_or(token);
        if digits.len() <= 32 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(format!("\"{token}\""));
        }
        self.error(path, Violation::InvalidType(Expected::String));
        None
    }

    /// `{login, password}`, both strings, both required.
    fn login(&mut self, path: &str, value: &RawValue) -> Option<String> {
        let members = object(path, value).map_err(|error| self.errors.push(error)).ok()?;
        let mut part = |name: &str| {
            let path = join(path, name);
            match members.iter().find(|(key, _)| key == name) {
                None => {
                    self.error(&path, Violation::FieldMissing);
                    None
                }
                Some((_, value)) if json::text(value).is_some_and(|text| text.trim().is_empty()) => {
                    self.error(&path, Violation::NotBlank);
                    None
                }
                Some((_, value)) => self.short(&path, value),
            }
        };
        let (login, password) = (part("login"), part("password"));
        for (key, _) in members.iter().filter(|(key, _)| key != "login" && key != "password") {
            self.error(&join(path, key), Violation::NotExpected);
        }
        Some(format!("{{\"login\":{},\"password\":{}}}", login?, password?))
    }

    /// A string of the size of a password.
    fn short(&mut self, path: &str, value: &RawValue) -> Option<String> {
        let most = self.limits.pass_value;
        match json::text(value) {
            None => self.error(path, Violation::InvalidType(Expected::String)),
            Some(text) if text.len() > most => self.error(path, Violation::TooLong(most)),
            Some(_) => return Some(value.get().to_owned()),
        }
        None
    }

    fn error(&mut self, path: &str, violation: Violation) {
        self.errors.push(FieldError::new(path, violation));
    }
}
