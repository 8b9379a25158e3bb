//! Bots that wait for a widget: the record that waits, the answer that ends its waiting, and what the engine can see of it.

pub mod api;
pub mod call_body;
pub mod opening;
pub mod result;
pub mod store;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

pub use result::BotResult;

use crate::auth::decimal_id;

/// Which engine runs a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BotType {
    /// SalesBot.
    Salesbot,
    /// MarketingBot.
    Marketingbot,
}

impl BotType {
    /// As it stands in paths.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Salesbot => "salesbot",
            Self::Marketingbot => "marketingbot",
        }
    }
}

impl FromStr for BotType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "salesbot" => Ok(Self::Salesbot),
            "marketingbot" => Ok(Self::Marketingbot),
            other => Err(format!("`{other}` is neither salesbot nor marketingbot")),
        }
    }
}

/// A bot of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bot {
    /// Which engine runs it.
    pub kind: BotType,
    /// Its number, positive.
    pub id: i64,
}

impl Bot {
    /// Reads the two segments of a path; `None` when they are no bot.
    #[must_use]
    pub fn of_path(kind: &str, id: &str) -> Option<Self> {
        Some(Self { kind: kind.parse().ok()?, id: decimal_id(id)? })
    }
}

/// The number of a record that waits: the `continue_id` of the public API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContinueId(pub i64);

impl ContinueId {
    /// Reads a segment of a path; `None` when it is no positive decimal number.
    #[must_use]
    pub fn of_path(text: &str) -> Option<Self> {
        decimal_id(text).map(Self)
    }
}

impl fmt::Display for ContinueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a record stands. `waiting` is left once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The bot waits for the widget.
    Waiting,
    /// The widget has answered.
    Continued,
    /// Widget or engine gave up.
    Failed,
    /// The engine took it back.
    Cancelled,
    /// The deadline has passed.
    Expired,
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "waiting" => Ok(Self::Waiting),
            "continued" => Ok(Self::Continued),
            "failed" => Ok(Self::Failed),
            "cancelled" => Ok(Self::Cancelled),
            "expired" => Ok(Self::Expired),
            other => Err(format!("`{other}` is no state")),
        }
    }
}
