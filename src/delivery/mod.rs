//! The outbox: what happened, on its way to those who must hear of it. Serves any kind of event and knows no feature.
//!
//! An event is written by [`store::enqueue`] in the transaction of what it tells. The [`worker`] pushes it to an address, or the
//! receiver leases it through [`api`]; `docs/DELIVERY.md` says what is guaranteed, and why.

pub mod api;
mod counted;
pub mod hint;
pub mod history;
pub mod lease;
pub mod replay;
pub mod schedule;
pub mod secret;
pub mod store;
pub mod worker;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::{AccountId, decimal_id};

/// How an event comes to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It is sent to the receiver's address.
    Push,
    /// The receiver fetches it.
    Pull,
    /// It is a call to a widget's server.
    Call,
}

impl Way {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Call => "call",
        }
    }

    /// For how many seconds from its acceptance on an event is tried.
    #[must_use]
    pub fn patience(self) -> i64 {
        i64::try_from(self.schedule().patience.as_secs()).unwrap_or(i64::MAX)
    }
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "push" => Ok(Self::Push),
            "pull" => Ok(Self::Pull),
            "call" => Ok(Self::Call),
            other => Err(format!("`{other}` is no way of delivery")),
        }
    }
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits for its turn or its next try.
    Ready,
    /// Somebody is trying.
    Leased,
    /// The receiver has it.
    Delivered,
    /// The tries were given up; it can be replayed.
    Dead,
    /// What it was to bring about is no longer wanted.
    Withdrawn,
}

impl State {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ready" => Ok(Self::Ready),
            "leased" => Ok(Self::Leased),
            "delivered" => Ok(Self::Delivered),
            "dead" => Ok(Self::Dead),
            "withdrawn" => Ok(Self::Withdrawn),
            other => Err(format!("`{other}` is no state of a delivery")),
        }
    }
}

/// The number of a delivery within its account; grows in the order of acceptance within a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

impl DeliveryId {
    /// Reads a segment of a path; `None` when it is no positive decimal number.
    #[must_use]
    pub fn of_path(text: &str) -> Option<Self> {
        decimal_id(text).map(Self)
    }

    /// The `webhook-id`: the same at every try, and another for every event of every account. It holds no dot, which the signed
    /// text is parted by.
    #[must_use]
    pub fn webhook_id(self, account: AccountId) -> String {
        format!("evt_{}_{}", account.get(), self.0)
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who gets an event.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// The server at this address, which the guarded client has accepted.
    Push(String),
    /// Whoever leases the account's events.
    Pull,
    /// A widget's server at this address.
    Call(String),
}

impl Receiver {
    /// How it gets there.
    #[must_use]
    pub fn way(&self) -> Way {
        match self {
            Self::Push(_) => Way::Push,
            Self::Pull => Way::Pull,
            Self::Call(_) => Way::Call,
        }
    }

    /// Where to.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Push(address) | Self::Call(address) => Some(address),
            Self::Pull => None,
        }
    }
}

/// An event that is to be delivered.
#[derive(Debug, Clone)]
pub struct Event {
    /// The account that it belongs to.
    pub account: AccountId,
    /// The queue in which it keeps its place, at most 64 characters: one for each bot.
    pub lane: String,
    /// What happened, such as `continuation.continued`.
    pub kind: &'static str,
    /// The row that it tells of.
    pub subject: i64,
    /// Who gets it.
    pub receiver: Receiver,
    /// The bytes that the receiver gets; `None` for a call, whose bytes are made at each try.
    pub payload: Option<Vec<u8>>,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx, or an `ack`.
    Delivered,
    /// Another answer, or a `nack`.
    Refused,
    /// 410: the receiver wants no more tries.
    Gone,
    /// No connection, or one that broke off.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The address is one that is not called.
    Forbidden,
    /// What the delivery was to bring about is no longer wanted.
    Withdrawn,
}

impl Outcome {
    /// As it is stored; `abandoned` is written by the statement that takes over an expired lease.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Forbidden => "forbidden",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether the receiver has spoken, so that the next event of the lane may go.
    #[must_use]
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Delivered | Self::Refused | Self::Gone | Self::Withdrawn)
    }
}
