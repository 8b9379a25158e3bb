//! `/registry/v1/widgets/{code}/deprecate`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Advice, Deprecation, DeprecationError, deprecate};
use crate::archive::WidgetCode;
use crate::audit::Actor;
use crate::catalogue::api::{checked, owner};
use crate::http::caller::Publisher;
use crate::http::hal;
use crate::http::json::{self, Document};
use crate::http::members::{Members, text};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::{Expected, FieldError, Violation};

/// Characters of a message at most.
const MESSAGE: usize = 500;
/// The name of the member that may be refused by what exists.
const REPLACEMENT: &str = "replacement";

/// What is said against a widget.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `advice` reads it")]
pub struct AdviceBody {
    /// The code of the widget to take instead: another one that is public, or the caller's own.
    replacement: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    message: Option<String>,
}

/// A deprecated widget.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeprecationBody {
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    since: OffsetDateTime,
    /// The code of the widget to take instead; null also when that has been hidden or deleted since.
    replacement: Option<String>,
    /// What its owner says.
    message: Option<String>,
}

impl From<Deprecation> for DeprecationBody {
    fn from(Deprecation { since, replacement, message }: Deprecation) -> Self {
        Self { since, replacement, message }
    }
}

/// Advises against a widget: those who look at it are told so, and installs go on.
#[utoipa::path(
    post, path = "/registry/v1/widgets/{code}/deprecate", tag = "publishing", operation_id = "deprecate_widget",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = Option<AdviceBody>,
    responses(
        (status = 200, description = "What people see", body = DeprecationBody),
        (status = 400, description = "Values break rules, or the replacement is none"),
        (status = 404, description = "The widget is not the caller's"),
    ),
)]
pub(crate) async fn set(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let advice = checked(&call, &code, advice(call.body.document.as_ref()).map_err(Problem::Invalid)).await?;
    let deprecation = deprecate(&call.shared.pool, &code, owner(&call.who), Some(&advice), &Actor::of(&call)).await?;
    hal::json(HttpResponse::Ok(), &deprecation.map(DeprecationBody::from))
}

/// Takes that back.
#[utoipa::path(
    delete, path = "/registry/v1/widgets/{code}/deprecate", tag = "publishing", operation_id = "undeprecate_widget",
    params(("code" = String, Path, description = "The widget's code")),
    responses(
        (status = 204, description = "The widget is not deprecated"),
        (status = 404, description = "The widget is not the caller's"),
    ),
)]
pub(crate) async fn clear(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    deprecate(&call.shared.pool, &code, owner(&call.who), None, &Actor::of(&call)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// No body at all says nothing but that it is deprecated.
fn advice(body: Option<&Document>) -> Result<Advice, Vec<FieldError>> {
    if body.is_none() {
        return Ok(Advice { replacement: None, message: None });
    }
    let code = |value: &RawValue| {
        let text = json::text(value).ok_or(Violation::InvalidType(Expected::String))?;
        text.parse().map_err(|_| Violation::NotSupportedChoice)
    };
    let mut members = Members::of(body)?;
    let replacement = members.optional(REPLACEMENT, code);
    let message = members.optional("message", |value| text(value, MESSAGE));
    members.finish(Some(Advice { replacement, message }))
}

impl From<DeprecationError> for Problem {
    fn from(error: DeprecationError) -> Self {
        match error {
            DeprecationError::NotOwner => Self::NoWidget,
            DeprecationError::NoReplacement => {
                Self::Invalid(vec![FieldError::new(REPLACEMENT, Violation::NotSupportedChoice)])
            }
            DeprecationError::Database(failure) => failure.into(),
        }
    }
}
