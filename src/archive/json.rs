//! A JSON reader that remembers where every value stands.
//!
//! A manifest's author needs line and column, duplicate keys and the order of keys, none of which a general value type
//! keeps. Numbers stay text. Depth is counted before anything is parsed, so that recursion is bounded.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

mod depth;
mod parser;
mod strings;

pub(super) use parser::parse;

/// Bounds of one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonLimits {
    /// Nested arrays and objects.
    pub(super) depth: usize,
    /// Values of every kind.
    pub(super) values: usize,
}

/// A value and the bytes that it takes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node<'a> {
    pub(super) span: Range<usize>,
    pub(super) value: Value<'a>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Member<'a>>),
}

/// One member of an object; duplicates are kept, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) key_at: usize,
    pub(super) node: Node<'a>,
}

/// Why a file is not JSON, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonError {
    pub(super) at: usize,
    pub(super) kind: JsonErrorKind,
}

/// The ways in which a file is not JSON; the texts never repeat the file's contents, which may be secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonErrorKind {
    #[error("the file is empty; write a JSON object")]
    Empty,
    #[error("the file ends too early; close every string, array and object")]
    UnexpectedEnd,
    #[error("JSON has no comments; remove it")]
    Comment,
    #[error("JSON has no comma before a closing bracket; remove it")]
    TrailingComma,
    #[error("a comma is missing between two elements")]
    MissingComma,
    #[error("a colon is missing after the key")]
    MissingColon,
    #[error("keys and texts stand in double quotes")]
    DoubleQuotes,
    #[error("a value is expected: an object, an array, a text in double quotes, a number, true, false or null")]
    NotAValue,
    #[error("a number is not written as JSON writes numbers")]
    Number,
    #[error("a text contains a line break, a tab or another control character; escape it with a backslash")]
    ControlCharacter,
    #[error("a backslash is followed by none of the escapes that JSON has")]
    Escape,
    #[error("half of a surrogate pair stands alone; write both halves or the character itself")]
    Surrogate,
    #[error("something follows the end of the JSON value; remove it")]
    TrailingContent,
    #[error("arrays and objects are nested too deeply")]
    TooDeep,
    #[error("the file has too many values")]
    TooManyValues,
}

impl<'a> Node<'a> {
    /// The members, when it is an object.
    pub(super) fn members(&self) -> Option<&[Member<'a>]> {
        match &self.value {
            Value::Map(members) => Some(members),
            _ => None,
        }
    }

    /// The member with this key; the last one, when there are several.
    pub(super) fn member(&self, key: &str) -> Option<&Member<'a>> {
        self.members()?.iter().rev().find(|member| member.key == key)
    }

    /// The value with this key; the last one, when there are several.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.member(key).map(|member| &member.node)
    }

    /// The elements, when it is an array.
    pub(super) fn elements(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// The text, when it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "an array",
            Value::Map(_) => "an object",
        }
    }

    /// Visits every member of every object, with the path of its object and whether its key came before in that object.
    pub(super) fn visit_members(&self, visit: &mut dyn FnMut(&Path<'_>, &Member<'a>, bool)) {
        self.visit_below(&Path::ROOT, visit);
    }

    fn visit_below(&self, path: &Path<'_>, visit: &mut dyn FnMut(&Path<'_>, &Member<'a>, bool)) {
        match &self.value {
            Value::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    element.visit_below(&path.index(index), visit);
                }
            }
            Value::Map(members) => {
                let mut seen = HashSet::with_capacity(members.len());
                for member in members {
                    visit(path, member, !seen.insert(member.key.as_ref()));
                    member.node.visit_below(&path.key(&member.key), visit);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => {}
        }
    }

    /// Visits every text that is a value, with its path.
    pub(super) fn visit_texts(&self, visit: &mut dyn FnMut(&Path<'_>, &Self, &str)) {
        self.visit_texts_below(&Path::ROOT, visit);
    }

    fn visit_texts_below(&self, path: &Path<'_>, visit: &mut dyn FnMut(&Path<'_>, &Self, &str)) {
        match &self.value {
            Value::Text(text) => visit(path, self, text),
            Value::List(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    element.visit_texts_below(&path.index(index), visit);
                }
            }
            Value::Map(members) => {
                for member in members {
                    member.node.visit_texts_below(&path.key(&member.key), visit);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The keys that lead to a value, as a chain of stack frames: no allocation while a tree is walked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The value of the whole file.
    pub(super) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// One key deeper.
    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    /// One element deeper.
    pub(super) fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    fn separator(&self) -> &'static str {
        if self.parent.is_some() { "." } else { "" }
    }

    /// Whether it is a key of the top level.
    pub(super) fn is_top(&self) -> bool {
        self.parent.is_some_and(|parent| parent.parent.is_none())
    }

    /// The key of the top level under which the value stands.
    pub(super) fn top(&self) -> Option<&'p str> {
        match (self.parent, self.step) {
            (Some(parent), _) if parent.parent.is_some() => parent.top(),
            (Some(_), Step::Key(key)) => Some(key),
            _ => None,
        }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        match self.step {
            Step::Root => Ok(()),
            Step::Index(index) => write!(f, "{}{index}", parent.separator()),
            Step::Key(key) => write!(f, "{}{key}", parent.separator()),
        }
    }
}

/// Line and column of a byte, both counted from 1, columns in characters.
pub(super) fn position(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let lines = before.bytes().filter(|&byte| byte == b'\n').count();
    let columns = before.get(line_start..).unwrap_or_default().chars().count();
    (u32::try_from(lines + 1).unwrap_or(u32::MAX), u32::try_from(columns + 1).unwrap_or(u32::MAX))
}
