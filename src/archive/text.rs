//! A text in several languages.

use serde::{Deserialize, Serialize};

/// A name or description in the languages of its widget.
///
/// Serialised as `{"fallback":"widget.name","texts":[["ru","…"],["en","…"]]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalizedText {
    /// What is shown when no language has a text: the i18n key, or the literal text of the manifest.
    pub fallback: String,
    /// Locale and text, in the widget's own order of locales.
    pub texts: Vec<(String, String)>,
}

impl LocalizedText {
    /// A text that is the same in every language.
    #[must_use]
    pub fn literal(text: impl Into<String>) -> Self {
        Self { fallback: text.into(), texts: Vec::new() }
    }

    /// The text in the first asked locale that has one, else in the default locale, else in the widget's first locale,
    /// else the fallback.
    ///
    /// Locales match without regard to case and to `-` or `_`; one that has no exact match matches by its primary
    /// language, so that `en-US` finds `en`, and `es` finds `es_ES`.
    #[must_use]
    pub fn resolve(&self, asked: &[&str], default_locale: &str) -> &str {
        let locales = self.texts.iter().map(|(locale, _)| locale.as_str());
        let chosen = choose_locale(&locales, asked.iter().copied(), default_locale);
        self.texts.get(chosen).map_or(&self.fallback, |(_, text)| text)
    }
}

/// The place of the locale that [`LocalizedText::resolve`] takes its text from; 0 when none is asked for.
#[must_use]
pub fn choose_locale<'a, 'b>(
    locales: &(impl Iterator<Item = &'a str> + Clone),
    asked: impl Iterator<Item = &'b str>,
    default_locale: &'b str,
) -> usize {
    let find = |wanted: &dyn Fn(&str) -> bool| locales.clone().position(wanted);
    let place_of = |asked: &str| {
        let language = primary_language(asked);
        find(&|locale| same_locale(locale, asked))
            .or_else(|| find(&|locale| same_locale(locale, language)))
            .or_else(|| find(&|locale| same_locale(primary_language(locale), language)))
    };
    asked.chain([default_locale]).find_map(place_of).unwrap_or(0)
}

/// Whether two locales are the same, whatever their case and whether they are written with `-` or `_`.
pub(super) fn same_locale(left: &str, right: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    left.len() == right.len() && left.bytes().map(plain).eq(right.bytes().map(plain))
}

fn primary_language(locale: &str) -> &str {
    locale.split(['-', '_']).next().unwrap_or(locale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(texts: &[(&str, &str)]) -> LocalizedText {
        LocalizedText {
            fallback: "widget.name".into(),
            texts: texts.iter().map(|(locale, text)| ((*locale).into(), (*text).into())).collect(),
        }
    }

    #[test]
    fn resolves_asked_then_default_then_first_then_fallback() {
        let name = text(&[("ru", "Имя"), ("en", "Name"), ("es_ES", "Nombre")]);
        assert_eq!(name.resolve(&["en"], "ru"), "Name");
        assert_eq!(name.resolve(&["fr", "EN-us"], "ru"), "Name");
        assert_eq!(name.resolve(&["es"], "ru"), "Nombre");
        assert_eq!(name.resolve(&["ES-es"], "ru"), "Nombre");
        assert_eq!(name.resolve(&["fr"], "en"), "Name");
        assert_eq!(name.resolve(&[], "pt"), "Имя");
        assert_eq!(text(&[]).resolve(&["en"], "ru"), "widget.name");
    }

    #[test]
    fn prefers_the_exact_locale_and_then_the_bare_language() {
        let name = text(&[("pt_BR", "br"), ("pt", "pt"), ("pt-PT", "pt-pt")]);
        assert_eq!(name.resolve(&["pt-pt"], "en"), "pt-pt");
        assert_eq!(name.resolve(&["pt-AO"], "en"), "pt");
        assert_eq!(name.resolve(&["pt"], "en"), "pt");
    }

    #[test]
    fn survives_a_round_trip() {
        let name = text(&[("ru", "Имя"), ("en", "Name")]);
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, r#"{"fallback":"widget.name","texts":[["ru","Имя"],["en","Name"]]}"#);
        assert_eq!(serde_json::from_str::<LocalizedText>(&json).unwrap(), name);
    }
}
