//! `{{json.KEY}}`: how the texts of a bot name what a widget sent.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::value::RawValue;

use crate::http::json::{self, Kind};

/// Bytes of a path that is looked up.
const LONGEST_PATH: usize = 256;
/// Bytes of a text that was filled in.
const LONGEST_TEXT: usize = 262_144;

/// The value at a path of keys and indexes parted by dots, as it came; `None` when there is none.
///
/// A key that holds dots itself is found too: at every level the longest key that fits wins.
#[must_use]
pub fn lookup<'a>(data: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    Finder::default().find(data, path)
}

/// Objects and arrays that were taken apart: each once, however often and on whatever path it is come across.
#[derive(Default)]
struct Finder<'a> {
    objects: HashMap<*const u8, Rc<Vec<Member<'a>>>>,
    arrays: HashMap<*const u8, Rc<Vec<&'a RawValue>>>,
}

type Member<'a> = (Cow<'a, str>, &'a RawValue);

impl<'a> Finder<'a> {
    fn find(&mut self, data: &'a RawValue, path: &str) -> Option<&'a RawValue> {
        if path.len() > LONGEST_PATH { None } else { self.descend(data, Some(path)) }
    }

    /// `path` is `None` at its end.
    fn descend(&mut self, value: &'a RawValue, path: Option<&str>) -> Option<&'a RawValue> {
        let Some(path) = path else { return Some(value) };
        if json::kind(value) == Kind::Array {
            let (index, rest) = path.split_once('.').map_or((path, None), |(index, rest)| (index, Some(rest)));
            let plain = index == "0" || !index.starts_with(['0', '+']);
            let index: usize = index.parse().ok().filter(|_| plain)?;
            let element = self.elements(value)?.get(index).copied()?;
            return self.descend(element, rest);
        }
        let members = self.members(value)?;
        let dots: Vec<usize> = path.match_indices('.').map(|(at, _)| at).collect();
        std::iter::once(path.len()).chain(dots.into_iter().rev()).find_map(|end| {
            let (_, value) = members.iter().find(|(name, _)| Some(name.as_ref()) == path.get(..end))?;
            self.descend(value, path.get(end + 1..))
        })
    }

    fn members(&mut self, value: &'a RawValue) -> Option<Rc<Vec<Member<'a>>>> {
        let place = value.get().as_ptr();
        if let Some(known) = self.objects.get(&place) {
            return Some(known.clone());
        }
        let members = Rc::new(json::members(value)?);
        Some(self.objects.entry(place).or_insert(members).clone())
    }

    fn elements(&mut self, value: &'a RawValue) -> Option<Rc<Vec<&'a RawValue>>> {
        let place = value.get().as_ptr();
        if let Some(known) = self.arrays.get(&place) {
            return Some(known.clone());
        }
        let elements = Rc::new(json::elements(value)?);
        Some(self.arrays.entry(place).or_insert(elements).clone())
    }
}

/// A value as it stands in a text: a string without its quotes, null as nothing, anything else as it came.
#[must_use]
pub fn shown(value: &RawValue) -> String {
    match json::kind(value) {
        Kind::String => json::text(value).unwrap_or_default(),
        Kind::Null => String::new(),
        _ => value.get().to_owned(),
    }
}

/// A text with each `{{json.KEY}}` replaced by what is there, by nothing where nothing is; `None` when it would be longer than 256 KiB.
/// Other placeholders stay as they are. What is put in is not looked at again.
#[must_use]
pub fn render(text: &str, data: Option<&RawValue>) -> Option<String> {
    let mut finder = Finder::default();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        if let Some((path, tail)) = placeholder(after) {
            let value = data.and_then(|data| finder.find(data, path));
            out.push_str(&value.map(shown).unwrap_or_default());
            rest = tail;
        } else {
            out.push_str("{{");
            rest = after;
        }
        if out.len() > LONGEST_TEXT {
            return None;
        }
    }
    out.push_str(rest);
    (out.len() <= LONGEST_TEXT).then_some(out)
}

/// The path of the placeholder whose braces have just been opened, and what follows it; `None` when it is another one.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, tail) = text.split_once("}}")?;
    let path = name.trim().strip_prefix("json.")?;
    (!path.is_empty() && !path.contains("{{")).then_some((path, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_path_leads_to_what_was_given() {
        let data = raw(
            r#"{"status":"ok","n":1e131071,"a":{"b":[10,{"c":"\u0416"}]},"a.b":"dotted","x":{"y.z":7,"y":{"z":8}},"":{"":5},"nil":null}"#,
        );
        for (path, value) in [
            ("status", Some(r#""ok""#)),
            ("n", Some("1e131071")),
            ("a.b", Some(r#""dotted""#)),
            ("a.b.0", Some("10")),
            ("a.b.1.c", Some(r#""\u0416""#)),
            ("x.y.z", Some("7")),
            ("nil", Some("null")),
            ("a.b.2", None),
            ("a.b.00", None),
            ("a.b.+1", None),
            ("a.b.-1", None),
            ("status.x", None),
            ("absent", None),
            ("Status", None),
            ("a.", None),
            (".", Some("5")),
            ("", Some(r#"{"":5}"#)),
        ] {
            assert_eq!(lookup(&data, path).map(RawValue::get), value, "{path}");
        }
    }

    #[test]
    fn texts_are_filled_in() {
        let data = raw(r#"{"status":"don\u0065","sum":0.10,"list":[1, 2],"nil":null,"tricky":"{{json.sum}}"}"#);
        for (text, rendered) in [
            ("{{json.status}}: {{ json.sum }} EUR", "done: 0.10 EUR"),
            ("{{json.list}} {{json.list.1}}", "[1, 2] 2"),
            ("[{{json.nil}}][{{json.absent}}]", "[][]"),
            ("{{lead.name}} {{json.status}}", "{{lead.name}} done"),
            ("{{json.status", "{{json.status"),
            ("{{{{json.status}}}}", "{{done}}"),
            ("{{json.}} {{json}}", "{{json.}} {{json}}"),
            ("}} {{json.tricky}}", "}} {{json.sum}}"),
            ("", ""),
        ] {
            assert_eq!(render(text, Some(&data)).unwrap(), rendered, "{text}");
        }
        assert_eq!(render("[{{json.status}}]", None).unwrap(), "[]");
        let large = raw(&format!(r#"{{"a":"{}"}}"#, "x".repeat(131_072)));
        assert_eq!(render("{{json.a}}{{json.a}}", Some(&large)).unwrap().len(), 262_144);
        assert!(render("{{json.a}}{{json.a}}!", Some(&large)).is_none());
        assert!(render("!{{json.a}}{{json.a}}{{json.a}}", Some(&large)).is_none());
    }
}
