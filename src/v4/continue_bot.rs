//! `POST /api/v4/{salesbot|marketingbot}/{bot_id}/continue/{continue_id}`: a widget's answer to a waiting bot.

use actix_web::HttpResponse;

use crate::config::Limits;
use crate::continuations::proceed::{self, Key, Outcome};
use crate::continuations::{Bot, BotResult, BotType, ContinueId};
use crate::digest::Sha256;
use crate::http::caller::Admin;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, JsonLimits};

/// Characters of an idempotency key at most.
const KEY: usize = 128;

/// The limits of a continue's body.
#[derive(Debug)]
pub struct ContinueBody;

impl JsonLimits for ContinueBody {
    fn of(limits: &Limits) -> (usize, usize) {
        (limits.continue_body, limits.json_depth)
    }
}

/// Continues a waiting bot, at most once. With an `Idempotency-Key` the same request again answers 202 again and does nothing.
#[utoipa::path(
    post, path = "/api/v4/{bot_type}/{bot_id}/continue/{continue_id}", tag = "widgets", operation_id = "continue_bot",
    params(
        ("bot_type" = BotType, Path),
        ("bot_id" = i64, Path, minimum = 1),
        ("continue_id" = i64, Path, minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 128 characters, kept for 24 hours"),
    ),
    request_body(content = Object, description = "`data`: an object or an array, kept byte for byte; `execute_handlers`: blocks that the bot is to run"),
    responses(
        (status = 202, description = "The bot goes on"),
        (status = 400, description = "The body is no JSON, or values break rules"),
        (status = 404, description = "No bot waits at this record"),
        (status = 422, description = "The idempotency key was used with another request"),
    ),
)]
pub(crate) async fn continue_bot(call: Call<Admin, Json<ContinueBody>>) -> Result<HttpResponse, Problem> {
    let bot = Bot::of_path(call.segment("bot_type"), call.segment("bot_id")).ok_or(Problem::NoContinuation)?;
    let id = ContinueId::of_path(call.segment("continue_id")).ok_or(Problem::NoContinuation)?;
    let (shared, caller) = (&call.shared, &call.who.0);
    let key = idempotency_key(&call)?;
    let result = match BotResult::check(call.body.document.as_ref()) {
        Ok(result) => result,
        // A record that does not wait is not found, whatever is sent to it.
        Err(errors) => {
            let is_waiting = proceed::store::is_waiting(&shared.pool, caller.account, bot, id).await?;
            return Err(if is_waiting { Problem::Invalid(errors) } else { Problem::NoContinuation });
        }
    };
    let key = key.map(|text| {
        let place = format!("{}/{}/{id}\n", bot.kind.as_str(), bot.id);
        Key { text: text.to_owned(), digest: Sha256::of(&[place.as_bytes(), &call.body.bytes]) }
    });
    match proceed::proceed((&shared.pool, &shared.bell), caller, (bot, id), result, key).await? {
        Outcome::Continued { .. } | Outcome::Repeated => Ok(HttpResponse::Accepted().finish()),
        Outcome::NotWaiting => Err(Problem::NoContinuation),
        Outcome::KeyReused => Err(Problem::KeyReused),
    }
}

fn idempotency_key<B>(call: &Call<Admin, B>) -> Result<Option<&str>, Problem> {
    match call.header("idempotency-key")? {
        Some(key) if key.is_empty() || key.len() > KEY => {
            Err(Problem::Malformed(format!("The header Idempotency-Key must have 1 to {KEY} characters")))
        }
        key => Ok(key),
    }
}
