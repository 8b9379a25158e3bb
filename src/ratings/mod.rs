//! Ratings: one vote of each user of an account that has the widget installed.

pub mod api;
pub mod store;

/// A vote, 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stars(i16);

impl Stars {
    /// `None` outside 1…5.
    #[must_use]
    pub fn new(stars: i64) -> Option<Self> {
        i16::try_from(stars).ok().filter(|stars| (1..=5).contains(stars)).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i16 {
        self.0
    }
}
