//! `GET /api/v4/widgets/{code}`.

use actix_web::HttpResponse;

use super::model::{View, WidgetModel};
use crate::archive::WidgetCode;
use crate::http::caller::User;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::installs::{Sighting, store};

/// Shows a widget that the caller sees; its settings only to a token of the widget's own integration.
#[utoipa::path(
    get, path = "/api/v4/widgets/{code}", tag = "widgets", operation_id = "show_widget",
    params(("code" = String, Path, description = "The widget's code")),
    responses(
        (status = 200, description = "The widget", body = WidgetModel, content_type = "application/hal+json"),
        (status = 404, description = "There is no such widget, or the caller does not see it"),
    ),
)]
pub(crate) async fn show(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let caller = &call.who.0;
    let sighting = store::visible(&mut *call.shared.pool.begin_for(caller.account).await?, caller, &code)
        .await?
        .ok_or(Problem::NoWidget)?;
    let Sighting { widget, install } = &sighting;
    let own_integration = caller.client.is_some() && caller.client == widget.client_uuid;
    let settings = match install.as_ref().and_then(|install| install.settings.as_ref()).filter(|_| own_integration) {
        Some(stored) => Some(stored.open(&call.shared.sealing, caller.account, widget.id).await?),
        None => None,
    };
    hal::ok(&View::of(&call).model(&sighting, settings.as_ref()))
}
