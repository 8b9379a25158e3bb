//! The i18n keys that a manifest refers to.

use std::collections::BTreeMap;

/// Bytes of the longest key; anything longer is a text.
pub(in crate::archive) const MOST_KEY_BYTES: usize = 255;

/// Keys and texts that may be keys: only the i18n files tell which.
#[derive(Debug, Default)]
pub(in crate::archive) struct References {
    /// Whether the key's texts are kept; the others are only checked for being there.
    keys: BTreeMap<String, bool>,
}

impl References {
    /// Notes a text that may be a key.
    pub(in crate::archive) fn add(&mut self, text: &str, kept: bool) {
        if text.len() <= MOST_KEY_BYTES {
            *self.keys.entry(text.to_owned()).or_default() |= kept;
        }
    }

    /// Whether this key's texts are kept; `None` when the manifest does not refer to it.
    pub(in crate::archive) fn kept(&self, key: &str) -> Option<bool> {
        self.keys.get(key).copied()
    }

    /// All of them, sorted.
    pub(in crate::archive) fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

/// Whether a text that no i18n file has is meant as a key all the same: words with dots between them and no blank.
pub(in crate::archive) fn looks_like_key(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|word| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_keys_from_texts() {
        for key in ["widget.name", "settings.api-key", "a.b.c_d"] {
            assert!(looks_like_key(key), "{key}");
        }
        for text in ["Widget", "My widget.", "widget. name", "Виджет.имя", ""] {
            assert!(!looks_like_key(text), "{text}");
        }
    }
}
