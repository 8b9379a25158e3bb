//! Why a grant of tokens is refused (RFC 6749, 5.2), as the real service tells it: a problem with a `hint`.

use actix_web::http::StatusCode;

/// A refused grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantError {
    /// The request cannot be read; why.
    Unreadable(String),
    /// A member of the request is missing or not what it must be.
    Malformed(&'static str),
    /// The grant is none that is given here.
    Unsupported,
    /// The integration does not exist, has no secret, or the secret is another one: which of these is not told.
    Client,
    /// The refresh token is unknown, expired, used, revoked, or of another integration: which of these is not told.
    RefreshToken,
    /// The account has none of the integration's widgets installed.
    NotInstalled,
}

impl GrantError {
    /// The status, and the code of RFC 6749.
    #[must_use]
    pub fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unreadable(_) | Self::Malformed(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Unsupported => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::Client => (StatusCode::UNAUTHORIZED, "invalid_client"),
            // 401 and not 400, because the real service answers so and its clients look at that.
            Self::RefreshToken => (StatusCode::UNAUTHORIZED, "invalid_grant"),
            Self::NotInstalled => (StatusCode::BAD_REQUEST, "invalid_grant"),
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Unreadable(why) => why,
            Self::Malformed(_) => "The request lacks a parameter, or a parameter is not valid",
            Self::Unsupported => "The grant is not given here",
            Self::Client => "Client authentication failed",
            Self::RefreshToken => "The refresh token is not valid",
            Self::NotInstalled => "The integration may not act for this account",
        }
    }

    /// What to look at.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed(name) => Some(format!("Check the `{name}` parameter")),
            Self::Unsupported => Some("`grant_type` must be client_credentials or refresh_token".to_owned()),
            Self::Unreadable(_) | Self::Client => None,
            Self::RefreshToken => Some("Token has been revoked".to_owned()),
            Self::NotInstalled => Some("No widget of the integration is installed in the account".to_owned()),
        }
    }
}
