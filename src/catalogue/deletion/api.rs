//! `DELETE /registry/v1/widgets/{code}`.

use actix_web::HttpResponse;

use super::{By, DeletionError, delete};
use crate::archive::WidgetCode;
use crate::audit::Actor;
use crate::auth::Scope;
use crate::catalogue::api::owner;
use crate::http::caller::{Publisher, scope};
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};

/// Deletes a widget with all its versions and files. Its code stays reserved for its owner, who may publish it again.
#[utoipa::path(
    delete, path = "/registry/v1/widgets/{code}", tag = "publishing", operation_id = "delete_widget",
    params(
        ("code" = String, Path, description = "The widget's code"),
        ("force" = Option<bool>, Query, description = "Deletes anybody's widget, and from the accounts that have it installed; needs the scope `operator` too"),
    ),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "The widget is not the caller's; with `force`: there is none"),
        (status = 409, description = "Accounts have it installed"),
    ),
)]
pub(crate) async fn remove(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let by = match query.get("force")? {
        None | Some("false" | "0") => By::Owner(owner(&call.who)),
        Some("true" | "1") => {
            scope(&call.who.0, Scope::Operator)?;
            By::Operator
        }
        Some(_) => return Err(Problem::Malformed("The parameter `force` must be true or false".to_owned())),
    };
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let actor = match by {
        By::Owner(_) => Actor::of(&call),
        By::Operator => Actor::of(&call).as_operator(),
    };
    let writes = (&call.shared.catalogue_writes, &call.shared.install_writes);
    delete(&call.shared.pool, writes, &code, by, &actor).await?;
    Ok(HttpResponse::NoContent().finish())
}

impl From<DeletionError> for Problem {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::NotOwner => Self::NoWidget,
            DeletionError::Installed(_) => Self::Conflict(error.to_string()),
            DeletionError::Database(failure) => failure.into(),
        }
    }
}
