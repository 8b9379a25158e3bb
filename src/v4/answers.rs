//! Answers that were given before, for who asks the same again. An answer depends on the catalogue, on what the account has installed, on
//! who asks, and on how. All of that is what it is asked for by, so an answer is never wrong, and nobody has to take it away.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use super::model::View;
use crate::auth::Caller;
use crate::catalogue::WidgetId;
use crate::encoding::Encoding;
use crate::http::conditional::Tag;
use crate::installs::Placed;

/// Bytes that answers have at most, all together.
const MOST: u64 = 64 * 1024 * 1024;
/// Bytes that one takes besides its body, about.
const EACH: u64 = 900;
/// Answers that there is room for at first.
const EXPECTED: usize = 4_096;
/// A larger answer is made anew each time: making it costs little beside sending it.
const LARGEST: usize = 256 * 1024;
/// A smaller one is sent in one packet however it is packed.
const WORTH_PACKING: usize = 1_400;
/// Longer lists of languages are seldom asked for twice.
const LANGUAGES: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// A widget, and the account's install of it.
    One(WidgetId, Option<Placed>),
    /// A page, how many widgets a page has, and what the account has installed.
    Page(u64, u64, u128),
}

/// Everything that an answer depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked<'a> {
    /// The number of the catalogue's content.
    pub catalogue: u64,
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
    numbers: (u64, i64, i64, Question),
    languages: Box<str>,
    origin: Box<str>,
}

impl Asked<'_> {
    fn numbers(&self) -> (u64, i64, i64, Question) {
        (self.catalogue, self.account, self.user, self.question)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { numbers: (catalogue, account, user, question), languages, origin } = self;
        let (catalogue, account, user, question) = (*catalogue, *account, *user, *question);
        Asked { catalogue, account, user, question, languages, origin }.hash(state);
    }
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.numbers() == key.numbers && *self.languages == *key.languages && *self.origin == *key.origin
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its name.
    pub tag: Tag,
    /// Its bytes.
    pub body: Bytes,
    /// Whether it was asked for again: who asks once is answered sooner without a packed form.
    is_wanted: AtomicBool,
    /// Its packed forms, in the order of [`Encoding::ALL`].
    packed: [OnceLock<Option<Bytes>>; Encoding::ALL.len()],
}

impl Answer {
    /// An answer that nobody has asked for before.
    #[must_use]
    pub fn new(tag: Tag, body: Vec<u8>) -> Self {
        Self { tag, body: body.into(), is_wanted: AtomicBool::new(false), packed: Default::default() }
    }

    /// Says that somebody has asked for it again.
    pub fn is_asked_for_again(&self) {
        // Threads that only look do not wait for each other.
        if !self.is_wanted.load(Ordering::Relaxed) {
            self.is_wanted.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is small enough to be kept for who asks again.
    #[must_use]
    pub fn is_worth_keeping(&self) -> bool {
        self.body.len() <= LARGEST
    }

    /// A packed form, where it has half of the bytes at most: made once, for all who ask again.
    #[must_use]
    pub fn packed(&self, form: Encoding) -> Option<Bytes> {
        if self.body.len() < WORTH_PACKING || !self.is_wanted.load(Ordering::Relaxed) {
            return None;
        }
        let made = || {
            let packed =
                form.pack(&self.body).inspect_err(|error| tracing::error!(%error, "an answer cannot be packed"));
            packed.ok().filter(|packed| packed.len() <= self.body.len() / 2).map(Bytes::from)
        };
        self.packed.get(form.place())?.get_or_init(made).clone()
    }
}

#[derive(Debug, Clone)]
struct Size;

impl Weighter<Key, Arc<Answer>> for Size {
    fn weight(&self, key: &Key, answer: &Arc<Answer>) -> u64 {
        // Each packed form has at most half of the bytes, see [`Answer::packed`]: of three, that is two and a half times the body.
        let bytes = answer.body.len() + Encoding::ALL.len() * (answer.body.len() / 2);
        EACH + (key.languages.len() + key.origin.len() + bytes) as u64
    }
}

/// Answers that were given before.
#[derive(Debug)]
pub struct Answers(Cache<Key, Arc<Answer>, Size>);

impl Default for Answers {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, MOST, Size))
    }
}

impl<'a> Asked<'a> {
    /// A question about a content of the catalogue; `None` when nobody asks like this twice.
    #[must_use]
    pub fn new(catalogue: u64, caller: &Caller, question: Question, view: &'a View<'_>) -> Option<Self> {
        let (languages, origin) = (view.accepted(), view.origin());
        let (account, user) = (caller.account.get(), caller.user.get());
        let asked = Self { catalogue, account, user, question, languages, origin };
        (languages.len() <= LANGUAGES).then_some(asked)
    }
}

impl Answers {
    /// The answer to a question, if it was given before; else it is made, and kept.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub fn of<E>(&self, asked: Option<Asked<'_>>, make: impl FnOnce() -> Result<Answer, E>) -> Result<Arc<Answer>, E> {
        let Some(asked) = asked else { return make().map(Arc::new) };
        if let Some(known) = self.0.get(&asked) {
            known.is_asked_for_again();
            return Ok(known);
        }
        let answer = Arc::new(make()?);
        if answer.is_worth_keeping() {
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
            account: 1,
            user: 1,
            question: Question::Page(1, 50, 7),
            languages: "en",
            origin: "http://a",
        };
        let others = [
            Asked { catalogue: 2, ..asked },
            Asked { account: 2, ..asked },
            Asked { user: 2, ..asked },
            Asked { question: Question::Page(2, 50, 7), ..asked },
            Asked { question: Question::Page(1, 51, 7), ..asked },
            Asked { question: Question::Page(1, 50, 8), ..asked },
            Asked { question: Question::One(WidgetId(1), None), ..asked },
            Asked { question: Question::One(WidgetId(1), Some(Placed { pipeline_id: None })), ..asked },
            Asked { question: Question::One(WidgetId(1), Some(Placed { pipeline_id: Some(1) })), ..asked },
            Asked { languages: "ru", ..asked },
            Asked { languages: "", origin: "enhttp://a", ..asked },
            Asked { origin: "http://b", ..asked },
        ];
        let made = |text: &str| Ok::<_, ()>(Answer::new(Tag::of(b""), text.as_bytes().to_vec()));
        let answer = |asked, text: &str| answers.of(asked, || made(text)).unwrap().body.clone();
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

    #[test]
    fn a_packed_form_is_kept_where_it_is_half_as_long() {
        let answers = Answers::default();
        let question = Question::Page(1, 50, 7);
        let asked = Asked { catalogue: 1, account: 1, user: 1, question, languages: "", origin: "" };
        // Of 64 letters without an order a packed form keeps three quarters.
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'0' + u8::try_from(state >> 26).unwrap()
        };
        let mixed: Vec<u8> = (0..4_000).map(|_| letter()).collect();
        for (body, is_kept) in [(vec![b'a'; 4_000], true), (mixed, false)] {
            let asked = Asked { account: i64::from(is_kept), ..asked };
            let make = || Ok::<_, ()>(Answer::new(Tag::of(b""), body.clone()));
            let first = answers.of(Some(asked), make).unwrap();
            assert!(Encoding::ALL.iter().all(|form| first.packed(*form).is_none()), "nobody has asked before");
            let again = answers.of(Some(asked), make).unwrap();
            assert!(Encoding::ALL.iter().all(|form| again.packed(*form).is_some() == is_kept));
        }
    }
}
