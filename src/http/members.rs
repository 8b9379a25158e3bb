//! The members of a JSON object, taken by name: what is wrong is collected, and what nobody took was not expected.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{self, Document, Kind};
use super::violation::{Expected, FieldError, Violation};

/// A body's members, and what was wrong with those that were taken.
#[derive(Debug)]
pub struct Members<'a> {
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
        let left = body.and_then(|body| json::members(body.root()));
        let left = left.ok_or_else(|| vec![FieldError::new("", Violation::InvalidType(Expected::Object))])?;
        Ok(Self { left, errors: Vec::new() })
    }

    /// A member that must be there.
    pub fn required<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, Violation>) -> Option<T> {
        let Some(value) = self.take(name) else {
            self.errors.push(FieldError::new(name, Violation::FieldMissing));
            return None;
        };
        self.read(name, value, read)
    }

    /// A member that may be missing.
    pub fn given<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, Violation>) -> Option<T> {
        let value = self.take(name)?;
        self.read(name, value, read)
    }

    /// A member that may be missing or null.
    pub fn optional<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, Violation>) -> Option<T> {
        self.nullable(name, read).flatten()
    }

    /// A member that may be missing (`None`) or null (`Some(None)`), which differ.
    pub fn nullable<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&RawValue) -> Result<T, Violation>,
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
        let unexpected = |(name, _): (Cow<'_, str>, _)| FieldError::new(name, Violation::NotExpected);
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
        value: &RawValue,
        read: impl FnOnce(&RawValue) -> Result<T, Violation>,
    ) -> Option<T> {
        read(value).map_err(|violation| self.errors.push(FieldError::new(name, violation))).ok()
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
