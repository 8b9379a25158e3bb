//! What a key-encryption key is called.

use std::fmt;
use std::str::FromStr;

use crate::digest::Sha256;

/// Digits of an id.
const DIGITS: usize = 16;

/// The id of a key-encryption key: 16 hexadecimal digits, made from the key, so that it never changes meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The id of these bytes. It tells nothing of them: they are random, and the digest is cut.
    #[must_use]
    pub(super) fn of_key(bytes: &[u8]) -> Self {
        Self(Sha256::of(&[b"widget-registry key-encryption key\n", bytes]).to_string().chars().take(DIGITS).collect())
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == DIGITS && text.bytes().all(digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is no id of an encryption key: 16 digits of 0-9 and a-f"))
    }
}
