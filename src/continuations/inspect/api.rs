//! `GET /registry/v1/continuations`, and `/json/{key}` and `/render` of one.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::{self as inspector, Filter};
use crate::auth::decimal_id;
use crate::continuations::api::RecordBody;
use crate::continuations::store::{self, Continuation};
use crate::continuations::{BotType, ContinueId, State, placeholders};
use crate::http::caller::BotEngine;
use crate::http::hal;
use crate::http::json;
use crate::http::members::Members;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::{Expected, FieldError, Violation};

/// Records on a page by default.
const DEFAULT_LIMIT: u64 = 50;
/// Seconds that a record can be old.
const OLDEST: u64 = 366 * 86_400;
/// Characters of a text that is filled in.
const TEXT: usize = 16_384;
/// Placeholders that one text may hold.
const PLACEHOLDERS: usize = 100;

/// A page of records, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SummariesBody {
    continuations: Vec<RecordBody>,
    /// The value of `before` for the next page; null on the last.
    next: Option<i64>,
}

/// Lists the account's records.
#[utoipa::path(
    get, path = "/registry/v1/continuations", tag = "bots", operation_id = "list_continuations",
    params(
        ("state" = Option<State>, Query, description = "Where they stand"),
        ("bot_type" = Option<BotType>, Query, description = "Which engine runs their bot"),
        ("bot_id" = Option<i64>, Query, minimum = 1),
        ("widget" = Option<String>, Query, description = "The code of the widget that they wait for"),
        ("older_than" = Option<u64>, Query, description = "Seconds that they have been there at least"),
        ("before" = Option<i64>, Query, description = "Only those with a lower continue_id"),
        ("limit" = Option<u64>, Query, minimum = 1, maximum = 250),
    ),
    responses(
        (status = 200, description = "The records, the newest first", body = SummariesBody),
        (status = 400, description = "The query breaks rules"),
    ),
)]
pub(crate) async fn list(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let filter = filter(&query)?;
    let most = call.shared.config.limits.page_size;
    let size = PageSize::new(query.capped("limit", DEFAULT_LIMIT.min(most), most)?);
    let found = inspector::list(&call.shared.pool, call.who.0.account, &filter, size.wanted()).await?;
    let (found, more) = size.cut(found);
    let continuations: Vec<_> = found.into_iter().map(RecordBody::from).collect();
    let next = continuations.last().filter(|_| more).map(|last| last.continue_id);
    hal::json(HttpResponse::Ok(), &SummariesBody { continuations, next })
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    let positive = |name: &str| {
        let number = query.get(name)?.map(|text| {
            let wrong = || Problem::Malformed(format!("The parameter `{name}` must be a positive number"));
            decimal_id(text).ok_or_else(wrong)
        });
        number.transpose()
    };
    Ok(Filter {
        state: choice(query, "state")?,
        bot_type: choice(query, "bot_type")?,
        bot_id: positive("bot_id")?,
        widget: choice(query, "widget")?,
        older_than: match query.get("older_than")? {
            Some(_) => i64::try_from(query.positive("older_than", 1, OLDEST)?).ok(),
            None => None,
        },
        before: positive("before")?.map(ContinueId),
    })
}

fn choice<T: std::str::FromStr<Err: std::fmt::Display>>(query: &Query, name: &str) -> Result<Option<T>, Problem> {
    let parsed = query.get(name)?.map(str::parse).transpose();
    parsed.map_err(|why| Problem::Malformed(format!("The parameter `{name}` is wrong: {why}")))
}

/// What `{{json.KEY}}` stands for in the bot's texts, as it came.
#[utoipa::path(
    get, path = "/registry/v1/continuations/{continue_id}/json/{key}", tag = "bots", operation_id = "lookup_continuation",
    params(
        ("continue_id" = i64, Path, minimum = 1),
        ("key" = String, Path, description = "Keys and indexes parted by dots"),
    ),
    responses(
        (status = 200, description = "The value, byte for byte", body = Object),
        (status = 404, description = "There is no such record, or nothing at this key"),
    ),
)]
pub(crate) async fn lookup(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let record = record(&call).await?;
    let value = record.data()?.and_then(|data| placeholders::lookup(data, call.segment("key")));
    let value = value.ok_or(Problem::NoValue)?.get().to_owned();
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/json")).body(value))
}

/// A text of the bot.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextBody {
    /// At most 16,384 characters and 100 placeholders.
    #[schema(max_length = 16_384)]
    text: String,
}

/// Fills in a text: each `{{json.KEY}}` is replaced by what the widget sent, by nothing where it sent nothing.
#[utoipa::path(
    post, path = "/registry/v1/continuations/{continue_id}/render", tag = "bots", operation_id = "render_continuation",
    params(("continue_id" = i64, Path, minimum = 1)),
    request_body = TextBody,
    responses(
        (status = 200, description = "The text, filled in", body = TextBody),
        (status = 400, description = "Values break rules"),
        (status = 404, description = "There is no such record"),
    ),
)]
pub(crate) async fn render(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let mut members = Members::of(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let text = members.required("text", |value| match json::text(value) {
        None => Err(Violation::InvalidType(Expected::String)),
        Some(text) if text.chars().count() > TEXT => Err(Violation::TooLong(TEXT)),
        Some(text) => Ok(text),
    });
    let text = members.finish(text).map_err(Problem::Invalid)?;
    if text.matches("{{").count() > PLACEHOLDERS {
        return Err(Problem::Invalid(vec![FieldError::new("text", Violation::TooMany(PLACEHOLDERS))]));
    }
    let record = record(&call).await?;
    let text = placeholders::render(&text, record.data()?);
    let text = text.ok_or_else(|| Problem::Malformed("The text would be longer than 262,144 bytes".to_owned()))?;
    hal::json(HttpResponse::Ok(), &TextBody { text })
}

async fn record<B>(call: &Call<BotEngine, B>) -> Result<Continuation, Problem> {
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    store::find(&call.shared.pool, call.who.0.account, id).await?.ok_or(Problem::NoContinuation)
}
