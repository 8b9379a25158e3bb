//! `POST /api/v4/widgets/{code}`: install, or replace the settings of an install.

use std::sync::Arc;

use actix_web::HttpResponse;

use super::model::{View, WidgetModel};
use super::snapshot::{Live, Ready};
use crate::archive::WidgetCode;
use crate::audit::Actor;
use crate::catalogue::{Rule, WidgetId};
use crate::config::Limits;
use crate::http::caller::Admin;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, JsonLimits};
use crate::installs::{Install, Placed, Remembered, Settings, sealed, store};

/// The limits of an install's body.
#[derive(Debug)]
pub struct InstallBody;

impl JsonLimits for InstallBody {
    fn of(limits: &Limits) -> (usize, usize) {
        (limits.install_body, limits.install_depth)
    }
}

/// Installs a widget; the body is the settings object itself.
#[utoipa::path(
    post, path = "/api/v4/widgets/{code}", tag = "widgets", operation_id = "install_widget",
    params(("code" = String, Path, description = "The widget's code")),
    request_body(content = Object, description = "The settings, by the keys of `settings_template`"),
    responses(
        (status = 200, description = "The installed widget with its settings", body = WidgetModel, content_type = "application/hal+json"),
        (status = 400, description = "The body is no JSON, or settings break the template's rules: `validation-errors` has all of them"),
        (status = 404, description = "There is no such widget, or the caller does not see it"),
    ),
)]
pub(crate) async fn install(call: Call<Admin, Json<InstallBody>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    match known(&call, &code).await? {
        Some(widget) => first(&call, &widget).await,
        None => Box::pin(look_first(&call, &code)).await,
    }
}

type Installing = Call<Admin, Json<InstallBody>>;

/// The widget, when it is known that the caller sees it and that the account has not installed it.
async fn known(call: &Installing, code: &WidgetCode) -> Result<Option<Arc<Ready>>, Problem> {
    let installs = call.state::<Remembered>()?;
    if !installs.is_exact() {
        return Ok(None);
    }
    // When it cannot be told what is in the catalogue, the database tells it.
    let Ok(catalogue) = call.state::<Live>()?.read().await else { return Ok(None) };
    let caller = &call.who.0;
    let is_seen = |widget: &&Arc<Ready>| widget.is_public || widget.is_of(caller);
    let Some(widget) = catalogue.of_code(code).filter(is_seen).cloned() else { return Ok(None) };
    drop(catalogue);
    let is_new = installs.has_not(caller.account, widget.id).await?;
    Ok(is_new.then_some(widget))
}

/// Installs what is not installed: there is nothing to look at first.
async fn first(call: &Installing, widget: &Ready) -> Result<HttpResponse, Problem> {
    let settings = checked(call, &widget.rules()?)?;
    let installed = set(call, (widget.id, &widget.code), &settings, None).await?;
    Ok(hal::ok_written(widget.installed(installed, &settings, &View::of(call))?))
}

/// Installs a widget, or replaces the settings of an install, by what the database has of it.
async fn look_first(call: &Installing, code: &WidgetCode) -> Result<HttpResponse, Problem> {
    let (shared, caller) = (&call.shared, &call.who.0);
    let mut sighting = store::visible(&shared.pool, caller, code).await?.ok_or(Problem::NoWidget)?;
    call.state::<Live>()?.met(code);
    let settings = checked(call, &sighting.widget.template.rules())?;
    let before = sighting.install.as_ref().and_then(|install| install.settings.as_ref());
    let before = sealed::settings_before(&shared.sealing, caller.account, sighting.widget.id, before).await?;
    let Placed { pipeline_id } = set(call, (sighting.widget.id, code), &settings, before.as_ref()).await?;
    sighting.install = Some(Install { pipeline_id, settings: None });
    hal::ok(&View::of(call).model(&sighting, Some(&settings)))
}

fn checked(call: &Installing, rules: &[Rule<'_>]) -> Result<Settings, Problem> {
    Settings::check(rules, call.body.document.as_ref(), &call.shared.config.limits).map_err(Problem::Invalid)
}

/// Gives an install these settings.
async fn set(
    call: &Installing,
    (id, code): (WidgetId, &WidgetCode),
    settings: &Settings,
    before: Option<&Settings>,
) -> Result<Placed, Problem> {
    let (shared, caller) = (&call.shared, &call.who.0);
    let sealed = sealed::seal(&shared.sealing, caller.account, id, settings).await?;
    let (actor, change) = (Actor::of(call), settings.change(code, before));
    let remembered = call.state::<Remembered>()?.change(caller.account);
    // Keys come over connections of their own, and nobody holds one while waiting for another: so only now.
    let installing = store::install(shared.pool.alone().await?, caller, id, &sealed, (&actor, &change));
    let placed = |pipeline_id| Placed { pipeline_id };
    let installed = remembered.commit_by(installing, |done| done.map(|pipeline| (id, Some(placed(pipeline))))).await?;
    installed.map(placed).ok_or(Problem::NoWidget)
}
