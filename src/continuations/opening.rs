//! What the engine says when a bot begins to wait.

use serde_json::value::RawValue;

use super::{Encoding, Request};
use crate::archive::WidgetCode;
use crate::http::json::{self, Document, Kind};
use crate::http::members::{self, Members};
use crate::http::violation::{Expected, FieldError, Violation};

/// Seconds that a bot waits when the engine does not say: a day.
const DEFAULT_TIMEOUT: i64 = 24 * 60 * 60;
/// Seconds that a bot waits at most: thirty days.
pub const MOST_TIMEOUT: i64 = 30 * DEFAULT_TIMEOUT;
/// Characters of the engine's own reference at most.
const REFERENCE: usize = 128;
/// Characters of an entity's type at most.
const ENTITY_TYPE: usize = 32;
/// Characters of an address at most.
const ADDRESS: usize = 2_048;

/// A checked request to open a record.
#[derive(Debug)]
pub struct Opening {
    /// The account, when the engine names it; it must be the token's.
    pub account_id: Option<i64>,
    /// The widget that the bot waits for; `None` when it is no code, and so no widget.
    pub widget_code: Option<WidgetCode>,
    /// What the bot works on, such as `leads`.
    pub entity_type: String,
    /// Its number, positive.
    pub entity_id: i64,
    /// Seconds until the record expires.
    pub timeout_seconds: i64,
    /// The engine's own name for this wait.
    pub reference: Option<String>,
    /// Where the event is pushed to; not judged yet. `None` when the engine fetches.
    pub callback_url: Option<String>,
    /// The call to the widget; its address is not judged yet.
    pub request: Option<Request>,
}

impl Opening {
    /// Checks a body.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it. An optional member that is null counts as missing.
    pub fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        let mut members = Members::of(body)?;
        let account_id = members.optional("account_id", |value| members::whole(value, 1, i64::MAX));
        let code = members.required("widget_code", |value| members::text(value, usize::MAX));
        let entity = members.object("entity", true, entity_members);
        let timeout = members.optional("timeout_seconds", |value| members::whole(value, 1, MOST_TIMEOUT));
        let reference = members.optional("reference", |value| members::text(value, REFERENCE));
        let callback_url = members.optional("callback_url", |value| members::text(value, ADDRESS));
        let request = members.object("request", false, request_members);
        let made = code.zip(entity).map(|(code, (entity_type, entity_id))| Self {
            account_id,
            widget_code: code.parse().ok(),
            entity_type,
            entity_id,
            timeout_seconds: timeout.unwrap_or(DEFAULT_TIMEOUT),
            reference,
            callback_url,
            request,
        });
        members.finish(made)
    }
}

/// `{"type": "leads", "id": 5}`.
fn entity_members(members: &mut Members<'_>) -> Option<(String, i64)> {
    let kind = members.required("type", |value| match members::text(value, ENTITY_TYPE)? {
        // It goes into the token of the call to the widget.
        kind if kind.chars().any(char::is_control) => Err(Violation::NotSupportedChoice),
        kind => Ok(kind),
    });
    let id = members.required("id", |value| members::whole(value, 1, i64::MAX));
    kind.zip(id)
}

/// `{"url": "https://…", "data": {…}, "encoding": "form"}`.
fn request_members(members: &mut Members<'_>) -> Option<Request> {
    let url = members.required("url", |value| members::text(value, ADDRESS));
    let data = members.optional("data", structured);
    let encoding = members.optional("encoding", members::parsed).unwrap_or(Encoding::Form);
    Some(Request { url: url?, data: data.map(RawValue::to_owned), encoding })
}

fn structured(value: &RawValue) -> Result<&RawValue, Violation> {
    match json::kind(value) {
        Kind::Object | Kind::Array => Ok(value),
        _ => Err(Violation::InvalidType(Expected::Object)),
    }
}
