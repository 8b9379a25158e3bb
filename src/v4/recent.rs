//! What each thread answered just now. A front-end asks for the same again and again, and then nothing has to be worked out anew: neither what
//! the path and the query mean, nor where the widget is, nor which of the [answers](super::answers) it is.
//!
//! An answer is found by all of the request that it depends on, as it was sent, and given for as long as what it was made from is the newest: the
//! same content of the catalogue, and no transaction that changes what the account has installed has ended since, or is under way.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::answers::Answer;
use crate::auth::Caller;
use crate::database::Ended;
use crate::threads::PerThread;

/// Answers that each thread has at most: about 10 MB of the largest, if nobody else has them any more.
const EACH: usize = 16;

/// All of a request that its answer depends on, as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent<'a> {
    /// Who asks: what a user owns is seen by nobody else.
    account: i64,
    user: i64,
    /// The widget's own integration sees more of it.
    client: Option<Uuid>,
    /// Path and query.
    target: &'a str,
    languages: &'a str,
    origin: &'a str,
}

/// What an answer was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeFrom {
    /// The number of the catalogue's content.
    pub catalogue: u64,
    /// What was over when it was read what the account has installed.
    pub installs: Ended,
}

#[derive(Debug)]
struct Given {
    account: i64,
    user: i64,
    client: Option<Uuid>,
    target: Box<str>,
    languages: Box<str>,
    origin: Box<str>,
    from: MadeFrom,
    answer: Arc<Answer>,
}

impl Given {
    fn sent(&self) -> Sent<'_> {
        let Self { account, user, client, ref target, ref languages, ref origin, .. } = *self;
        Sent { account, user, client, target, languages, origin }
    }
}

#[derive(Debug, Default)]
struct Place {
    /// The last request here of which the answer had to be looked for, as a number.
    last: u64,
    given: Option<Given>,
}

/// What each thread answered just now.
#[derive(Debug, Default)]
pub struct Recent(PerThread<Mutex<[Place; EACH]>>);

impl<'a> Sent<'a> {
    /// A request of this caller.
    #[must_use]
    pub fn new(caller: &Caller, target: &'a str, (languages, origin): (&'a str, &'a str)) -> Self {
        let Caller { account, user, client, .. } = *caller;
        Self { account: account.get(), user: user.get(), client, target, languages, origin }
    }

    fn number(&self) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(self)
    }
}

impl Recent {
    /// What this thread answered to the same request just now, if what it was made from is still the newest: `is_newest` tells that.
    pub fn again<T>(
        &self,
        sent: &Sent<'_>,
        is_newest: impl FnOnce(MadeFrom) -> bool,
        answer: impl FnOnce(&Answer) -> T,
    ) -> Option<T> {
        self.at(sent.number(), |place| {
            let given = place.given.as_ref().filter(|given| given.sent() == *sent)?;
            is_newest(given.from).then(|| answer(&given.answer))
        })?
    }

    /// Keeps what was answered, if the same had to be looked for the last time, too: what is asked for once has no use for it, and would take
    /// its place from what is.
    pub fn keep(&self, sent: &Sent<'_>, from: MadeFrom, answer: &Arc<Answer>) {
        if !answer.is_worth_keeping() {
            return;
        }
        let number = sent.number();
        self.at(number, |place| {
            if std::mem::replace(&mut place.last, number) == number {
                let Sent { account, user, client, target, languages, origin } = *sent;
                let (target, languages, origin) = (target.into(), languages.into(), origin.into());
                let answer = answer.clone();
                place.given = Some(Given { account, user, client, target, languages, origin, from, answer });
            }
        });
    }

    /// Does something at a place. A thread that shares it with another one, which is there just now, does without.
    fn at<T>(&self, number: u64, work: impl FnOnce(&mut Place) -> T) -> Option<T> {
        let mut places = self.0.own().try_lock().ok()?;
        let index = usize::try_from(number % EACH as u64).ok()?;
        places.get_mut(index).map(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::conditional::Tag;

    const SENT: Sent<'_> =
        Sent { account: 1, user: 1, client: None, target: "/a?b=1", languages: "en", origin: "http://a" };
    const FROM: MadeFrom = MadeFrom { catalogue: 1, installs: Ended { all: 1, unsure: 0 } };

    fn answer(text: &str) -> Arc<Answer> {
        Arc::new(Answer::new(Tag::of(b""), text.as_bytes().to_vec()))
    }

    fn again(recent: &Recent, sent: &Sent<'_>, newest: MadeFrom) -> Option<Vec<u8>> {
        recent.again(sent, |from| from == newest, |answer| answer.body.to_vec())
    }

    #[test]
    fn who_asks_a_third_time_is_answered_alike() {
        let recent = Recent::default();
        for _ in 0..2 {
            assert_eq!(again(&recent, &SENT, FROM), None);
            recent.keep(&SENT, FROM, &answer("first"));
        }
        assert_eq!(again(&recent, &SENT, FROM).unwrap(), b"first");
        // All that come to the same place.
        let number = |number: usize| i64::try_from(number).unwrap();
        let texts: Vec<String> = (2..400).map(|number| number.to_string()).collect();
        let others = texts.iter().enumerate().flat_map(|(index, text)| {
            [
                Sent { account: number(index) + 2, ..SENT },
                Sent { user: number(index) + 2, ..SENT },
                Sent { client: Some(Uuid::from_u128(index as u128)), ..SENT },
                Sent { target: text, ..SENT },
                Sent { languages: text, ..SENT },
                Sent { origin: text, ..SENT },
            ]
        });
        for other in others {
            assert_eq!(again(&recent, &other, FROM), None, "{other:?}");
        }
        let later = [
            MadeFrom { catalogue: 2, ..FROM },
            MadeFrom { installs: Ended { all: 2, unsure: 0 }, ..FROM },
            MadeFrom { installs: Ended { all: 1, unsure: 1 }, ..FROM },
        ];
        for newest in later {
            assert_eq!(again(&recent, &SENT, newest), None, "{newest:?}");
        }
        recent.keep(&SENT, later[0], &answer("second"));
        assert_eq!(again(&recent, &SENT, FROM), None);
        assert_eq!(again(&recent, &SENT, later[0]).unwrap(), b"second");
        // What is large is made each time.
        recent.keep(&SENT, later[0], &answer(&"x".repeat(300_000)));
        assert_eq!(again(&recent, &SENT, later[0]).unwrap(), b"second");
    }

    #[test]
    fn what_is_asked_for_once_takes_no_place() {
        let recent = Recent::default();
        for _ in 0..2 {
            recent.keep(&SENT, FROM, &answer("kept"));
        }
        for number in 2..400 {
            recent.keep(&Sent { account: number, ..SENT }, FROM, &answer("other"));
        }
        assert_eq!(again(&recent, &SENT, FROM).unwrap(), b"kept");
    }

    #[test]
    fn each_thread_has_its_own() {
        let recent = Recent::default();
        for _ in 0..2 {
            recent.keep(&SENT, FROM, &answer("other"));
        }
        let elsewhere = || {
            crate::threads::answers_requests(3);
            again(&recent, &SENT, FROM)
        };
        assert_eq!(std::thread::scope(|scope| scope.spawn(elsewhere).join().unwrap()), None);
    }
}
