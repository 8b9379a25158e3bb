//! The members of a JSON object, read one by one; everything that is wrong is gathered.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{self, Document, Kind};
use super::violation::{Expected, FieldError, Violation, join};

/// An object that is being read. An optional member that is null counts as missing.
#[derive(Debug)]
pub struct Fields<'a> {
    path: String,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    known: Vec<&'static str>,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// The members of a body.
    ///
    /// # Errors
    ///
    /// When it is no object.
    pub fn of(body: Option<&'a Document>) -> Result<Self, Vec<FieldError>> {
        body.and_then(|body| Self::at(String::new(), body.root()))
            .ok_or_else(|| vec![FieldError::new("", Violation::InvalidType(Expected::Object))])
    }

    fn at(path: String, value: &'a RawValue) -> Option<Self> {
        Some(Self { path, members: json::members(value)?, known: Vec::new(), errors: Vec::new() })
    }

    fn member(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// A member that must be there.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Violation>,
    ) -> Option<T> {
        let value = self.member(name).ok_or(Violation::FieldMissing).and_then(read);
        value.map_err(|violation| self.refuse(name, violation)).ok()
    }

    /// A member that may be there.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a RawValue) -> Result<T, Violation>,
    ) -> Option<T> {
        let value = self.member(name).filter(|value| json::kind(value) != Kind::Null)?;
        read(value).map_err(|violation| self.refuse(name, violation)).ok()
    }

    /// Reads the object that a member is, to its end; `None` after a mistake.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        value: &'a RawValue,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let Some(mut inner) = Self::at(join(&self.path, name), value) else {
            self.refuse(name, Violation::InvalidType(Expected::Object));
            return None;
        };
        let read = read(&mut inner);
        inner.finish().map_err(|errors| self.errors.extend(errors)).ok()?;
        read
    }

    /// Says that a member breaks a rule.
    pub fn refuse(&mut self, name: &str, violation: Violation) {
        self.errors.push(FieldError::new(join(&self.path, name), violation));
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, members that nobody asked for among it.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        let unknown = self.members.iter().filter(|(key, _)| !self.known.contains(&key.as_ref()));
        let unknown = unknown.map(|(key, _)| FieldError::new(join(&self.path, key), Violation::NotExpected));
        self.errors.extend(unknown);
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }
}

/// Reads any value.
///
/// # Errors
///
/// Never.
pub fn any(value: &RawValue) -> Result<&RawValue, Violation> {
    Ok(value)
}

/// Reads a text of at most `most` characters that is not blank.
pub fn text(most: usize) -> impl Fn(&RawValue) -> Result<String, Violation> {
    move |value| {
        let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
        match text.chars().count() {
            _ if text.trim().is_empty() => Err(Violation::NotBlank),
            length if length > most => Err(Violation::TooLong(most)),
            _ => Ok(text),
        }
    }
}

/// Reads a whole number from `least` to `most`.
pub fn whole(least: i64, most: i64) -> impl Fn(&RawValue) -> Result<i64, Violation> {
    move |value| match json::integer(value).ok_or(Violation::InvalidType(Expected::Int))? {
        number if number < least => Err(Violation::TooLow),
        number if number > most => Err(Violation::NotSupportedChoice),
        number => Ok(number),
    }
}

/// Reads a text that can be parsed; another is none of the choices.
///
/// # Errors
///
/// When it is no text, or cannot be parsed.
pub fn parsed<T: std::str::FromStr>(value: &RawValue) -> Result<T, Violation> {
    let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
    text.parse().map_err(|_| Violation::NotSupportedChoice)
}
