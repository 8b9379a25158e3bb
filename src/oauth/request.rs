//! What a client asks for, checked.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::basic::Basic;
use super::refresh_token::RefreshToken;
use crate::auth::AccountId;
use crate::http::fields::Fields;
use crate::http::grant::GrantError;
use crate::http::problem::Problem;

/// Who asks, and for what.
#[derive(Debug)]
pub(super) struct GrantRequest {
    /// The integration, when what was given is an id.
    pub(super) client: Option<Uuid>,
    pub(super) secret: SecretString,
    pub(super) grant: Grant,
}

/// A grant.
#[derive(Debug)]
pub(super) enum Grant {
    /// For the owner, or for who has installed a widget in this account.
    ClientCredentials(Option<AccountId>),
    /// In exchange for a refresh token; `None` for a text that is none.
    RefreshToken(Option<RefreshToken>),
}

impl GrantRequest {
    /// Reads the parameters. Those that nobody knows are passed over, as RFC 6749, 3.2, asks; among these is `redirect_uri`, which only
    /// matters where a code is exchanged. Id and secret come in the body, or by `basic`.
    pub(super) fn read(fields: &Fields, basic: Option<Basic>) -> Result<Self, Problem> {
        let grant = match text(fields, "grant_type")? {
            "client_credentials" => {
                let account = fields.get("account_id")?.map(|value| value.expose_secret().parse());
                let account = account.transpose().map_err(|_| malformed("account_id"))?;
                Grant::ClientCredentials(account)
            }
            "refresh_token" => Grant::RefreshToken(RefreshToken::parse(text(fields, "refresh_token")?)),
            _ => return Err(Problem::Grant(GrantError::Unsupported)),
        };
        let (client, secret) = match basic {
            None => (text(fields, "client_id")?.to_owned(), required(fields, "client_secret")?.clone()),
            Some(Basic { client, secret }) => {
                // RFC 6749, 2.3: in one way at a time.
                if given(fields, "client_secret")?.is_some() {
                    return Err(malformed("client_secret"));
                }
                if given(fields, "client_id")?.is_some_and(|other| other.expose_secret() != client) {
                    return Err(malformed("client_id"));
                }
                (client, secret)
            }
        };
        Ok(Self { client: Uuid::try_parse(&client).ok(), secret, grant })
    }
}

fn malformed(name: &'static str) -> Problem {
    Problem::Grant(GrantError::Malformed(name))
}

/// A parameter that says something: an empty one is as good as missing (RFC 6749, 3.2).
fn given<'a>(fields: &'a Fields, name: &'static str) -> Result<Option<&'a SecretString>, Problem> {
    Ok(fields.get(name)?.filter(|value| !value.expose_secret().is_empty()))
}

fn required<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a SecretString, Problem> {
    given(fields, name)?.ok_or_else(|| malformed(name))
}

fn text<'a>(fields: &'a Fields, name: &'static str) -> Result<&'a str, Problem> {
    required(fields, name).map(ExposeSecret::expose_secret)
}
