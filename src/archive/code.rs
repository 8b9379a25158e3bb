//! The code by which a widget is known.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A widget's code: `^[a-z0-9_][a-z0-9_.-]{0,63}$`.
///
/// The first character keeps `.` and `..` out, so that a code is always a safe path segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WidgetCode(String);

/// Why a text is not a widget code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WidgetCodeError {
    /// There is no character.
    #[error("a widget code must not be empty")]
    Empty,
    /// There are more than 64 characters.
    #[error("a widget code has at most 64 characters")]
    TooLong,
    /// The first character is not a lower-case Latin letter, a digit or an underscore.
    #[error("a widget code begins with a lower-case Latin letter, a digit or an underscore")]
    FirstCharacter,
    /// A later character is none of those, nor a dot or a hyphen.
    #[error("a widget code consists of lower-case Latin letters, digits, underscores, dots and hyphens")]
    Character,
}

impl WidgetCode {
    /// Characters of the longest code.
    pub const MAX_LENGTH: usize = 64;

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), WidgetCodeError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let (&first, rest) = text.as_bytes().split_first().ok_or(WidgetCodeError::Empty)?;
        if !plain(first) {
            return Err(WidgetCodeError::FirstCharacter);
        }
        if !rest.iter().all(|&byte| plain(byte) || byte == b'.' || byte == b'-') {
            return Err(WidgetCodeError::Character);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(WidgetCodeError::TooLong);
        }
        Ok(())
    }
}

impl FromStr for WidgetCode {
    type Err = WidgetCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text).map(|()| Self(text.to_owned()))
    }
}

impl TryFrom<String> for WidgetCode {
    type Error = WidgetCodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::check(&text).map(|()| Self(text))
    }
}

impl From<WidgetCode> for String {
    fn from(code: WidgetCode) -> Self {
        code.0
    }
}

impl AsRef<str> for WidgetCode {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WidgetCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_its_pattern() {
        for good in ["a", "_", "0", "my_widget", "my-widget.v2", "a..b", &"x".repeat(64)] {
            assert_eq!(good.parse::<WidgetCode>().unwrap().as_str(), good);
        }
        for (bad, why) in [
            ("", WidgetCodeError::Empty),
            (".", WidgetCodeError::FirstCharacter),
            ("..", WidgetCodeError::FirstCharacter),
            ("-a", WidgetCodeError::FirstCharacter),
            ("A", WidgetCodeError::FirstCharacter),
            ("aB", WidgetCodeError::Character),
            ("a/b", WidgetCodeError::Character),
            ("a\0", WidgetCodeError::Character),
            ("a\n", WidgetCodeError::Character),
            ("aж", WidgetCodeError::Character),
            (&"x".repeat(65), WidgetCodeError::TooLong),
        ] {
            assert_eq!(bad.parse::<WidgetCode>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn travels_as_a_string() {
        assert_eq!(serde_json::from_str::<WidgetCode>("\"abc\"").unwrap().to_string(), "abc");
        assert!(serde_json::from_str::<WidgetCode>("\"A\"").is_err());
        assert_eq!(serde_json::to_string(&WidgetCode("abc".into())).unwrap(), "\"abc\"");
    }
}
