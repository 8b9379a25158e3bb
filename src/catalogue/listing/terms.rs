//! What a widget is found by, and how a search asks for it: words of its texts, and marks for what is filtered by.
//!
//! Words are folded here and not by the database, so that upper and lower case of every script are the same whatever the database's
//! locale is.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use crate::archive::{LocalizedText, SettingType};

/// The edition of what this file makes; to be raised with every change of it, so that what is stored is made anew.
pub const EDITION: i16 = 1;

/// Characters of a word that count; what follows is neither stored nor asked for.
const WORD: usize = 64;
/// Characters of a name that decide its place.
pub const NAME: usize = 100;
/// Different words of one widget that are stored at most, in the order of its texts.
const WORDS: usize = 2_000;
/// Bytes of the longest location that can be asked for.
pub const LOCATION: usize = 255;

/// Something to filter by. It begins with a colon, which no word does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Everybody sees it.
    Public,
    /// Whether it can be a lead source.
    LeadSource(bool),
    /// Whether it is available in Digital Pipeline.
    DigitalPipeline(bool),
    /// A location of its manifest, or the place of one: `lcard` of `lcard-1`.
    Location(String),
    /// The type of a setting.
    Setting(SettingType),
}

impl Mark {
    fn term(&self) -> String {
        match self {
            Self::Public => ":public".to_owned(),
            Self::LeadSource(is) => format!(":lead_source={is}"),
            Self::DigitalPipeline(is) => format!(":dp={is}"),
            Self::Location(location) => format!(":location={location}"),
            Self::Setting(kind) => format!(":setting_type={}", kind.as_str()),
        }
    }

    /// The marks of a location: itself, and its place when it stands in one at a certain position.
    pub fn of_location(location: &str) -> impl Iterator<Item = Self> {
        let place = location.strip_suffix("-0").or_else(|| location.strip_suffix("-1"));
        let found = [Some(location), place].into_iter().flatten().filter(|text| text.len() <= LOCATION);
        found.map(|text| Self::Location(text.to_owned()))
    }
}

/// In one form of its characters, in lower case, and without what people leave out: marks above letters that are no letters of
/// their own, and the dots of `ё`.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let lower = text.nfkc().flat_map(char::to_lowercase);
    lower.filter(|c| !('\u{300}'..='\u{36f}').contains(c)).map(|c| if c == 'ё' { 'е' } else { c })
}

/// The words of a text: letters and digits without anything between.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let folded: String = folded(text).collect();
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(WORD).collect()).collect()
}

/// What decides a widget's place among names: its name in its first language, as people compare names. At most 100 characters.
#[must_use]
pub fn name_key(name: &LocalizedText) -> String {
    let first = name.texts.first().map_or(name.fallback.as_str(), |(_, text)| text);
    // NUL can neither be stored nor seen.
    folded(first.trim()).filter(|c| *c != '\0').take(NAME).collect()
}

/// Everything that a widget is found by: the words of its code and texts, and its marks.
#[must_use]
pub fn terms(code: &str, texts: &[&LocalizedText], marks: &[Mark]) -> Vec<String> {
    let mut found: BTreeSet<String> = words(code).into_iter().collect();
    for text in texts {
        let every = text.texts.iter().map(|(_, text)| text);
        // Of a text in several languages the fallback is only a key.
        let alone = text.texts.is_empty().then_some(&text.fallback);
        for word in every.chain(alone).flat_map(|text| words(text)) {
            if found.len() < WORDS {
                found.insert(word);
            }
        }
    }
    found.extend(marks.iter().map(Mark::term));
    found.into_iter().collect()
}

/// A search as the database's `tsquery`: every word and every mark, where the last word may go on; `None` when nothing is asked for.
#[must_use]
pub fn query(words: &[String], marks: &[Mark]) -> Option<String> {
    let quoted = |term: &str| format!("'{}'", term.replace('\\', "\\\\").replace('\'', "''"));
    let mut parts: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    if let Some(last) = parts.last_mut() {
        last.push_str(":*");
    }
    parts.extend(marks.iter().map(|mark| quoted(&mark.term())));
    (!parts.is_empty()).then(|| parts.join(" & "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_in_every_script() {
        assert_eq!(words("IP-Телефония: ЁЛКА, 3CX!"), ["ip", "телефония", "елка", "3cx"]);
        assert_eq!(words("my_widget.v2"), ["my", "widget", "v2"]);
        // The same letter in one character and in two, and one whose lower case has a mark of its own.
        assert_eq!(words("\u{438}\u{306}од Й İstanbul"), ["йод", "й", "istanbul"]);
        assert!(words("'\"&|!():*\\<->\0 \u{301}").is_empty());
        assert_eq!(words(&"x".repeat(1_000)), ["x".repeat(64)]);
    }

    #[test]
    fn no_word_can_be_a_mark() {
        let marks = [Mark::LeadSource(true), Mark::Location("it's a \\ place".to_owned())];
        assert_eq!(
            query(&words(":lead_source=true"), &marks).as_deref(),
            Some("'lead' & 'source' & 'true':* & ':lead_source=true' & ':location=it''s a \\\\ place'")
        );
        assert_eq!(query(&[], &[]), None);
        let places: Vec<_> = Mark::of_location("lcard-1").map(|mark| mark.term()).collect();
        assert_eq!(places, [":location=lcard-1", ":location=lcard"]);
    }

    #[test]
    fn names_are_compared_as_people_do() {
        let name =
            |text: &str| LocalizedText { fallback: "k".to_owned(), texts: vec![("ru".to_owned(), text.to_owned())] };
        assert_eq!(name_key(&name("  Ёлка №1 ")), "елка no1");
        assert_eq!(name_key(&LocalizedText::literal("Notes")), "notes");
        assert_eq!(name_key(&name(&"ы".repeat(1_000))).chars().count(), 100);
    }

    #[test]
    fn a_widget_is_found_by_all_its_languages() {
        let name = LocalizedText {
            fallback: "widget.name".to_owned(),
            texts: vec![("ru".to_owned(), "Звонки".to_owned()), ("en".to_owned(), "Calls".to_owned())],
        };
        let found = terms("my_calls", &[&name, &LocalizedText::literal("Dial")], &[Mark::Public]);
        assert_eq!(found, [":public", "calls", "dial", "my", "звонки"]);
    }
}
