//! `/registry/v1/widgets/{code}/owner`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{HandOverError, hand_over};
use crate::archive::WidgetCode;
use crate::audit::Actor;
use crate::auth::{AccountId, UserId};
use crate::catalogue::api::{checked, owner};
use crate::catalogue::widget::Owner;
use crate::http::caller::Publisher;
use crate::http::hal;
use crate::http::json::Document;
use crate::http::members::{Members, integer};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, Usual};
use crate::http::violation::{FieldError, Violation};

/// Whose a widget is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnerBody {
    /// The account.
    #[schema(minimum = 1)]
    account_id: i64,
    /// The user of that account.
    #[schema(minimum = 1)]
    user_id: i64,
}

/// Hands a widget over to another user, and its integration with it. Whether there is such a user is not known here.
#[utoipa::path(
    put, path = "/registry/v1/widgets/{code}/owner", tag = "publishing", operation_id = "hand_over_widget",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = OwnerBody,
    responses(
        (status = 200, description = "The new owner", body = OwnerBody),
        (status = 400, description = "`account_id` or `user_id` is missing or no positive number"),
        (status = 404, description = "The widget is not the caller's"),
        (status = 409, description = "Other widgets have the same integration"),
    ),
)]
pub(crate) async fn set_owner(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let to = checked(&call, &code, new_owner(call.body.document.as_ref()).map_err(Problem::Invalid)).await?;
    hand_over(&call.shared.pool, &code, owner(&call.who), to, &Actor::of(&call)).await?;
    hal::json(HttpResponse::Ok(), &OwnerBody { account_id: to.account.get(), user_id: to.user.get() })
}

fn new_owner(body: Option<&Document>) -> Result<Owner, Vec<FieldError>> {
    fn id<T>(value: &RawValue, new: fn(i64) -> Option<T>) -> Result<T, Violation> {
        integer(value).and_then(|id| new(id).ok_or(Violation::TooLow))
    }
    let mut members = Members::of(body)?;
    let account = members.required("account_id", |value| id(value, AccountId::new));
    let user = members.required("user_id", |value| id(value, UserId::new));
    members.finish(account.zip(user).map(|(account, user)| Owner { account, user }))
}

impl From<HandOverError> for Problem {
    fn from(error: HandOverError) -> Self {
        match error {
            HandOverError::NotOwner => Self::NoWidget,
            HandOverError::SharedIntegration { .. } => Self::Conflict(error.to_string()),
            HandOverError::Database(failure) => failure.into(),
        }
    }
}
