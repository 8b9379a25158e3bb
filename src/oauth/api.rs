//! `POST /oauth2/access_token`.

use actix_web::HttpResponse;
use actix_web::http::header;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::basic::Basic;
use super::refresh_token::RefreshToken;
use super::request::{Grant, GrantRequest};
use super::store::{self, Family, Used};
use super::{ACCESS, Basis, MOST_FAMILIES, digest};
use crate::auth::{AccountId, Caller, Issue, Scopes};
use crate::database::{Connection, Failure};
use crate::digest::Sha256;
use crate::http::caller::Anyone;
use crate::http::fields::Fields;
use crate::http::grant::GrantError;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::Call;
use crate::http::shared::Shared;
use crate::integrations;
use crate::log_context;

/// What a client sends, as a form or as JSON. Members that are not named here are passed over, such as `redirect_uri`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `GrantRequest` reads it")]
pub struct GrantBody {
    /// `client_credentials` or `refresh_token`.
    grant_type: String,
    /// The integration. It and its secret may be shown by HTTP Basic instead.
    client_id: Option<Uuid>,
    /// Its secret; the one before is good as long as it is valid.
    client_secret: Option<String>,
    /// For `refresh_token`: the latest that was given.
    refresh_token: Option<String>,
    /// For `client_credentials`: an account that has a widget of the integration installed. Without it the token acts for the integration's
    /// owner.
    account_id: Option<i64>,
}

/// Tokens, as the real service gives them.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokensBody {
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the access token lives.
    expires_in: u64,
    #[serde(serialize_with = "hal::exposed")]
    #[schema(value_type = String)]
    access_token: SecretString,
    /// Good for one use within three months.
    #[serde(serialize_with = "hal::exposed")]
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Gives an integration an access token and a refresh token.
///
/// With `client_credentials` the token acts for the integration's owner, with the role `user`; or, with `account_id`, as the administrator
/// who has installed a widget of the integration in that account. It has no scopes, and its `aud` is the integration.
///
/// A refresh token is good for one use. Sent once more it is refused, and after half a minute it ends all that came of the same grant, so that
/// somebody who found it gets nothing for long. It also ends with the install that it stands on, with the integration's secret, and by
/// revocation.
#[utoipa::path(
    post, path = "/oauth2/access_token", tag = "tokens", operation_id = "access_token",
    request_body(content((GrantBody = "application/x-www-form-urlencoded"), (GrantBody = "application/json"))),
    responses(
        (status = 200, description = "Tokens", body = TokensBody),
        (status = 400, description = "A parameter is missing or not valid, the grant is none that is given here, or the account has no widget of the integration; `hint` and `error` say which"),
        (status = 401, description = "The integration or its secret, or the refresh token is not valid"),
        (status = 429, description = "More requests than the account and the integration may send, or too many wrong secrets of the integration"),
    ),
)]
pub(crate) async fn access_token(call: Call<Anyone, Fields>) -> Result<HttpResponse, Problem> {
    let request = GrantRequest::read(&call.body, basic(&call)?)?;
    let shared = &call.shared;
    let (client, secrets) = authenticate(shared, &request).await?;
    let account = account_of(shared, client, &request.grant).await?;
    if let Some(request) = log_context::current() {
        request.is_of(account.get(), None);
    }
    let mut transaction = shared.pool.begin_for(account).await?;
    let given = match request.grant {
        Grant::ClientCredentials(asked) => {
            let basis = if asked.is_some() { Basis::Install } else { Basis::Owner };
            begin(shared, &mut transaction, (client, account, basis), &secrets).await?
        }
        Grant::RefreshToken(Some(token)) => refresh(shared, &mut transaction, client, token, &secrets).await?,
        Grant::RefreshToken(None) => Err(GrantError::RefreshToken),
    };
    // Signed before the end of the transaction: a revocation that waits for it is about this token, too.
    let given = match given {
        Ok((family, next)) => Ok((issue(shared, &family)?, next)),
        Err(refused) => Err(refused),
    };
    // Also when it is refused: then a family may have ended.
    transaction.commit().await.map_err(Failure::from)?;
    let (access_token, refresh_token) = given.map_err(Problem::Grant)?;
    let body = TokensBody {
        token_type: "Bearer",
        expires_in: ACCESS.as_secs(),
        access_token,
        refresh_token: refresh_token.text(),
    };
    let mut response = HttpResponse::Ok();
    // RFC 6749, 5.1; that nothing is kept is said on every answer.
    response.insert_header((header::PRAGMA, "no-cache"));
    hal::json(response, &body)
}

/// The digests of an integration's valid secrets, that which was shown first.
type Valid = Vec<Sha256>;

/// Secrets of an integration that are valid at once: the newest, and the one before.
const MOST_VALID: usize = 2;

/// What the client has shown by HTTP Basic.
fn basic(call: &Call<Anyone, Fields>) -> Result<Option<Basic>, Problem> {
    let header = call.header(header::AUTHORIZATION.as_str()).map_err(|problem| match problem {
        Problem::Malformed(why) => Problem::Grant(GrantError::Unreadable(why)),
        other => other,
    })?;
    header.map_or(Ok(None), Basic::read).map_err(Problem::Grant)
}

/// The integration, when the secret is one of its valid ones.
///
/// Whatever is wrong is answered alike, and as many digests are compared, each in the same time whatever it is. One that exists takes longer by the
/// time in which its secrets are opened, which depends on nothing that was shown: which ids exist is no secret.
///
/// Wrong secrets are limited. A right one is not: otherwise whoever knows an id, which widgets show, could lock its integration out.
async fn authenticate(shared: &Shared, request: &GrantRequest) -> Result<(Uuid, Valid), Problem> {
    let shown = digest(&request.secret);
    let client = request.client.unwrap_or_default();
    let secrets = integrations::secrets::valid(&shared.pool, &shared.sealing, client).await?;
    let valid: Valid = secrets
        .map(|secrets| std::iter::once(secrets.newest).chain(secrets.old).map(|secret| digest(&secret)).collect())
        .unwrap_or_default();
    let mut compared = valid.clone();
    compared.resize(MOST_VALID, Sha256::of(&[b"no secret"]));
    // Counted, and so none is left out after one that fits.
    if compared.iter().filter(|known| known.is_same(&shown)).count() == 0 {
        tracing::info!(%client, "an integration could not be authenticated");
        return Err(match shared.wait_after_wrong_secret(client) {
            Some(seconds) => Problem::TooManyRequests(seconds),
            None => Problem::Grant(GrantError::Client),
        });
    }
    let mut valid = valid;
    valid.sort_by_key(|known| *known != shown);
    Ok((client, valid))
}

/// The account that a grant is about.
async fn account_of(shared: &Shared, client: Uuid, grant: &Grant) -> Result<AccountId, Problem> {
    match grant {
        Grant::ClientCredentials(Some(account)) => Ok(*account),
        Grant::RefreshToken(Some(token)) => Ok(token.account),
        Grant::RefreshToken(None) => Err(Problem::Grant(GrantError::RefreshToken)),
        Grant::ClientCredentials(None) => {
            let owner = store::owner(&mut *shared.pool.catalogue().await?, client).await?;
            owner.map(|owner| owner.account).ok_or(Problem::Grant(GrantError::Client))
        }
    }
}

type Given = Result<(Family, RefreshToken), GrantError>;

async fn begin(
    shared: &Shared,
    connection: &mut Connection,
    (client, account, basis): (Uuid, AccountId, Basis),
    secrets: &[Sha256],
) -> Result<Given, Problem> {
    let user = match basis {
        Basis::Install => store::installer(connection, account, client).await?,
        Basis::Owner => {
            let owner = store::owner(connection, client).await?;
            owner.filter(|owner| owner.account == account).map(|owner| owner.user)
        }
    };
    let (Some(user), Some(secret)) = (user, secrets.first().copied()) else {
        return Ok(Err(GrantError::NotInstalled));
    };
    let family = Family { account, id: shared.ids.next(), client, user, basis, secret };
    within_rate(shared, &family)?;
    let token = RefreshToken::make(account, family.id, &family.secret, &shared.secrets)?;
    store::begin(connection, &family, token.digest()).await?;
    store::keep_newest(connection, account, client, MOST_FAMILIES).await?;
    Ok(Ok((family, token)))
}

async fn refresh(
    shared: &Shared,
    connection: &mut Connection,
    client: Uuid,
    token: RefreshToken,
    secrets: &[Sha256],
) -> Result<Given, Problem> {
    let (account, id) = (token.account, token.family);
    let Some(begun_with) = store::begun_with(connection, account, id, client).await? else {
        return Ok(Err(GrantError::RefreshToken));
    };
    let next = RefreshToken::make(account, id, &begun_with, &shared.secrets)?;
    let rotated = store::rotate(connection, account, id, client, (token.digest(), next.digest())).await?;
    let Some(family) = rotated else {
        // What was never given, such as a mistyped one, does nobody any harm. Families that are older than the mark know the last one only.
        let found = match store::used(connection, account, id, token.digest()).await? {
            Used::JustNow => false,
            Used::Before => true,
            Used::NotLast => token.was_made_for(&begun_with),
        };
        if found && store::end(connection, account, id, client).await? {
            tracing::warn!(account = account.get(), %client, "a used refresh token was sent again; its family has ended");
        }
        return Ok(Err(GrantError::RefreshToken));
    };
    if !secrets.contains(&family.secret) || !store::stands(connection, &family).await? {
        store::end(connection, account, id, client).await?;
        return Ok(Err(GrantError::RefreshToken));
    }
    within_rate(shared, &family)?;
    Ok(Ok((family, next)))
}

/// Counts for the rate like a request with the token that is asked for.
fn within_rate(shared: &Shared, family: &Family) -> Result<(), Problem> {
    let caller = Caller {
        account: family.account,
        user: family.user,
        role: family.basis.role(),
        client: Some(family.client),
        scopes: Scopes::default(),
    };
    match shared.wait_for_rate(&caller) {
        Some(seconds) => Err(Problem::TooManyRequests(seconds)),
        None => Ok(()),
    }
}

fn issue(shared: &Shared, family: &Family) -> Result<SecretString, Problem> {
    let issue = Issue {
        account: family.account,
        user: family.user,
        role: family.basis.role(),
        client: Some(family.client),
        scopes: Vec::new(),
        lifetime: ACCESS,
    };
    let signing = shared.keyring.keys().signing.clone();
    signing.issue(&shared.config.issuer, &issue, &shared.clock, &shared.ids).map(SecretString::from).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        Problem::Internal
    })
}
