//! Answers that were given before, for who asks the same again. An answer depends on the catalogue, on what the account has installed, on
//! who asks, and on how; each content of the former two has a number of its own, so an answer is right for as long as it is asked for by
//! the same numbers, and nobody has to take it away.

use std::hash::{Hash, Hasher};

use actix_web::web::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::model::View;
use crate::auth::Caller;
use crate::catalogue::WidgetId;
use crate::http::conditional::Tag;

/// Bytes that answers have at most, all together.
const MOST: u64 = 64 * 1024 * 1024;
/// Bytes that one takes besides its body, about.
const EACH: u64 = 400;
/// Answers that there is room for at first.
const EXPECTED: usize = 4_096;
/// A larger answer is made anew each time: making it costs little beside sending it.
const LARGEST: usize = 256 * 1024;
/// Longer lists of languages are seldom asked for twice.
const LANGUAGES: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// A widget.
    One(WidgetId),
    /// A page, and how many widgets a page has.
    Page(u64, u64),
}

/// Everything that an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked<'a> {
    /// The number of the catalogue's content.
    pub catalogue: u64,
    /// The number of the account's installs.
    pub installs: u64,
    /// Who asks.
    pub account: i64,
    /// Who asks: what a user owns is seen by nobody else.
    pub user: i64,
    /// For what.
    pub question: Question,
    /// In which languages, as it was written.
    pub languages: &'a str,
    /// What links begin with.
    pub origin: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    numbers: (u64, u64, i64, i64, Question),
    languages: Box<str>,
    origin: Box<str>,
}

impl Asked<'_> {
    fn numbers(&self) -> (u64, u64, i64, i64, Question) {
        (self.catalogue, self.installs, self.account, self.user, self.question)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { numbers: (catalogue, installs, account, user, question), languages, origin } = self;
        let (catalogue, installs, account, user, question) = (*catalogue, *installs, *account, *user, *question);
        Asked { catalogue, installs, account, user, question, languages, origin }.hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.numbers() == key.numbers && *self.languages == *key.languages && *self.origin == *key.origin
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its name.
    pub tag: Tag,
    /// Its bytes.
    pub body: Bytes,
}

#[derive(Debug, Clone)]
struct Size;

impl Weighter<Key, Answer> for Size {
    fn weight(&self, key: &Key, answer: &Answer) -> u64 {
        EACH + (key.languages.len() + key.origin.len() + answer.body.len()) as u64
    }
}

/// Answers that were given before.
#[derive(Debug)]
pub struct Answers(Cache<Key, Answer, Size>);

impl Default for Answers {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, MOST, Size))
    }
}

impl<'a> Asked<'a> {
    /// A question under these numbers; `None` when the installs are known under none, or when nobody asks like this twice.
    #[must_use]
    pub fn new(
        (catalogue, installs): (u64, Option<u64>),
        caller: &Caller,
        question: Question,
        view: &'a View,
    ) -> Option<Self> {
        let (languages, origin) = (view.accepted(), view.origin());
        let (account, user) = (caller.account.get(), caller.user.get());
        let asked = Self { catalogue, installs: installs?, account, user, question, languages, origin };
        (languages.len() <= LANGUAGES).then_some(asked)
    }
}

impl Answers {
    /// The answer to a question, if it was given before; else it is made, and kept.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub fn of<E>(&self, asked: Option<Asked<'_>>, make: impl FnOnce() -> Result<Answer, E>) -> Result<Answer, E> {
        let Some(asked) = asked else { return make() };
        if let Some(known) = self.0.get(&asked) {
            return Ok(known);
        }
        let answer = make()?;
        if answer.body.len() <= LARGEST {
            let (languages, origin) = (asked.languages.into(), asked.origin.into());
            self.0.insert(Key { numbers: asked.numbers(), languages, origin }, answer.clone());
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_the_same_question_only() {
        let answers = Answers::default();
        let asked = Asked {
            catalogue: 1,
            installs: 1,
            account: 1,
            user: 1,
            question: Question::Page(1, 50),
            languages: "en",
            origin: "http://a",
        };
        let others = [
            Asked { catalogue: 2, ..asked },
            Asked { installs: 2, ..asked },
            Asked { account: 2, ..asked },
            Asked { user: 2, ..asked },
            Asked { question: Question::Page(2, 50), ..asked },
            Asked { question: Question::Page(1, 51), ..asked },
            Asked { question: Question::One(WidgetId(1)), ..asked },
            Asked { languages: "ru", ..asked },
            Asked { languages: "", origin: "enhttp://a", ..asked },
            Asked { origin: "http://b", ..asked },
        ];
        let made = |text: &str| Ok::<_, ()>(Answer { tag: Tag::of(b""), body: Bytes::from(text.to_owned()) });
        let answer = |asked, text: &str| answers.of(asked, || made(text)).unwrap().body;
        assert_eq!(answer(Some(asked), "first"), "first");
        for (number, other) in others.into_iter().enumerate() {
            let text = number.to_string();
            assert_eq!(answer(Some(other), &text), text, "{other:?}");
        }
        assert_eq!(answer(Some(asked), "again"), "first");
        assert_eq!(answer(None, "unknown"), "unknown");
        // What is large is made each time.
        let (large, asked) = ("x".repeat(LARGEST + 1), Asked { catalogue: 9, ..asked });
        assert_eq!(answer(Some(asked), &large), large);
        assert_eq!(answer(Some(asked), "again"), "again");
    }
}
