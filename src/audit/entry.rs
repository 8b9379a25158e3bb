//! An entry of the audit log, and how entries are chained.

use std::fmt::Write as _;

use serde_json::Value;
use uuid::Uuid;

use crate::digest::Sha256;

/// An entry as it stands in the database. Nothing in it is trusted before the chain is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The chain that it belongs to: an account, or 0 for the registry itself.
    pub account: i64,
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When, in microseconds since 1970; `None` for a time without end, which nobody of us writes.
    pub at: Option<i64>,
    /// The account of the one who did it.
    pub by_account: Option<i64>,
    /// The user of that account.
    pub by_user: Option<i64>,
    /// The integration that the token was given to.
    pub by_client: Option<Uuid>,
    /// The right that was used.
    pub acted_as: String,
    /// The request.
    pub request_id: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What changed: a JSON object, as its text.
    pub details: String,
    /// The hash that it was written with; `None` when that is none.
    pub hash: Option<Sha256>,
}

impl Entry {
    /// The entry as the text that is hashed: a JSON array as PostgreSQL's `json_build_array` writes it, with `, ` between its items.
    /// `details` stands in it as stored; everything else is a number, a text or null.
    #[must_use]
    pub fn text(&self) -> String {
        let number = |number: Option<i64>| number.map_or(Value::Null, Value::from);
        let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let client = self.by_client.map(|client| client.to_string());
        let items = [
            number(Some(self.account)),
            number(self.at),
            number(self.by_account),
            number(self.by_user),
            text(client.as_deref()),
            text(Some(&self.acted_as)),
            text(self.request_id.as_deref()),
            text(Some(&self.action)),
            text(Some(&self.subject)),
        ];
        let mut array = String::from("[");
        for item in items {
            // Writing to a text cannot fail.
            let _ = write!(array, "{item}, ");
        }
        array + &self.details + "]"
    }

    /// The hash that the entry must have after one with the hash `before`; the first has none before it.
    #[must_use]
    pub fn hash_after(&self, before: Option<Sha256>) -> Sha256 {
        let own = Sha256::of(&[self.text().as_bytes()]);
        before.map_or(own, |before| Sha256::of(&[&before.0, &own.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            account: 1,
            seq: 1,
            at: Some(1_795_392_000_000_001),
            by_account: Some(1),
            by_user: None,
            by_client: Some(Uuid::from_u128(7)),
            acted_as: "admin".to_owned(),
            request_id: Some("a\"b".to_owned()),
            action: "widget.installed".to_owned(),
            subject: "жук\u{1}\n".to_owned(),
            details: r#"{"settings" : ["a"]}"#.to_owned(),
            hash: None,
        }
    }

    #[test]
    fn the_text_is_the_documented_one() {
        assert_eq!(
            entry().text(),
            r#"[1, 1795392000000001, 1, null, "00000000-0000-0000-0000-000000000007", "admin", "a\"b", "widget.installed", "#
                .to_owned()
                + r#""жук\u0001\n", {"settings" : ["a"]}]"#
        );
    }

    #[test]
    fn the_first_is_its_own_digest_and_the_next_goes_on_from_it() {
        let first = entry().hash_after(None);
        assert_eq!(first, Sha256::of(&[entry().text().as_bytes()]));
        assert_eq!(entry().hash_after(Some(first)), Sha256::of(&[&first.0, &first.0]));
    }
}
