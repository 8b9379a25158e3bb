//! `GET /api/v4/widgets/{code}`.

use actix_web::HttpResponse;

use super::answers::{Answer, Asked, Question};
use super::kept::Kept;
use super::model::{View, WidgetModel};
use super::snapshot::{Seen, shown, tag_of};
use crate::archive::WidgetCode;
use crate::catalogue::WidgetId;
use crate::http::caller::User;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::installs::{Sighting, store};

/// No widget has this number.
const NO_WIDGET: WidgetId = WidgetId(0);

/// Shows a widget that the caller sees; its settings only to a token of the widget's own integration.
#[utoipa::path(
    get, path = "/api/v4/widgets/{code}", tag = "widgets", operation_id = "show_widget",
    params(
        ("code" = String, Path, description = "The widget's code"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that the client has"),
    ),
    responses(
        (status = 200, description = "The widget", body = WidgetModel, content_type = "application/hal+json"),
        (status = 304, description = "The client has this answer; never told of one with settings"),
        (status = 404, description = "There is no such widget, or the caller does not see it"),
    ),
)]
pub(crate) async fn show(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let (kept, view) = (call.state::<Kept>()?, View::of(&call));
    if let Some(response) = kept.again(&call, &view) {
        return Ok(response);
    }
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let caller = &call.who.0;
    let catalogue = kept.catalogue.read().await?;
    let widget = catalogue.of_code(&code);
    if caller.client.is_some() && widget.is_some_and(|widget| widget.client == caller.client) {
        return Box::pin(with_settings(&call, &code)).await;
    }
    // Asked for in any case: how long an answer takes tells nobody whether there is a widget that they do not see.
    let id = widget.map_or(NO_WIDGET, |widget| widget.id);
    let (install, as_of) = kept.installs.one(caller.account, id).await?;
    let widget = widget.filter(|widget| widget.is_public || install.is_some() || widget.is_of(caller));
    let widget = widget.ok_or(Problem::NoWidget)?;
    let asked = Asked::new(catalogue.number(), caller, Question::One(widget.id, install), &view);
    let answer = kept.answers.of(asked, || made(Seen { widget, install }, &view))?;
    Ok(kept.answer(&call, &view, (catalogue.number(), as_of), &answer))
}

fn made(seen: Seen<'_>, view: &View<'_>) -> Result<Answer, Problem> {
    let widgets = shown(vec![seen], view)?;
    let origin = view.escaped_origin();
    let mut body = Vec::with_capacity(widgets.iter().map(|widget| widget.size(&origin)).sum());
    for widget in &widgets {
        widget.write(&mut body, &origin);
    }
    Ok(Answer::new(tag_of("", view, &widgets), body))
}

/// The widget for its own integration, which sees the account's settings: as the database has it. Nothing between us and the client may
/// keep it, so it has no tag.
async fn with_settings(call: &Call<User, NoBody>, code: &WidgetCode) -> Result<HttpResponse, Problem> {
    let caller = &call.who.0;
    let sighting = store::visible(&call.shared.pool, caller, code).await?.ok_or(Problem::NoWidget)?;
    let Sighting { widget, install } = &sighting;
    let own_integration = caller.client.is_some() && caller.client == widget.client_uuid;
    let settings = match install.as_ref().and_then(|install| install.settings.as_ref()).filter(|_| own_integration) {
        Some(stored) => Some(stored.open(&call.shared.sealing, caller.account, widget.id).await?),
        None => None,
    };
    hal::ok(&View::of(call).model(&sighting, settings.as_ref()))
}
