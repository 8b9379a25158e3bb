//! `/registry/v1/widgets/{code}/rating`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Stars, store};
use crate::archive::WidgetCode;
use crate::http::caller::User;
use crate::http::hal;
use crate::http::json::{self, Document};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::{Expected, FieldError, Violation};

/// A vote.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document")]
pub struct VoteBody {
    /// 1 to 5.
    #[schema(minimum = 1, maximum = 5)]
    stars: i64,
}

/// What the votes come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct RatingBody {
    /// The mean of all votes as the v4 API shows it: with a decimal comma, `"0"` without votes.
    rating: String,
}

/// Votes for a widget that the account has installed; a second vote of the same user replaces the first.
#[utoipa::path(
    put, path = "/registry/v1/widgets/{code}/rating", tag = "ratings", operation_id = "rate_widget",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = VoteBody,
    responses(
        (status = 200, description = "The mean of all votes", body = RatingBody),
        (status = 400, description = "`stars` is missing or not from 1 to 5"),
        (status = 404, description = "The widget is not installed in the account"),
    ),
)]
pub(crate) async fn rate(call: Call<User, Json<Usual>>) -> Result<HttpResponse, Problem> {
    match stars(call.body.document.as_ref()) {
        Ok(stars) => answer(&call, Some(stars)).await,
        Err(error) => {
            // What is not installed is not found, whatever is said about it.
            let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
            let installed = store::is_installed(&call.shared.pool, &call.who.0, &code).await?;
            if installed { Err(Problem::Invalid(vec![error])) } else { Err(Problem::NoWidget) }
        }
    }
}

/// Takes the user's vote back.
#[utoipa::path(
    delete, path = "/registry/v1/widgets/{code}/rating", tag = "ratings", operation_id = "unrate_widget",
    params(("code" = String, Path, description = "The widget's code")),
    responses(
        (status = 200, description = "The mean of the other votes", body = RatingBody),
        (status = 404, description = "The widget is not installed in the account"),
    ),
)]
pub(crate) async fn unrate(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    answer(&call, None).await
}

async fn answer<B>(call: &Call<User, B>, stars: Option<Stars>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let (pool, writes) = (&call.shared.pool, &call.shared.catalogue_writes);
    let rating = store::vote(pool, writes, &call.who.0, &code, stars).await?.ok_or(Problem::NoWidget)?;
    hal::json(HttpResponse::Ok(), &RatingBody { rating: rating.to_string() })
}

fn stars(body: Option<&Document>) -> Result<Stars, FieldError> {
    const NAME: &str = "stars";
    let value = json::required(body, NAME)?;
    let number = json::integer(value).ok_or_else(|| FieldError::new(NAME, Violation::InvalidType(Expected::Int)))?;
    Stars::new(number).ok_or_else(|| FieldError::new(NAME, Violation::NotSupportedChoice))
}
