//! JSON bodies, read under limits and kept byte for byte.
//!
//! The usual parsers round large numbers, drop duplicate keys, reorder members and recurse as deep as a client likes. Here a body is
//! first measured, then checked to its last member, and then stays the text that came.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::violation::{Expected, FieldError, Violation, join};

/// What a JSON text may hold.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Arrays and objects inside each other at most.
    pub depth: usize,
    /// Members of one object at most.
    pub keys: usize,
}

/// Why a text is not accepted as JSON: a sentence that says what is wrong and where.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unacceptable(pub String);

/// A JSON text that was checked to its last member: valid UTF-8 and JSON, no deeper and wider than the rules allow, no key twice in
/// one object, no NUL and no half of a surrogate pair in any text. It may hold secrets, and so `Debug` tells its size only.
pub struct Document(Box<RawValue>);

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document of {} bytes", self.0.get().len())
    }
}

impl Document {
    /// Checks a text. `None` for an empty one.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong and where.
    pub fn parse(bytes: &[u8], rules: Rules) -> Result<Option<Self>, Unacceptable> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Unacceptable(format!("The body is not valid UTF-8 at byte {}", error.valid_up_to())))?;
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        measure_depth(bytes, rules.depth)?;
        let raw: Box<RawValue> =
            serde_json::from_str(text).map_err(|error| Unacceptable(format!("The body is not valid JSON: {error}")))?;
        walk(&raw, rules, &Place::Root)?;
        Ok(Some(Self(raw)))
    }

    /// The whole text, without white space around it.
    #[must_use]
    pub fn root(&self) -> &RawValue {
        &self.0
    }
}

/// The JSON type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

/// The JSON type of a value, told by its first byte.
#[must_use]
pub fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// The members of an object in their order; `None` for another type.
#[must_use]
pub fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Members<'_>>(value.get()).ok().map(|members| members.0)
}

/// A member that a body must have.
///
/// # Errors
///
/// When the body is no object, or has no such member.
pub fn required<'a>(body: Option<&'a Document>, name: &str) -> Result<&'a RawValue, FieldError> {
    let missing = || FieldError::new(name, Violation::FieldMissing);
    let members = members(body.ok_or_else(missing)?.root());
    let members = members.ok_or_else(|| FieldError::new("", Violation::InvalidType(Expected::Object)))?;
    let found = members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    found.ok_or_else(missing)
}

/// The elements of an array; `None` for another type.
#[must_use]
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The text of a string; `None` for another type.
#[must_use]
pub fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A whole number; `None` for another type, a fraction or one that does not fit.
#[must_use]
pub fn integer(value: &RawValue) -> Option<i64> {
    value.get().parse().ok()
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Counts brackets outside strings, before any parser recurses into them.
fn measure_depth(bytes: &[u8], most: usize) -> Result<(), Unacceptable> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > most {
                    return Err(Unacceptable(format!("The body nests deeper than {most} levels at byte {at}")));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Visits every member; its recursion is bounded by [`measure_depth`].
fn walk(value: &RawValue, rules: Rules, path: &Place<'_>) -> Result<(), Unacceptable> {
    match kind(value) {
        Kind::Object => {
            let members: Members<'_> = serde_json::from_str(value.get()).map_err(|error| broken_text(path, &error))?;
            if members.0.len() > rules.keys {
                let most = rules.keys;
                return Err(Unacceptable(format!("The object {path} has more than {most} members")));
            }
            let mut seen = HashSet::with_capacity(members.0.len());
            for (key, value) in &members.0 {
                let path = Place::Member(path, key);
                if !seen.insert(key) {
                    return Err(Unacceptable(format!("The key {path} stands twice in one object")));
                }
                no_nul(key, &path)?;
                walk(value, rules, &path)?;
            }
        }
        Kind::Array => {
            for (index, element) in elements(value).unwrap_or_default().into_iter().enumerate() {
                walk(element, rules, &Place::Element(path, index))?;
            }
        }
        Kind::String if value.get().contains('\\') => {
            let text: String = serde_json::from_str(value.get()).map_err(|error| broken_text(path, &error))?;
            no_nul(&text, path)?;
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => {}
    }
    Ok(())
}

/// Syntax was right before, so what a parser still refuses is half of a surrogate pair.
fn broken_text(path: &Place<'_>, error: &serde_json::Error) -> Unacceptable {
    Unacceptable(format!("A text at {path} cannot be decoded: {error}"))
}

fn no_nul(text: &str, path: &Place<'_>) -> Result<(), Unacceptable> {
    if text.contains('\0') {
        return Err(Unacceptable(format!("The text at {path} holds the character U+0000, which cannot be stored")));
    }
    Ok(())
}

/// Where a value is. Written out only when it is told: keys can be long, and elements many.
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn path(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Member(parent, key) => join(&parent.path(), key),
            Self::Element(parent, index) => join(&parent.path(), &index.to_string()),
        }
    }
}

/// As it stands in a sentence: at most 100 characters of it, without control characters.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if path.is_empty() {
            return f.write_str("of the body");
        }
        let shown: String = path.chars().filter(|c| !c.is_control()).take(100).collect();
        write!(f, "`{shown}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { depth: 4, keys: 3 };

    fn refused(text: &str) -> String {
        Document::parse(text.as_bytes(), RULES).expect_err(text).0
    }

    #[test]
    fn bytes_stay_as_they_are() {
        for text in
            [r#"{"b":1e131071,"a":[0.10,-0,12345678901234567890123]}"#, "[]", r#""\u0041\/""#, "null", r#"{"a": { } }"#]
        {
            let document = Document::parse(format!(" \n{text}\t").as_bytes(), RULES).unwrap().unwrap();
            assert_eq!(document.root().get(), text);
        }
        assert!(Document::parse(b" \r\n", RULES).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        assert!(refused(r#"{"a":1,"\u0061":2}"#).contains("`a` stands twice"));
        assert!(refused(r#"{"x":[{"y":1,"y":1}]}"#).contains("`x.0.y` stands twice"));
        assert!(refused(r#"{"a":"\u0000"}"#).contains("`a`"));
        assert!(refused(r#"{"a\u0000":1}"#).contains("U+0000"));
        assert!(refused(r#"{"a":"\ud800"}"#).contains("cannot be decoded"));
        assert!(refused("[[[[[]]]]]").contains("deeper than 4"));
        assert!(refused(r#"{"a":1,"b":1,"c":1,"d":1}"#).contains("more than 3 members"));
        assert!(refused("{\"a\":1,}").contains("line 1 column 8"));
        assert!(refused("{} {}").contains("not valid JSON"));
        assert!(Document::parse(b"{\"a\":\"\xff\"}", RULES).unwrap_err().0.contains("byte 6"));
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(Document::parse(br#"{"a":"[[[[[[\"[["}"#, RULES).is_ok());
        let deep = "[".repeat(1_000_000);
        assert!(refused(&deep).contains("deeper"));
    }
}
