//! `GET /registry/v1/audit`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use super::store::{self, Filter};
use super::{Action, Chain, Entry};
use crate::auth::{AccountId, Caller, Scope, UserId};
use crate::database::Failure;
use crate::http::caller::{Overseer, scope};
use crate::http::hal;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::{Call, NoBody};

/// Entries on a page by default and at most.
const PAGE: (u64, u64) = (50, 250);
/// Entries that are looked at for one page at most.
const LOOKED_AT: i64 = 10_000;

/// Who did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct ByBody {
    /// The account and the user of the token; null where no token was used.
    account_id: Option<i64>,
    user_id: Option<i64>,
    /// The integration that the token was given to.
    client_uuid: Option<Uuid>,
    /// The right that was used: `admin`, a scope such as `publish` or `operator`, or `cli` for a command on the server's machine.
    acted_as: String,
}

/// An entry of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryBody {
    account_id: i64,
    /// 1, 2, 3… in each account, without a gap.
    seq: i64,
    /// Null when what is stored is no time, which `audit verify` reports.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<OffsetDateTime>,
    by: ByBody,
    /// The `X-Request-Id` of the answer.
    request_id: Option<String>,
    /// What was done.
    action: String,
    /// To what: a widget's code, an integration's client id, …
    subject: String,
    /// What changed: names, and values of what is no secret.
    #[schema(value_type = Object)]
    details: Box<RawValue>,
    /// 64 hexadecimal digits: the hash of the entry and of all before it.
    hash: String,
}

impl TryFrom<Entry> for EntryBody {
    type Error = Failure;

    fn try_from(entry: Entry) -> Result<Self, Failure> {
        let row = format!("{}, {}", entry.account, entry.seq);
        let corrupt = |why: &str| Failure::Corrupt { table: "audit_entries", row: row.clone(), why: why.to_owned() };
        let nanoseconds = entry.at.map(|microseconds| i128::from(microseconds) * 1_000);
        let at = nanoseconds.and_then(|nanoseconds| OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok());
        // RFC 3339 has no other years.
        let at = at.filter(|at| (0..=9999).contains(&at.year()));
        Ok(Self {
            account_id: entry.account,
            seq: entry.seq,
            at,
            by: ByBody {
                account_id: entry.by_account,
                user_id: entry.by_user,
                client_uuid: entry.by_client,
                acted_as: entry.acted_as,
            },
            request_id: entry.request_id,
            action: entry.action,
            subject: entry.subject,
            details: RawValue::from_string(entry.details).map_err(|_| corrupt("details: no JSON"))?,
            hash: entry.hash.ok_or_else(|| corrupt("hash: not 32 bytes"))?.to_string(),
        })
    }
}

/// A page of entries, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntriesBody {
    entries: Vec<EntryBody>,
    /// The value of `before` for the next page; null on the last. A page may have few entries or none, and a next one: 10,000 are looked
    /// at for each.
    next: Option<i64>,
}

/// Lists what was changed in an account, and by whom. Tokens that were given to an integration may not, but with the scope `operator`.
#[utoipa::path(
    get, path = "/registry/v1/audit", tag = "audit", operation_id = "list_audit_entries",
    params(
        ("account_id" = Option<i64>, Query, description = "The account, by default the caller's; another needs the scope `operator`. 0 is the registry itself", minimum = 0),
        ("action" = Option<String>, Query, description = "Only this action, such as `widget.installed`"),
        ("user_id" = Option<i64>, Query, description = "Only what this user did, of whatever account", minimum = 1),
        ("since" = Option<String>, Query, description = "Only from this time on, as RFC 3339 has it"),
        ("until" = Option<String>, Query, description = "Only before this time"),
        ("before" = Option<i64>, Query, description = "Only those with a lower `seq`", minimum = 1),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 250),
    ),
    responses(
        (status = 200, description = "The entries, the newest first", body = EntriesBody),
        (status = 400, description = "The query breaks rules"),
    ),
)]
pub(crate) async fn list(call: Call<Overseer, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let chain = chain(&query, &call.who.0)?;
    let filter = filter(&query)?;
    let page = PageSize::new(query.capped("limit", PAGE.0, PAGE.1)?);
    let before = match query.get("before")? {
        Some(_) => Some(query.positive("before", 1, i64::MAX.unsigned_abs())?),
        None => None,
    };
    let mut transaction = store::begin(&call.shared.pool, chain).await?;
    let past_end = store::end(&mut transaction, chain.number()).await?.head.map_or(1, |(entries, _)| entries + 1);
    let before = before.map_or(past_end, |before| i64::try_from(before).unwrap_or(i64::MAX).min(past_end));
    let lowest = before.saturating_sub(LOOKED_AT).max(1);
    let found = store::page(&mut transaction, chain, (lowest, before), &filter, page.wanted()).await?;
    let (found, more) = page.cut(found);
    let next = if more { found.last().map(|entry| entry.seq) } else { (lowest > 1).then_some(lowest) };
    let entries = found.into_iter().map(EntryBody::try_from).collect::<Result<_, _>>()?;
    hal::json(HttpResponse::Ok(), &EntriesBody { entries, next })
}

/// Whose entries: the caller's account's, or with the scope `operator` any other's.
fn chain(query: &Query, caller: &Caller) -> Result<Chain, Problem> {
    let chain = match query.get("account_id")? {
        None => return Ok(caller.account.into()),
        Some("0") => Chain::Registry,
        Some(text) => Chain::Account(text.parse::<AccountId>().map_err(|why| wrong("account_id", &why))?),
    };
    if chain != Chain::Account(caller.account) {
        scope(caller, Scope::Operator)?;
    }
    Ok(chain)
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    let action = query.get("action")?.map(|text| text.parse::<Action>().map_err(|why| wrong("action", &why)));
    let user = query.get("user_id")?.map(|text| text.parse::<UserId>().map_err(|why| wrong("user_id", &why)));
    Ok(Filter {
        action: action.transpose()?.map(Action::as_str),
        user: user.transpose()?.map(UserId::get),
        since: time(query, "since")?,
        until: time(query, "until")?,
    })
}

/// A time in microseconds since 1970.
fn time(query: &Query, name: &str) -> Result<Option<i64>, Problem> {
    let Some(text) = query.get(name)? else { return Ok(None) };
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let time = time.map_err(|_| wrong(name, &"it must be a time such as 2026-11-23T12:00:00Z"))?;
    Ok(i64::try_from(time.unix_timestamp_nanos() / 1_000).ok())
}

fn wrong(name: &str, why: &dyn std::fmt::Display) -> Problem {
    Problem::Malformed(format!("The parameter `{name}` is wrong: {why}"))
}
