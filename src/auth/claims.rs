//! What a token says about its bearer.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long a token lives at most. What is kept until tokens have expired (revocations, the keys before a change) is kept as long.
pub const MOST_LIFETIME: Duration = Duration::from_hours(366 * 24);

macro_rules! positive_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// `None` unless the number is positive.
            #[must_use]
            pub fn new(id: i64) -> Option<Self> {
                (id > 0).then_some(Self(id))
            }

            /// The number, always positive.
            #[must_use]
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = String;

            /// A decimal number without sign or leading zeros that fits in 63 bits.
            fn from_str(text: &str) -> Result<Self, String> {
                decimal_id(text).map(Self).ok_or_else(|| format!("`{text}` is not a positive number without leading zeros"))
            }
        }
    };
}

positive_id!(
    /// An account of the CRM: the tenant.
    AccountId
);
positive_id!(
    /// A user of an account.
    UserId
);

/// The pattern `^[1-9][0-9]{0,18}$`, and a value that fits in a signed 64-bit integer.
#[must_use]
pub(crate) fn decimal_id(text: &str) -> Option<i64> {
    let plain = !text.starts_with('0') && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// A user's rights in the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May install, uninstall and continue bots.
    Admin,
    /// May look.
    User,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "admin" => Ok(Self::Admin),
            "user" => Ok(Self::User),
            other => Err(format!("`{other}` is neither admin nor user")),
        }
    }
}

/// What a token may do under `/registry/v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Publish widgets.
    Publish,
    /// Publish widgets that everybody sees.
    PublishPublic,
    /// Act as the bot engine: open continuations and read them.
    Bots,
    /// Delete anybody's widgets, and look at what everybody sees.
    Operator,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Publish, Self::PublishPublic, Self::Bots, Self::Operator];

    /// As it stands in the `scopes` claim.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::PublishPublic => "publish:public",
            Self::Bots => "bots",
            Self::Operator => "operator",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no scope; the scopes are {known}")
        })
    }
}

/// Scopes, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & Self::bit(scope) != 0
    }

    const fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | Self::bit(scope)))
    }
}

/// The claims of a token as they travel: those of the real service, and the role, which that one looks up in the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The configured issuer.
    pub iss: String,
    /// The user's id, decimal.
    pub sub: String,
    /// The account's id.
    pub account_id: i64,
    /// The user's rights in the account.
    pub role: Role,
    /// The client id of the integration that the token was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<Uuid>,
    /// What it may do under `/registry/v1`; unknown ones are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// End of its life, seconds since 1970.
    pub exp: NumericDate,
    /// When it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<NumericDate>,
    /// Not valid before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<NumericDate>,
    /// The token's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

/// Seconds since 1970, as RFC 7519 has it, with a fraction or without.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(transparent)]
pub struct NumericDate(f64);

impl Serialize for NumericDate {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is the wanted end of time")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_whole() { serializer.serialize_i64(self.0 as i64) } else { serializer.serialize_f64(self.0) }
    }
}

impl NumericDate {
    /// From whole seconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 285,000,000")]
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds as f64)
    }

    /// Seconds from `now` until this date; negative when it has passed.
    #[must_use]
    pub(super) fn seconds_after(self, now: i64) -> f64 {
        self.0 - Self::from_unix(now).0
    }

    /// Seconds from another date until this one.
    #[must_use]
    pub(super) fn seconds_since(self, other: Self) -> f64 {
        self.0 - other.0
    }

    /// From microseconds since 1970, of which a date of our time loses none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to the year 2255")]
    pub(super) fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds as f64 / 1_000_000.0)
    }

    /// Whether a token of this date may have been issued by that time. Of one that tells whole seconds, which others issue, it is not known when
    /// in that second it was.
    #[must_use]
    pub(super) fn may_be_by(self, microseconds: i64) -> bool {
        let until = Self::from_microseconds(microseconds).0;
        self.0 <= if self.is_whole() { until.floor() } else { until }
    }

    fn is_whole(self) -> bool {
        self.0.fract() == 0.0
    }
}

/// Who calls: the checked content of a token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant that everything the call touches belongs to.
    pub account: AccountId,
    /// The user.
    pub user: UserId,
    /// The user's rights.
    pub role: Role,
    /// The integration that the token was given to.
    pub client: Option<Uuid>,
    /// What it may do under `/registry/v1`.
    pub scopes: Scopes,
}

impl Caller {
    /// Reads checked claims; `None` when the ids are no ids.
    pub(super) fn from_claims(claims: &Claims) -> Option<Self> {
        Some(Self {
            account: AccountId::new(claims.account_id)?,
            user: claims.sub.parse().ok()?,
            role: claims.role,
            client: claims.aud,
            scopes: claims.scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
        })
    }

    /// Whether the token carries this scope.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_issued_by_a_time() {
        // A revocation 0.5 s after a second, and tokens around it.
        let until = 1_795_392_000_500_000;
        let by = |microseconds| NumericDate::from_microseconds(microseconds).may_be_by(until);
        assert!(by(until) && by(until - 1) && by(until - 499_999) && by(1_795_391_999_999_999));
        assert!(!by(until + 1) && !by(1_795_392_001_000_000));
        // One that tells whole seconds may be of any time in it.
        assert!(by(1_795_392_000_000_000) && NumericDate::from_unix(1_795_392_000).may_be_by(1_795_392_000_000_000));
    }

    #[test]
    fn dates_travel_as_they_are() {
        let text = |date| serde_json::to_string(&date).unwrap();
        assert_eq!(text(NumericDate::from_unix(1_795_392_000)), "1795392000");
        assert_eq!(text(NumericDate::from_microseconds(1_795_392_000_000_001)), "1795392000.000001");
        for microseconds in (0..1_000_000).step_by(997) {
            let date = NumericDate::from_microseconds(1_795_392_000_000_000 + microseconds);
            assert_eq!(serde_json::from_str::<NumericDate>(&text(date)).unwrap(), date);
        }
    }

    #[test]
    fn ids_are_plain_decimals_that_fit() {
        for (text, id) in [("1", Some(1)), ("9223372036854775807", Some(i64::MAX))] {
            assert_eq!(decimal_id(text), id);
        }
        for bad in ["", "0", "01", "+1", "-1", "1 ", "9223372036854775808", "1e3", "١", "99999999999999999999"] {
            assert_eq!(decimal_id(bad), None, "{bad}");
        }
    }
}
