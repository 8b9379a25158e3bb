//! The bodies of requests: what is accepted is JSON for others too, and stays the bytes that came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use widget_registry_fuzz::http::json::{Document, Kind, Rules, elements, integer, kind, members, text};

const RULES: Rules = Rules { depth: 8, keys: 20 };

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(Some(document)) = Document::parse(data, RULES) else { return };
    let root = document.root();
    let came = str::from_utf8(data).expect("only UTF-8 is accepted");
    assert_eq!(root.get(), came.trim_matches([' ', '\t', '\n', '\r']));
    // Numbers beyond a double are JSON, but not for everybody.
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    assert!(depth(&value) <= RULES.depth);
    let same = match &value {
        Value::Object(known) => {
            let found = members(root).expect("an object has members");
            assert!(found.len() <= RULES.keys);
            kind(root) == Kind::Object
                && found.len() == known.len()
                && found.iter().all(|(key, _)| known.contains_key(&**key))
        }
        Value::Array(known) => {
            kind(root) == Kind::Array && elements(root).is_some_and(|found| found.len() == known.len())
        }
        Value::String(known) => kind(root) == Kind::String && text(root).as_ref() == Some(known),
        Value::Number(known) => {
            kind(root) == Kind::Number
                && (known.as_i64().is_none() || root.get() == "-0" || integer(root) == known.as_i64())
        }
        Value::Bool(_) => kind(root) == Kind::Bool,
        Value::Null => kind(root) == Kind::Null,
    };
    assert!(same, "{root} is read as {value}");
});
