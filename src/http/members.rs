//! The members of a JSON object, taken by name: what is wrong is collected, and what nobody took was not expected.

use std::borrow::Cow;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::json::{self, Document, Kind};
use super::violation::{Expected, FieldError, Violation, join};

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

/// A body's members, and what was wrong with those that were taken.
#[derive(Debug)]
pub struct Members<'a> {
    /// Where the object is in the body.
    path: String,
    left: Vec<(Cow<'a, str>, &'a RawValue)>,
    errors: Vec<FieldError>,
}

impl<'a> Members<'a> {
    /// Opens a body; no body at all is no object.
    ///
    /// # Errors
    ///
    /// When the body is no object.
    pub fn of(body: Option<&'a Document>) -> Result<Self, Vec<FieldError>> {
        body.and_then(|body| Self::at(String::new(), body.root()))
            .ok_or_else(|| vec![FieldError::new("", Violation::InvalidType(Expected::Object))])
    }

    fn at(path: String, value: &'a RawValue) -> Option<Self> {
        Some(Self { path, left: json::members(value)?, errors: Vec::new() })
    }

    /// Reads the object that a member is, to its end; `None` after a mistake, or when it is missing and was not `required`.
    pub fn object<T>(&mut self, name: &str, required: bool, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let Some(value) = self.take(name).filter(|value| required || json::kind(value) != Kind::Null) else {
            if required {
                self.refuse(name, Violation::FieldMissing);
            }
            return None;
        };
        let Some(mut inner) = Self::at(join(&self.path, name), value) else {
            self.refuse(name, Violation::InvalidType(Expected::Object));
            return None;
        };
        let made = read(&mut inner);
        inner.finish(made).map_err(|errors| self.errors.extend(errors)).ok()
    }

    /// A member that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&'a RawValue) -> Result<T, Violation>) -> Option<T> {
        let Some(value) = self.take(name) else {
            self.refuse(name, Violation::FieldMissing);
            return None;
        };
        self.read(name, value, read)
    }

    /// A member that may be missing.
    pub fn given<T>(&mut self, name: &str, read: impl FnOnce(&'a RawValue) -> Result<T, Violation>) -> Option<T> {
        let value = self.take(name)?;
        self.read(name, value, read)
    }

    /// A member that may be missing or null.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&'a RawValue) -> Result<T, Violation>) -> Option<T> {
        self.nullable(name, read).flatten()
    }

    /// A member that may be missing (`None`) or null (`Some(None)`), which differ.
    pub fn nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Violation>,
    ) -> Option<Option<T>> {
        let value = self.take(name)?;
        if json::kind(value) == Kind::Null { Some(None) } else { Some(self.read(name, value, read)) }
    }

    /// What was made of the members, when all of them were right and none is left.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the body.
    pub fn finish<T>(mut self, made: Option<T>) -> Result<T, Vec<FieldError>> {
        let unexpected =
            |(name, _): (Cow<'_, str>, _)| FieldError::new(join(&self.path, &name), Violation::NotExpected);
        self.errors.extend(self.left.into_iter().map(unexpected));
        made.filter(|_| self.errors.is_empty()).ok_or(self.errors)
    }

    fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.left.iter().position(|(key, _)| key == name)?;
        Some(self.left.remove(at).1)
    }

    fn read<T>(
        &mut self,
        name: &str,
        value: &'a RawValue,
        read: impl FnOnce(&'a RawValue) -> Result<T, Violation>,
    ) -> Option<T> {
        read(value).map_err(|violation| self.refuse(name, violation)).ok()
    }

    /// Notes what is wrong with a member.
    pub fn refuse(&mut self, name: &str, violation: Violation) {
        self.errors.push(FieldError::new(join(&self.path, name), violation));
    }
}

/// A text that is not blank, of at most so many characters.
///
/// # Errors
///
/// What is wrong with it.
pub fn text(value: &RawValue, most: usize) -> Result<String, Violation> {
    let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
    if text.trim().is_empty() {
        Err(Violation::NotBlank)
    } else if text.chars().count() > most {
        Err(Violation::TooLong(most))
    } else {
        Ok(text)
    }
}

/// A whole number.
///
/// # Errors
///
/// When it is none, or does not fit in 63 bits.
pub fn integer(value: &RawValue) -> Result<i64, Violation> {
    json::integer(value).ok_or(Violation::InvalidType(Expected::Int))
}

/// A whole number from `least` to `most`.
///
/// # Errors
///
/// What is wrong with it.
pub fn whole(value: &RawValue, least: i64, most: i64) -> Result<i64, Violation> {
    match integer(value)? {
        number if (least..=most).contains(&number) => Ok(number),
        ..=0 if least == 1 => Err(Violation::TooLow),
        _ => Err(Violation::OutOfRange(least, most)),
    }
}

/// A UUID.
///
/// # Errors
///
/// When it is no text, or another one.
pub fn uuid(value: &RawValue) -> Result<Uuid, Violation> {
    let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
    Uuid::parse_str(&text).map_err(|_| Violation::InvalidUuid)
}

/// For how many seconds a secret that is replaced stays valid, the body's only member `keep_old_seconds`: from 0 to thirty days, a day
/// when it or the body is missing.
///
/// # Errors
///
/// Everything that is wrong with the body.
pub fn keep_old_seconds(body: Option<&Document>) -> Result<i64, Vec<FieldError>> {
    if body.is_none() {
        return Ok(DAY);
    }
    let mut members = Members::of(body)?;
    let keep = members.optional("keep_old_seconds", |value| whole(value, 0, 30 * DAY));
    members.finish(Some(keep.unwrap_or(DAY)))
}

/// A text that can be parsed; another is none of the choices.
///
/// # Errors
///
/// When it is no text, or cannot be parsed.
pub fn parsed<T: std::str::FromStr>(value: &RawValue) -> Result<T, Violation> {
    let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
    text.parse().map_err(|_| Violation::NotSupportedChoice)
}

#[cfg(test)]
mod tests {
    use super::super::json::Rules;
    use super::*;

    fn checked(body: &str) -> Result<String, Vec<String>> {
        let document = Document::parse(body.as_bytes(), Rules { depth: 4, keys: 9 }).unwrap();
        let read = |document| {
            let mut members = Members::of(document)?;
            let name = members.required("name", |value| text(value, 3));
            let number = members.nullable("number", integer);
            members.finish(name.map(|name| format!("{name} {number:?}")))
        };
        read(document.as_ref())
            .map_err(|errors| errors.iter().map(|error| format!("{} {}", error.violation.code(), error.path)).collect())
    }

    #[test]
    fn every_error_is_told_at_once() {
        assert_eq!(checked(r#"{"name":"абв","number":3}"#), Ok("абв Some(Some(3))".to_owned()));
        assert_eq!(checked(r#"{"number":null,"name":"a"}"#), Ok("a Some(None)".to_owned()));
        assert_eq!(checked(r#"{"name":"a"}"#), Ok("a None".to_owned()));
        let errors = |body| checked(body).unwrap_err();
        assert_eq!(
            errors(r#"{"number":"3","more":1}"#),
            ["FieldMissing name", "InvalidType number", "NotExpected more"]
        );
        assert_eq!(errors(r#"{"name":"abcd"}"#), ["TooLong name"]);
        assert_eq!(errors(r#"{"name":" "}"#), ["NotBlank name"]);
        assert_eq!(errors(r#"{"name":null}"#), ["InvalidType name"]);
        assert_eq!(errors("[]"), ["InvalidType "]);
        assert_eq!(errors(""), ["InvalidType "]);
    }
}
