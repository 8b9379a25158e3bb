//! What can be wrong with one value of a request, in the codes and words that the real service uses.

use std::fmt;

use serde::Serialize;

/// The JSON type that a value should have had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A string.
    String,
    /// An object.
    Object,
    /// An array.
    Array,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::Object => "object",
            Self::Array => "array",
            Self::Bool => "bool",
            Self::Int => "int",
        })
    }
}

/// What is wrong with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// It is required and not there.
    FieldMissing,
    /// It is required and empty.
    NotBlank,
    /// It has another JSON type.
    InvalidType(Expected),
    /// More characters than this, counted as the limit counts them.
    TooLong(usize),
    /// Fewer elements than this.
    TooFew(usize),
    /// More elements than this.
    TooMany(usize),
    /// A number that must be positive and is not.
    TooLow,
    /// A number outside this range, ends included.
    OutOfRange(i64, i64),
    /// No address that may be called: https, or http on this machine, without user name and fragment.
    InvalidUrl,
    /// No UUID.
    InvalidUuid,
    /// None of the choices.
    NotSupportedChoice,
    /// There is no such field.
    NotExpected,
}

impl Violation {
    /// Code and sentence, one row each.
    #[rustfmt::skip]
    fn row(self) -> (&'static str, String) {
        match self {
            Self::FieldMissing          => ("FieldMissing",       "This field is missing.".to_owned()),
            Self::NotBlank              => ("NotBlank",           "This value should not be blank.".to_owned()),
            Self::InvalidType(expected) => ("InvalidType",        format!("This value should be of type {expected}.")),
            Self::TooLong(most)         => ("TooLong",            format!("This value is too long. It should have {most} characters or less.")),
            Self::TooFew(least)         => ("TooFew",             format!("This collection should contain {least} element or more.")),
            Self::TooMany(most)         => ("TooMany",            format!("This collection should contain {most} elements or less.")),
            Self::TooLow                => ("TooLow",             "This value should be positive.".to_owned()),
            Self::OutOfRange(low, high) => ("OutOfRange",         format!("This value should be from {low} to {high}.")),
            Self::InvalidUrl            => ("InvalidUrl",         "This value should be an https address without user name and fragment; http is for localhost only.".to_owned()),
            Self::InvalidUuid           => ("InvalidUuid",        "This value should be a UUID.".to_owned()),
            Self::NotSupportedChoice    => ("NotSupportedChoice", "The value you selected is not a valid choice.".to_owned()),
            Self::NotExpected           => ("NotExpected",        "This field was not expected.".to_owned()),
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().0
    }
}

/// A violation and the value that it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Keys and indexes from the body's root, parted by dots: `phones.504141`.
    pub path: String,
    /// What is wrong there.
    pub violation: Violation,
}

impl FieldError {
    /// Names a violation and its place.
    #[must_use]
    pub fn new(path: impl Into<String>, violation: Violation) -> Self {
        Self { path: path.into(), violation }
    }
}

/// As it stands in an answer: `{"code", "path", "detail"}`.
impl Serialize for FieldError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let (code, detail) = self.violation.row();
        let mut out = serializer.serialize_struct("FieldError", 3)?;
        out.serialize_field("code", code)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("detail", &detail)?;
        out.end()
    }
}

/// The path of a member: `parent.key`, or `key` at the root.
#[must_use]
pub fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}
