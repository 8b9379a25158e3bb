//! A widget in its current version.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::template::Template;
use crate::archive::{LocalizedText, Version, WidgetCode};
use crate::auth::{AccountId, UserId};

/// A widget's number: the `id` of the v4 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WidgetId(pub i64);

/// Who sees a widget that is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The user who uploaded it.
    Private,
}

impl Visibility {
    /// As it is stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

impl FromStr for Visibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            other => Err(format!("`{other}` is neither public nor private")),
        }
    }
}

/// The user who uploaded a widget, in that user's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserId,
}

/// The mean of all votes, in tenths of a star from 0 to 50; 0 while nobody has voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rating(i16);

impl Rating {
    /// `None` outside 0…50.
    #[must_use]
    pub fn from_tenths(tenths: i16) -> Option<Self> {
        (0..=50).contains(&tenths).then_some(Self(tenths))
    }
}

/// With a decimal comma and one decimal, as the real service writes it: `2,8`; `0` while nobody has voted.
impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{},{}", self.0 / 10, self.0 % 10) }
    }
}

/// Name and descriptions of a version, as they are stored with it.
#[derive(Debug, Clone, Deserialize)]
pub struct Texts {
    /// What it is called.
    pub name: LocalizedText,
    /// What it does.
    pub description: LocalizedText,
    /// The same in a sentence.
    pub short_description: LocalizedText,
}

/// A widget in its current version, with all that the v4 API shows of it whoever asks.
#[derive(Debug, Clone)]
pub struct Widget {
    /// Its number.
    pub id: WidgetId,
    /// Its name in URLs.
    pub code: WidgetCode,
    /// The current version.
    pub version: Version,
    /// The mean of all votes.
    pub rating: Rating,
    /// What its settings look like.
    pub template: Template,
    /// Whether it can be set as a lead source.
    pub is_lead_source: bool,
    /// Whether it is available in Digital Pipeline.
    pub is_work_with_dp: bool,
    /// Whether it is a CRM template.
    pub is_crm_template: bool,
    /// Its OAuth integration.
    pub client_uuid: Option<Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_have_a_comma() {
        let shown = |tenths| Rating::from_tenths(tenths).map(|rating| rating.to_string());
        assert_eq!(shown(28).as_deref(), Some("2,8"));
        assert_eq!(shown(50).as_deref(), Some("5,0"));
        assert_eq!(shown(0).as_deref(), Some("0"));
        assert_eq!((shown(51), shown(-1)), (None, None));
    }
}
