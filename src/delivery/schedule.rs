//! How long a try may take, how soon the next follows, and when there is none: data, one row per way of delivery.

use std::time::Duration;

use super::{Outcome, Way};
use crate::sources::Identifiers;

/// Who takes an event holds it this long; then it is anybody's again.
pub const LEASE: Duration = Duration::from_secs(45);

const HOUR: Duration = Duration::from_hours(1);

/// Longest pause after a try that nobody answered: whatever waits for a receiver that is back must be there within five minutes.
const LONGEST_UNANSWERED: Duration = Duration::from_mins(2);

/// A widget is called three times, with these pauses between.
const CALL_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// The times of one way of delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// One try, from resolving the name to the last byte of the answer.
    pub try_time: Duration,
    /// The pauses between the tries.
    pub backoff: Backoff,
    /// From its acceptance on an event is tried this long.
    pub patience: Duration,
}

/// The pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// After try n a random part ("full jitter") of `first` × 2ⁿ⁻¹, at most of `most`.
    Doubling {
        /// After the first try at most.
        first: Duration,
        /// After any try at most.
        most: Duration,
    },
    /// After try n the n-th of these; after the last, no more.
    Fixed(&'static [Duration]),
}

impl Way {
    /// Its times.
    #[must_use]
    pub fn schedule(self) -> Schedule {
        let doubling = Backoff::Doubling { first: Duration::from_secs(1), most: Duration::from_mins(10) };
        match self {
            Self::Push => Schedule { try_time: Duration::from_secs(15), backoff: doubling, patience: HOUR * 72 },
            // Nobody is called here: what is not fetched waits as long as a record may wait.
            Self::Pull => Schedule { try_time: LEASE, backoff: doubling, patience: HOUR * 24 * 30 },
            Self::Call => {
                Schedule { try_time: Duration::from_secs(2), backoff: Backoff::Fixed(&CALL_PAUSES), patience: HOUR }
            }
        }
    }
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the receiver has it.
    Delivered,
    /// Nothing: it is no longer wanted.
    Withdrawn,
    /// Another try after this time.
    Again(Duration),
    /// Nothing: the tries are given up.
    Dead,
}

impl Schedule {
    /// What follows a try.
    ///
    /// `attempt` counts from 1; `chance` is random, evenly from 0 to 1; `asked` is the pause that the receiver asked for.
    #[must_use]
    pub fn after(&self, attempt: u32, outcome: Outcome, chance: f64, asked: Option<Duration>) -> Next {
        let pause = match outcome {
            Outcome::Delivered => return Next::Delivered,
            Outcome::Withdrawn => return Next::Withdrawn,
            Outcome::Gone => return Next::Dead,
            Outcome::Refused | Outcome::Forbidden => self.backoff.pause(attempt, chance),
            Outcome::Unreachable | Outcome::Timeout => {
                self.backoff.pause(attempt, chance).map(|pause| pause.min(LONGEST_UNANSWERED))
            }
        };
        pause.map_or(Next::Dead, |pause| Next::Again(pause.max(asked.unwrap_or_default())))
    }
}

impl Backoff {
    fn pause(self, attempt: u32, chance: f64) -> Option<Duration> {
        match self {
            Self::Doubling { first, most } => {
                let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
                Some(first.saturating_mul(factor).min(most).mul_f64(chance.clamp(0.0, 1.0)))
            }
            Self::Fixed(pauses) => pauses.get(usize::try_from(attempt).ok()?.checked_sub(1)?).copied(),
        }
    }
}

/// A random number, evenly from 0 to 1.
#[must_use]
pub fn chance(ids: &Identifiers) -> f64 {
    // The first four bytes of a version 4 UUID are random.
    let [a, b, c, d, ..] = ids.next().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pushes_double_their_pause_up_to_ten_minutes() {
        let schedule = Way::Push.schedule();
        let again = |attempt, chance| schedule.after(attempt, Outcome::Refused, chance, None);
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (33, 600), (u32::MAX, 600)] {
            assert_eq!(again(attempt, 1.0), Next::Again(SECOND * seconds), "{attempt}");
            assert_eq!(again(attempt, 0.5), Next::Again(SECOND * seconds / 2), "{attempt}");
            assert_eq!(again(attempt, 0.0), Next::Again(Duration::ZERO), "{attempt}");
        }
        assert_eq!(schedule.patience, SECOND * 72 * 3_600);
        assert_eq!(schedule.try_time, SECOND * 15);
        assert!(schedule.try_time < LEASE, "a try ends while its lease holds");
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_it() {
        let schedule = Way::Push.schedule();
        for outcome in [Outcome::Refused, Outcome::Unreachable, Outcome::Timeout, Outcome::Forbidden] {
            assert_eq!(schedule.after(1, outcome, 1.0, Some(SECOND * 90)), Next::Again(SECOND * 90));
            assert_eq!(schedule.after(7, outcome, 1.0, Some(SECOND)), Next::Again(SECOND * 64));
        }
    }

    #[test]
    fn a_receiver_that_was_away_is_found_again_within_two_minutes() {
        let schedule = Way::Push.schedule();
        for attempt in [8, 12, 500] {
            for outcome in [Outcome::Unreachable, Outcome::Timeout] {
                assert_eq!(schedule.after(attempt, outcome, 1.0, None), Next::Again(SECOND * 120), "{attempt}");
            }
        }
    }

    #[test]
    fn a_widget_is_called_three_times() {
        let schedule = Way::Call.schedule();
        let after = |attempt| schedule.after(attempt, Outcome::Timeout, 0.3, None);
        assert_eq!(after(1), Next::Again(SECOND));
        assert_eq!(after(2), Next::Again(SECOND * 5));
        assert_eq!(after(3), Next::Dead);
        assert_eq!(after(4), Next::Dead);
        assert_eq!(schedule.try_time, SECOND * 2);
    }

    #[test]
    fn some_ends_are_final() {
        for way in [Way::Push, Way::Pull, Way::Call] {
            let after = |outcome| way.schedule().after(1, outcome, 0.5, Some(SECOND));
            assert_eq!(after(Outcome::Delivered), Next::Delivered);
            assert_eq!(after(Outcome::Withdrawn), Next::Withdrawn);
            assert_eq!(after(Outcome::Gone), Next::Dead);
        }
    }
}
