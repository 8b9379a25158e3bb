//! Bots that wait for a widget: the record that waits, the answer that ends its waiting, and what the engine can see of it.

pub mod api;
pub mod calls;
pub mod close;
pub mod control;
pub mod inspect;
pub mod opening;
pub mod placeholders;
pub mod proceed;
pub mod result;
pub mod store;
pub mod sweep;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

pub use calls::body::Encoding;
pub use result::BotResult;

use crate::auth::decimal_id;

/// The widget has answered.
pub const CONTINUED: &str = "continuation.continued";
/// Widget or engine gave up.
pub const FAILED: &str = "continuation.failed";
/// The deadline has passed.
pub const EXPIRED: &str = "continuation.expired";
/// The call to the widget with which a wait begins.
pub const CALL: &str = "widget.call";

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

    /// Where a widget sends its answer.
    #[must_use]
    pub fn return_url(self, origin: &str, id: ContinueId) -> String {
        format!("{origin}/api/v4/{}/{}/continue/{id}", self.kind.as_str(), self.id)
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

impl State {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Continued => "continued",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// The call to the widget with which a wait begins.
#[derive(Debug, Clone)]
pub struct Request {
    /// The address that the bot's author gave.
    pub url: String,
    /// An object or an array, as it came.
    pub data: Option<Box<RawValue>>,
    /// How it is written.
    pub encoding: Encoding,
}
