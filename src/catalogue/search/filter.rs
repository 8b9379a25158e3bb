//! What is looked for, and in which order.

use std::fmt;
use std::str::FromStr;

use crate::archive::SettingType;
use crate::catalogue::listing::terms::{self, Mark};
use crate::catalogue::widget::Visibility;

/// What every widget of the answer must be. What is not given is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words that its code or texts must have, where the last may go on. An empty list is text without a word, which nothing has.
    pub words: Option<Vec<String>>,
    /// Who sees it.
    pub visibility: Option<Visibility>,
    /// Whether it is the caller's own.
    pub mine: Option<bool>,
    /// Whether the caller's account has it installed.
    pub installed: Option<bool>,
    /// A location of its manifest, or the place of one.
    pub location: Option<String>,
    /// The type of one of its settings.
    pub setting_type: Option<SettingType>,
    /// Whether it can be a lead source.
    pub lead_source: Option<bool>,
    /// Whether it is available in Digital Pipeline.
    pub dp: Option<bool>,
}

/// A filter as the database asks it.
#[derive(Debug, PartialEq, Eq)]
pub struct Terms {
    /// What terms of every widget must match; `None` when terms do not matter.
    pub all: Option<String>,
    /// The same of public widgets only.
    pub public: Option<String>,
}

impl Filter {
    /// Whether nothing can be found.
    #[must_use]
    pub fn is_empty_handed(&self) -> bool {
        self.words.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether widgets may be found that are neither the caller's own nor installed: all others that a caller sees are public.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.mine != Some(true) && self.installed != Some(true) && self.visibility != Some(Visibility::Private)
    }

    /// What the terms must match.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let mut marks: Vec<Mark> = Vec::new();
        marks.extend(self.location.clone().map(Mark::Location));
        marks.extend(self.setting_type.map(Mark::Setting));
        marks.extend(self.lead_source.map(Mark::LeadSource));
        marks.extend(self.dp.map(Mark::DigitalPipeline));
        let words = self.words.as_deref().unwrap_or_default();
        let all = terms::query(words, &marks);
        marks.push(Mark::Public);
        let public = all.as_ref().and_then(|_| terms::query(words, &marks));
        Terms { all, public }
    }
}

/// An order of widgets; those that are equal in it are in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By the publishing of the current version, the latest first.
    Newest,
    /// By the name in the widget's first language.
    Name,
    /// The best first.
    Rating,
    /// The most installed first.
    Installs,
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Name, Self::Rating, Self::Installs];

    /// As it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Name => "name",
            Self::Rating => "rating",
            Self::Installs => "installs",
        }
    }
}

/// The text is no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortError;

impl fmt::Display for SortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an order is one of newest, name, rating and installs")
    }
}

impl std::error::Error for SortError {}

impl FromStr for Sort {
    type Err = SortError;

    fn from_str(text: &str) -> Result<Self, SortError> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or(SortError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_widgets_are_asked_for_as_such() {
        let filter = Filter { words: Some(vec!["a".to_owned(), "b".to_owned()]), dp: Some(true), ..Filter::default() };
        let Terms { all, public } = filter.terms();
        assert_eq!(all.as_deref(), Some("'a' & 'b':* & ':dp=true'"));
        assert_eq!(public.as_deref(), Some("'a' & 'b':* & ':dp=true' & ':public'"));
        // Without terms the order's own index serves.
        assert_eq!(Filter::default().terms(), Terms { all: None, public: None });
    }
}
