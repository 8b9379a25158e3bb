//! `POST /api/v4/widgets/{code}`: install, or replace the settings of an install.

use actix_web::HttpResponse;

use super::model::{View, WidgetModel};
use super::snapshot::Live;
use crate::archive::WidgetCode;
use crate::audit::Actor;
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
    let (shared, caller) = (&call.shared, &call.who.0);
    let pool = &shared.pool;
    let mut sighting = store::visible(pool, caller, &code).await?.ok_or(Problem::NoWidget)?;
    call.state::<Live>()?.met(&code);
    let template = &sighting.widget.template;
    let settings =
        Settings::check(template, call.body.document.as_ref(), &shared.config.limits).map_err(Problem::Invalid)?;
    let (id, sealing) = (sighting.widget.id, &shared.sealing);
    let before = sighting.install.as_ref().and_then(|install| install.settings.as_ref());
    let sealed = sealed::seal(sealing, caller.account, id, &settings).await?;
    let before = sealed::settings_before(sealing, caller.account, id, before).await?;
    let (actor, change) = (Actor::of(&call), settings.change(&code, before.as_ref()));
    let remembered = call.state::<Remembered>()?.change(caller.account);
    // Keys come over connections of their own, and nobody holds one while waiting for another: so only now.
    let installing = store::install(pool.alone().await?, caller, id, &sealed, (&actor, &change));
    let placed = |pipeline_id| Placed { pipeline_id };
    let installed = remembered.commit_by(installing, |done| done.map(|pipeline| (id, Some(placed(pipeline))))).await?;
    let pipeline_id = installed.ok_or(Problem::NoWidget)?;
    sighting.install = Some(Install { pipeline_id, settings: None });
    hal::ok(&View::of(&call).model(&sighting, Some(&settings)))
}
