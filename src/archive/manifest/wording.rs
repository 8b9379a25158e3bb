//! Names and descriptions: an i18n key, a literal text, or texts by locale.

use super::Reader;
use crate::archive::finding::shown;
use crate::archive::finding_code::FindingCode;
use crate::archive::json::{Node, Value};
use crate::archive::text::LocalizedText;

impl Reader<'_, '_> {
    /// Reads a text that is kept; `otherwise` stands in for one that is missing.
    pub(super) fn wording(&mut self, node: Option<&Node<'_>>, path: &str, otherwise: &str) -> LocalizedText {
        let found = match node {
            None => None,
            Some(node) => match &node.value {
                Value::Text(text) if text.is_empty() => None,
                Value::Text(text) => {
                    self.check_length(text, node, path);
                    self.references.add(text, true);
                    Some(LocalizedText::literal(text.as_ref()))
                }
                Value::Map(members) if !members.is_empty() => return self.by_locale(node, path),
                _ => {
                    let message = format!(
                        "`{}` is {}; an i18n key, a text or an object of texts by locale is expected.",
                        shown(path),
                        node.kind()
                    );
                    self.report(FindingCode::ManifestTextInvalid, path, node, message);
                    return LocalizedText::literal(otherwise);
                }
            },
        };
        found.unwrap_or_else(|| {
            let message = format!("`{}` is missing; give an i18n key or a text.", shown(path));
            self.report_missing(FindingCode::ManifestTextMissing, path, message);
            LocalizedText::literal(otherwise)
        })
    }

    /// `{"ru": "…", "en": "…"}`.
    fn by_locale(&mut self, node: &Node<'_>, path: &str) -> LocalizedText {
        let mut texts: Vec<(String, String)> = Vec::new();
        let members = node.members().unwrap_or_default();
        if members.len() > self.limits.locales {
            let message = format!("`{}` has more than {} locales; remove some.", shown(path), self.limits.locales);
            self.report(FindingCode::I18nTooMany, path, node, message);
            return LocalizedText::default();
        }
        for member in members {
            let path = format!("{path}.{}", member.key);
            let Some(text) = member.node.text() else {
                let message = format!("`{}` is {}; a text is expected.", shown(&path), member.node.kind());
                self.report(FindingCode::ManifestTextInvalid, &path, &member.node, message);
                continue;
            };
            self.check_length(text, &member.node, &path);
            texts.retain(|(locale, _)| *locale != member.key);
            texts.push((member.key.clone().into_owned(), text.to_owned()));
        }
        let fallback = texts.first().map(|(_, text)| text.clone()).unwrap_or_default();
        LocalizedText { fallback, texts }
    }

    fn check_length(&mut self, text: &str, node: &Node<'_>, path: &str) {
        if text.len() > self.limits.text {
            let message =
                format!("The text has {} bytes, at most {} are allowed; shorten it.", text.len(), self.limits.text);
            self.report(FindingCode::ManifestTextTooLong, path, node, message);
        }
    }

    /// Texts that are only shown by the widget itself: their keys are checked, and nothing is kept.
    pub(super) fn other_texts(&mut self) {
        let root = self.root();
        let handlers = root.get("salesbot_designer").and_then(Node::members).into_iter().flatten();
        let sections = handlers.map(|handler| &handler.node).chain(root.get("dp"));
        let mut nodes = vec![
            root.get("tour").and_then(|tour| tour.get("tour_description")),
            root.get("advanced").and_then(|advanced| advanced.get("title")),
        ];
        for section in sections {
            nodes.push(section.get("name"));
            let settings = section.get("settings").and_then(Node::members).into_iter().flatten();
            nodes.extend(settings.map(|setting| setting.node.get("name")));
        }
        for text in nodes.into_iter().flatten().filter_map(Node::text) {
            self.references.add(text, false);
        }
    }
}
