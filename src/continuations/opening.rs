//! What the engine says when a bot begins to wait.

use serde_json::value::RawValue;

use crate::archive::WidgetCode;
use crate::http::json::{self, Document, Kind};
use crate::http::violation::{Expected, FieldError, Violation};

/// Seconds that a bot waits when the engine does not say: a day.
const DEFAULT_TIMEOUT: i64 = 24 * 60 * 60;
/// Seconds that a bot waits at most: thirty days.
const MOST_TIMEOUT: i64 = 30 * DEFAULT_TIMEOUT;
/// Characters of the engine's own reference at most.
const REFERENCE: usize = 128;
/// Characters of an entity's type at most.
const ENTITY_TYPE: usize = 32;

/// A checked request to open a record.
#[derive(Debug)]
pub struct Opening {
    /// The account, when the engine names it; it must be the token's.
    pub account_id: Option<i64>,
    /// The widget that the bot waits for; `None` when it is no code, and so no widget.
    pub widget_code: Option<WidgetCode>,
    /// What the bot works on, such as `leads`.
    pub entity_type: String,
    /// Its number, positive.
    pub entity_id: i64,
    /// Seconds until the record expires.
    pub timeout_seconds: i64,
    /// The engine's own name for this wait.
    pub reference: Option<String>,
}

impl Opening {
    /// Checks a body.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it. An optional member that is null counts as missing. Members of a later stage of the
    /// protocol (`callback_url`, `request`) are not expected: they would promise a delivery that does not happen.
    pub fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        const KNOWN: [&str; 5] = ["account_id", "widget_code", "entity", "timeout_seconds", "reference"];
        let root = body.and_then(|body| json::members(body.root()));
        let members = root.ok_or_else(|| vec![FieldError::new("", Violation::InvalidType(Expected::Object))])?;
        let mut errors = Vec::new();
        let value = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
        let given = |name: &str| value(name).filter(|value| json::kind(value) != Kind::Null);
        let account_id = given("account_id").and_then(|value| positive("account_id", value, &mut errors));
        let code = required("widget_code", value("widget_code"), &mut errors, text);
        let (entity_type, entity_id) = entity(value("entity"), &mut errors);
        let timeout = given("timeout_seconds").map(|value| positive("timeout_seconds", value, &mut errors));
        if timeout.flatten().is_some_and(|seconds| seconds > MOST_TIMEOUT) {
            errors.push(FieldError::new("timeout_seconds", Violation::NotSupportedChoice));
        }
        let reference = given("reference").and_then(|value| short("reference", value, REFERENCE, &mut errors));
        for (key, _) in members.iter().filter(|(key, _)| !KNOWN.contains(&key.as_ref())) {
            errors.push(FieldError::new(key.as_ref(), Violation::NotExpected));
        }
        match (code, entity_type, entity_id) {
            (Some(code), Some(entity_type), Some(entity_id)) if errors.is_empty() => Ok(Self {
                account_id,
                widget_code: code.parse().ok(),
                entity_type,
                entity_id,
                timeout_seconds: timeout.flatten().unwrap_or(DEFAULT_TIMEOUT),
                reference,
            }),
            _ => Err(errors),
        }
    }
}

/// `{"type": "leads", "id": 5}`.
fn entity(value: Option<&RawValue>, errors: &mut Vec<FieldError>) -> (Option<String>, Option<i64>) {
    let Some(value) = value else {
        errors.push(FieldError::new("entity", Violation::FieldMissing));
        return (None, None);
    };
    let Some(members) = json::members(value) else {
        errors.push(FieldError::new("entity", Violation::InvalidType(Expected::Object)));
        return (None, None);
    };
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let kind =
        required("entity.type", member("type"), errors, |path, value, errors| short(path, value, ENTITY_TYPE, errors));
    (kind, required("entity.id", member("id"), errors, positive))
}

fn required<T>(
    path: &str,
    value: Option<&RawValue>,
    errors: &mut Vec<FieldError>,
    read: impl Fn(&str, &RawValue, &mut Vec<FieldError>) -> Option<T>,
) -> Option<T> {
    if let Some(value) = value {
        return read(path, value, errors);
    }
    errors.push(FieldError::new(path, Violation::FieldMissing));
    None
}

fn text(path: &str, value: &RawValue, errors: &mut Vec<FieldError>) -> Option<String> {
    match json::text(value) {
        None => errors.push(FieldError::new(path, Violation::InvalidType(Expected::String))),
        Some(text) if text.trim().is_empty() => errors.push(FieldError::new(path, Violation::NotBlank)),
        text => return text,
    }
    None
}

fn short(path: &str, value: &RawValue, most: usize, errors: &mut Vec<FieldError>) -> Option<String> {
    let text = text(path, value, errors)?;
    if text.chars().count() > most {
        errors.push(FieldError::new(path, Violation::TooLong(most)));
        return None;
    }
    Some(text)
}

fn positive(path: &str, value: &RawValue, errors: &mut Vec<FieldError>) -> Option<i64> {
    match json::integer(value) {
        None => errors.push(FieldError::new(path, Violation::InvalidType(Expected::Int))),
        Some(number) if number <= 0 => errors.push(FieldError::new(path, Violation::TooLow)),
        Some(number) => return Some(number),
    }
    None
}
