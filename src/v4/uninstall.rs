//! `DELETE /api/v4/widgets/{code}`: uninstall.

use actix_web::HttpResponse;

use crate::archive::WidgetCode;
use crate::audit::Actor;
use crate::http::caller::Admin;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::installs::{Remembered, store};

/// Uninstalls a widget: its settings and their secrets are gone.
#[utoipa::path(
    delete, path = "/api/v4/widgets/{code}", tag = "widgets", operation_id = "uninstall_widget",
    params(("code" = String, Path, description = "The widget's code")),
    responses(
        (status = 204, description = "Uninstalled"),
        (status = 404, description = "The widget is not installed in the account"),
    ),
)]
pub(crate) async fn uninstall(call: Call<Admin, NoBody>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let account = call.who.0.account;
    let change = call.state::<Remembered>()?.change(account);
    let uninstalling = store::uninstall(call.shared.pool.alone().await?, account, &code, &Actor::of(&call));
    let gone = change.commit_by(uninstalling, |gone| gone.map(|widget| (widget, None))).await?;
    gone.ok_or(Problem::NoWidget)?;
    Ok(HttpResponse::NoContent().finish())
}
