//! `/registry/v1/revocations`.

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::store::{self, Revoked};
use super::{Kind, MOST_OF_A_KIND, kept};
use crate::audit::{self, Actor, Change};
use crate::auth::{self, AccountId, Revocation, Scope, Subject, UserId};
use crate::catalogue::Owner;
use crate::database::Failure;
use crate::http::caller::{Overseer, scope};
use crate::http::hal;
use crate::http::json::Document;
use crate::http::members::{Members, integer, text, uuid};
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::{FieldError, Violation};
use crate::oauth;

/// Revocations on a page when the client does not say.
const DEFAULT_LIMIT: u64 = 50;
/// Characters of a `jti` or a reason at most.
const TEXT: usize = 255;

/// What is to be revoked: exactly one of `jti`, `user_id` and `client_uuid`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `Wanted` reads it")]
pub struct NewRevocationBody {
    /// The account whose tokens they are; by default the caller's own. Another one needs the scope `operator`.
    #[schema(minimum = 1)]
    account_id: Option<i64>,
    /// The one token with this id.
    #[schema(max_length = 255)]
    jti: Option<String>,
    /// All tokens of this user that were issued until now.
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// All tokens that were given to this integration until now.
    client_uuid: Option<Uuid>,
    /// For those who look at the list.
    #[schema(min_length = 1, max_length = 255)]
    reason: Option<String>,
}

/// A revocation.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationBody {
    account_id: i64,
    /// Null unless one token is revoked.
    jti: Option<String>,
    /// Null unless the tokens of a user are.
    user_id: Option<i64>,
    /// Null unless the tokens of an integration are.
    client_uuid: Option<Uuid>,
    /// Tokens that were issued by then are revoked.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    issued_until: OffsetDateTime,
    /// By then the last of them has expired.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    kept_until: OffsetDateTime,
    reason: Option<String>,
    revoked_by_account_id: i64,
    revoked_by_user_id: i64,
}

/// A page of revocations.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationsBody {
    /// The latest first.
    revocations: Vec<RevocationBody>,
    /// The value of `after` for the next page; null on the last.
    next: Option<String>,
}

impl From<Revoked> for RevocationBody {
    fn from(revoked: Revoked) -> Self {
        let of = revoked.revocation;
        let time = |microseconds: i64| {
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(microseconds) * 1_000)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        };
        let (mut jti, mut user_id, mut client_uuid) = (None, None, None);
        match of.subject {
            Subject::Token(id) => jti = Some(id),
            Subject::User(user) => user_id = Some(user.get()),
            Subject::Client(client) => client_uuid = Some(client),
        }
        Self {
            account_id: of.account.get(),
            jti,
            user_id,
            client_uuid,
            issued_until: time(of.issued_until),
            kept_until: time(of.kept_until.saturating_mul(1_000_000)),
            reason: revoked.reason,
            revoked_by_account_id: revoked.by.account.get(),
            revoked_by_user_id: revoked.by.user.get(),
        }
    }
}

/// A checked body.
struct Wanted {
    account: Option<AccountId>,
    subject: Subject,
    reason: Option<String>,
}

impl Wanted {
    fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        let mut members = Members::of(body)?;
        let account = members
            .optional("account_id", |value| integer(value).and_then(|id| AccountId::new(id).ok_or(Violation::TooLow)));
        let subjects = [
            members.optional("jti", |value| text(value, TEXT).map(Subject::Token)),
            members.optional("user_id", |value| {
                integer(value).and_then(|id| UserId::new(id).map(Subject::User).ok_or(Violation::TooLow))
            }),
            members.optional("client_uuid", |value| uuid(value).map(Subject::Client)),
        ];
        let reason = members.optional("reason", |value| text(value, TEXT));
        let mut subjects = subjects.into_iter().flatten();
        let subject = match (subjects.next(), subjects.next()) {
            (Some(subject), None) => Some(subject),
            (None, _) => {
                members.refuse("jti", Violation::FieldMissing);
                None
            }
            (Some(_), Some(_)) => {
                members.refuse("jti", Violation::NotExpected);
                None
            }
        };
        members.finish(subject.map(|subject| Self { account, subject, reason }))
    }
}

/// Takes tokens back: one by its `jti`, all of a user, or all that were given to an integration, and with the latter two the refresh tokens. In
/// force at once on the server that answers, and within seconds on the others of the same database.
///
/// A user or an integration may get new tokens afterwards. Tokens that were given to an integration may not revoke, but with the scope
/// `operator`.
#[utoipa::path(
    post, path = "/registry/v1/revocations", tag = "tokens", operation_id = "revoke",
    request_body = NewRevocationBody,
    responses(
        (status = 201, description = "Revoked", body = RevocationBody),
        (status = 400, description = "Values break rules"),
        (status = 409, description = "10,000 tokens, users or integrations of the account are revoked already"),
    ),
)]
pub(crate) async fn create(call: Call<Overseer, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let wanted = Wanted::check(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let account = overseen(&call, wanted.account)?;
    let shared = &call.shared;
    let mut transaction = shared.pool.begin_for(account).await?;
    let version = store::next_version(&mut transaction).await?;
    // Every server holds all of them in memory.
    if store::others(&mut transaction, account, &wanted.subject, MOST_OF_A_KIND).await? >= MOST_OF_A_KIND {
        return Err(Problem::Conflict(full(&wanted.subject)));
    }
    match &wanted.subject {
        Subject::Token(_) => {}
        Subject::User(user) => oauth::store::end_of_user(&mut transaction, account, *user).await?,
        Subject::Client(client) => oauth::store::end_of_client(&mut transaction, account, *client).await?,
    }
    // Only now: whoever was just exchanging a refresh token has signed the new token before we got so far.
    let (issued_until, now) = (shared.clock.microseconds(), shared.clock.unix());
    let revoked = Revoked {
        revocation: Revocation { account, subject: wanted.subject, issued_until, kept_until: now + kept() },
        version,
        reason: wanted.reason,
        by: Owner { account: call.who.0.account, user: call.who.0.user },
    };
    store::write(&mut transaction, &revoked).await?;
    let (kind, named) = Kind::of(&revoked.revocation.subject);
    let change = Change::TokensRevoked { of: kind.as_str(), named: &named };
    let actor = Actor::of(&call);
    let actor = if account == call.who.0.account { actor } else { actor.as_operator() };
    audit::record(&mut transaction, account, &actor, &change).await?;
    transaction.commit().await.map_err(Failure::from)?;
    // Should this not come about, the next look at the database does the same.
    shared.revocations.add([revoked.revocation.clone()]);
    tracing::info!(account = account.get(), kind = kind.as_str(), "tokens revoked");
    hal::json(HttpResponse::Created(), &RevocationBody::from(revoked))
}

fn full(subject: &Subject) -> String {
    let (what, instead) = match subject {
        Subject::Token(_) => ("single tokens", "; revoke those of a user"),
        Subject::User(_) => ("users", ""),
        Subject::Client(_) => ("integrations", ""),
    };
    format!("{MOST_OF_A_KIND} {what} of the account are revoked already{instead}")
}

/// Lists the revocations in force of the caller's account, or for operators of any.
#[utoipa::path(
    get, path = "/registry/v1/revocations", tag = "tokens", operation_id = "list_revocations",
    params(
        ("account_id" = Option<i64>, Query, description = "By default the caller's own; another one needs the scope `operator`", minimum = 1),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "Revocations on a page, by default 50; more than 250 is served as 250", minimum = 1),
    ),
    responses(
        (status = 200, description = "The latest first", body = RevocationsBody),
        (status = 400, description = "`after` is no `next`, `limit` no positive number, or `account_id` no account"),
    ),
)]
pub(crate) async fn list(call: Call<Overseer, NoBody>) -> Result<HttpResponse, Problem> {
    let (query, shared) = (call.query(), &call.shared);
    let malformed = |name: &str, what: &str| Problem::Malformed(format!("The parameter `{name}` must be {what}"));
    let account = query.get("account_id")?;
    let account = account.map(|text| text.parse().map_err(|_| malformed("account_id", "a positive whole number")));
    let account = overseen(&call, account.transpose()?)?;
    let most = shared.config.limits.page_size;
    let size = PageSize::new(query.capped("limit", DEFAULT_LIMIT.min(most), most)?);
    let before = query.get("after")?;
    let before =
        before.map(|text| auth::decimal_id(text).ok_or_else(|| malformed("after", "the `next` of a page before")));
    let mut transaction = shared.pool.begin_for(account).await?;
    let now = shared.clock.unix();
    let found = store::list(&mut transaction, account, before.transpose()?, now, size.wanted()).await?;
    let (found, more) = size.cut(found);
    let next = found.last().filter(|_| more).map(|last| last.version.to_string());
    let revocations = found.into_iter().map(RevocationBody::from).collect();
    hal::json(HttpResponse::Ok(), &RevocationsBody { revocations, next })
}

/// The account that a call is about: the caller's own, or for operators another one.
fn overseen<B>(call: &Call<Overseer, B>, asked: Option<AccountId>) -> Result<AccountId, Problem> {
    let caller = &call.who.0;
    match asked {
        Some(account) if account != caller.account => scope(caller, Scope::Operator).map(|()| account),
        _ => Ok(caller.account),
    }
}
