//! What a bot knows, and the placeholders that stand for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

use crate::continuations::placeholders::{lookup, shown};
use crate::http::json::{self, Kind};

/// What a bot knows: values by name, such as `lead.id` or `message_text`, and the data that the last widget sent.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    values: BTreeMap<String, String>,
    json: Option<Box<RawValue>>,
    unknown: BTreeSet<String>,
    told: BTreeSet<String>,
}

impl Facts {
    /// Learns a value; it replaces an earlier one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }

    /// Learns what a widget sent; `{{json.…}}` means this from now on.
    pub fn set_json(&mut self, data: Option<Box<RawValue>>) {
        self.json = data;
    }

    /// Names that placeholders asked for and nobody has given, each told once.
    pub fn newly_unknown(&mut self) -> Vec<String> {
        let new: Vec<String> = self.unknown.difference(&self.told).cloned().collect();
        self.told.extend(new.iter().cloned());
        new
    }

    /// A text with its placeholders filled in. What is not known is empty.
    pub fn render(&mut self, text: &str) -> String {
        let mut rendered = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, following)) = after.split_once("}}") else { break };
            rendered.push_str(before);
            rendered.push_str(&self.look_up(name.trim()));
            rest = following;
        }
        rendered.push_str(rest);
        rendered
    }

    /// A JSON text with the placeholders of its texts filled in; the rest stays as it is written.
    pub fn render_json(&mut self, value: &RawValue) -> String {
        match json::kind(value) {
            Kind::Object => {
                let members = json::members(value).unwrap_or_default();
                let members = members.iter().map(|(key, value)| format!("{}:{}", quoted(key), self.render_json(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Kind::Array => {
                let elements = json::elements(value).unwrap_or_default();
                let elements = elements.into_iter().map(|element| self.render_json(element));
                format!("[{}]", elements.collect::<Vec<_>>().join(","))
            }
            Kind::String if value.get().contains("{{") => {
                let text = json::text(value).unwrap_or_default();
                quoted(&self.render(&text))
            }
            Kind::String | Kind::Number | Kind::Bool | Kind::Null => value.get().to_owned(),
        }
    }

    fn look_up(&mut self, name: &str) -> String {
        if let Some(key) = name.strip_prefix("json.") {
            return self.json.as_deref().and_then(|json| lookup(json, key)).map(shown).unwrap_or_default();
        }
        if let Some(value) = self.values.get(name) {
            return value.clone();
        }
        self.unknown.insert(name.to_owned());
        String::new()
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(data: &str) -> Facts {
        let mut facts = Facts::default();
        facts.set("lead.id", "77");
        facts.set("message_text", r#"say "{{lead.id}}""#);
        facts.set_json(Some(serde_json::from_str(data).unwrap()));
        facts
    }

    #[test]
    fn placeholders_are_what_was_given() {
        let data = r#"{"status":"succ\u0065ss","price":1.50,"big":12345678901234567890,"yes":true,"none":null,
            "list":["a",{"b":"c"}],"deep":{"er":{"x":"y"}},"dot.ted":"d"}"#;
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{{lead.id}}", "77"),
            ("{{ lead.id }} and {{lead.id}}.", "77 and 77."),
            ("{{json.status}}", "success"),
            ("{{json.price}}", "1.50"),
            ("{{json.big}}", "12345678901234567890"),
            ("{{json.yes}}", "true"),
            ("{{json.none}}|{{json.missing}}|{{json.status.x}}", "||"),
            ("{{json.list}}", r#"["a",{"b":"c"}]"#),
            ("{{json.list.0}} {{json.list.1.b}} {{json.list.2}}", "a c "),
            ("{{json.deep.er.x}}", "y"),
            ("{{json.dot.ted}}", "d"),
            // What was filled in is not filled in again.
            ("{{message_text}}", r#"say "{{lead.id}}""#),
            ("{{lead.id", "{{lead.id"),
            ("}} {{lead.id}}", "}} 77"),
            ("{{}}", ""),
            ("ж{{lead.id}}ж", "ж77ж"),
        ] {
            assert_eq!(facts(data).render(text), expected, "{text}");
        }
        assert_eq!(facts(r#"["first"]"#).render("{{json.0}}"), "first");
    }

    #[test]
    fn what_nobody_has_given_is_told_once() {
        let mut facts = facts("{}");
        assert_eq!(facts.render("{{contact.name}} {{lead.id}} {{json.x}}"), " 77 ");
        assert_eq!(facts.newly_unknown(), ["contact.name"]);
        facts.render("{{contact.name}}");
        assert!(facts.newly_unknown().is_empty());
    }

    #[test]
    fn only_texts_of_json_are_filled_in() {
        let mut facts = facts("{}");
        let data =
            r#"{ "lead": "{{lead.id}}", "said": ["{{message_text}}", 1.50, null],"{{lead.id}}":true, "as":"\u0069s" }"#;
        let data: Box<RawValue> = serde_json::from_str(data).unwrap();
        assert_eq!(
            facts.render_json(&data),
            r#"{"lead":"77","said":["say \"{{lead.id}}\"",1.50,null],"{{lead.id}}":true,"as":"\u0069s"}"#
        );
    }
}
