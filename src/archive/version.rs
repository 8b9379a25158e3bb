//! A widget's version.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A widget's version: `^\d+(\.\d+){0,3}$`, at most 64 characters, kept as it came.
///
/// Equality is that of the text: `1.2` and `1.2.0` are two versions, although neither is newer than the other. Which of
/// two is newer is what [`Version::order`] says, which is why `Ord` is not implemented.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

/// Why a text is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There is no character.
    #[error("it is empty")]
    Empty,
    /// There are more than 64 characters.
    #[error("it has more than 64 characters")]
    TooLong,
    /// A character is neither a digit nor a dot.
    #[error("it has other characters than digits and dots")]
    Character,
    /// A dot has no number on one of its sides.
    #[error("a dot has no number on one side")]
    EmptyNumber,
    /// There are more than four numbers.
    #[error("it has more than four numbers")]
    TooManyNumbers,
}

impl Version {
    /// Characters of the longest version.
    pub const MAX_LENGTH: usize = 64;
    /// Numbers of the longest version.
    pub const MAX_NUMBERS: usize = 4;

    /// The version as it came.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares number by number; a missing number counts as 0 and leading zeros count for nothing.
    ///
    /// `1.10` is newer than `1.9`, and `1.2` is neither newer nor older than `1.2.0`. Numbers may be of any length.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        let mut left = self.numbers();
        let mut right = other.numbers();
        for _ in 0..Self::MAX_NUMBERS {
            let (left, right) = (left.next().unwrap_or_default(), right.next().unwrap_or_default());
            let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }

    /// Each number without leading zeros; 0 is the empty text.
    fn numbers(&self) -> impl Iterator<Item = &str> {
        self.0.split('.').map(|number| number.trim_start_matches('0'))
    }

    fn check(text: &str) -> Result<(), VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(VersionError::Character);
        }
        if text.split('.').any(str::is_empty) {
            return Err(VersionError::EmptyNumber);
        }
        if text.split('.').count() > Self::MAX_NUMBERS {
            return Err(VersionError::TooManyNumbers);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(VersionError::TooLong);
        }
        Ok(())
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::check(text).map(|()| Self(text.to_owned()))
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::check(&text).map(|()| Self(text))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl AsRef<str> for Version {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn follows_its_pattern() {
        for good in ["1", "0.95", "1.0.278", "1.2.00", "1.2.3.4", &"9".repeat(64)] {
            assert_eq!(version(good).as_str(), good);
        }
        for (bad, why) in [
            ("", VersionError::Empty),
            ("1.1.", VersionError::EmptyNumber),
            (".1", VersionError::EmptyNumber),
            ("1..1", VersionError::EmptyNumber),
            ("1.2.3.4.5", VersionError::TooManyNumbers),
            ("%WidgetVersion%", VersionError::Character),
            ("aero-control.1.1", VersionError::Character),
            ("1.0 ", VersionError::Character),
            ("١", VersionError::Character),
            ("1.0-beta", VersionError::Character),
            (&"9".repeat(65), VersionError::TooLong),
        ] {
            assert_eq!(bad.parse::<Version>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn orders_number_by_number() {
        let order = |left: &str, right: &str| version(left).order(&version(right));
        assert_eq!(order("1.10", "1.9"), Ordering::Greater);
        assert_eq!(order("1.2", "1.2.0.0"), Ordering::Equal);
        assert_eq!(order("1.2.00", "1.2"), Ordering::Equal);
        assert_eq!(order("01.2", "1.2"), Ordering::Equal);
        assert_eq!(order("1.2", "1.2.0.1"), Ordering::Less);
        assert_eq!(order(&"9".repeat(60), &format!("1{}", "0".repeat(60))), Ordering::Less);
        assert_ne!(version("1.2"), version("1.2.0"));
    }
}
