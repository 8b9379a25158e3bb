//! `/registry/v1/installs`: what an account's administrators set on an installed widget beyond its settings.

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::fit::{Difference, Tally, misfits};
use super::placements::Placed;
use super::plan::{Plan, PlanError, plan};
use super::remembered::Remembered;
use super::settings::Settings;
use super::store::{self, Installed, LeadSource};
use crate::archive::{Finding, SettingType, WidgetCode};
use crate::audit::Actor;
use crate::catalogue::Owner;
use crate::catalogue::api::inspect;
use crate::http::caller::{Admin, Publisher, User};
use crate::http::hal;
use crate::http::json::{self, Document, Kind};
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::upload::Upload;
use crate::http::violation::{Expected, FieldError, Violation};

/// The pipeline in which a widget is a lead source.
#[derive(Debug, Serialize, ToSchema)]
pub struct LeadSourceBody {
    /// A positive number, or null for none.
    #[schema(minimum = 1, required = true)]
    pipeline_id: Option<i64>,
}

/// Sets or clears the pipeline in which an installed widget is a lead source.
#[utoipa::path(
    put, path = "/registry/v1/installs/{code}/lead-source", tag = "installs", operation_id = "set_lead_source",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = LeadSourceBody,
    responses(
        (status = 200, description = "Set or cleared", body = LeadSourceBody),
        (status = 400, description = "`pipeline_id` is missing or no positive number"),
        (status = 404, description = "The widget is not installed in the account"),
        (status = 409, description = "The widget's current version cannot be a lead source"),
    ),
)]
pub(crate) async fn set_lead_source(call: Call<Admin, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let (pool, caller) = (&call.shared.pool, &call.who.0);
    let pipeline_id = match pipeline(call.body.document.as_ref()) {
        Ok(pipeline_id) => pipeline_id,
        // What is not installed is not found, whatever is to be set on it.
        Err(_) if store::visible(pool, caller, &code).await?.is_none_or(|seen| seen.install.is_none()) => {
            return Err(Problem::NoWidget);
        }
        Err(error) => return Err(Problem::Invalid(vec![error])),
    };
    let change = call.state::<Remembered>()?.change(caller.account);
    let setting = store::set_lead_source(pool.alone().await?, caller.account, &code, pipeline_id, &Actor::of(&call));
    let outcome = |done: &LeadSource| match done {
        LeadSource::Set(widget) => Some((*widget, Some(Placed { pipeline_id }))),
        LeadSource::NotInstalled | LeadSource::NotPossible => None,
    };
    match change.commit_by(setting, outcome).await? {
        LeadSource::Set(_) => hal::json(HttpResponse::Ok(), &LeadSourceBody { pipeline_id }),
        LeadSource::NotInstalled => Err(Problem::NoWidget),
        LeadSource::NotPossible => Err(Problem::Conflict(format!(
            "The widget `{code}` cannot be a lead source: its manifest does not name the location lead_sources"
        ))),
    }
}

fn pipeline(body: Option<&Document>) -> Result<Option<i64>, FieldError> {
    const NAME: &str = "pipeline_id";
    let value = json::required(body, NAME)?;
    match (json::kind(value), json::integer(value)) {
        (Kind::Null, _) => Ok(None),
        (_, Some(id)) if id > 0 => Ok(Some(id)),
        (_, Some(_)) => Err(FieldError::new(NAME, Violation::TooLow)),
        _ => Err(FieldError::new(NAME, Violation::InvalidType(Expected::Int))),
    }
}

/// Installs on a page.
const PAGE: PageSize = PageSize::new(25);

/// The account's installs.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstallsBody {
    /// By widget id.
    installs: Vec<InstalledBody>,
    /// The value of `after` for the next page; null on the last.
    next: Option<String>,
}

/// A widget in the account.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstalledBody {
    id: i64,
    code: String,
    /// The widget's current version.
    version: String,
    pipeline_id: Option<i64>,
    installed_by_user_id: i64,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    installed_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: OffsetDateTime,
    /// What would be wrong with the settings if they were given for the current version: `code`, `path`, `detail`. The install works
    /// on; installing again with these mended makes it fit.
    #[schema(value_type = Vec<Object>)]
    misfits: Vec<FieldError>,
}

/// Lists what the account has installed, and whose settings no longer fit the current version.
#[utoipa::path(
    get, path = "/registry/v1/installs", tag = "installs", operation_id = "list_installs",
    params(("after" = Option<i64>, Query, description = "`next` of the page before", minimum = 1)),
    responses((status = 200, description = "At most 25 installs, by widget id", body = InstallsBody)),
)]
pub(crate) async fn list(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let after = query.positive("after", 0, i64::MAX.unsigned_abs())?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let account = call.who.0.account;
    let (found, more) = PAGE.cut(store::list(&call.shared.pool, account, after, PAGE.wanted()).await?);
    let next = found.last().filter(|_| more).map(|last| last.widget.id.0.to_string());
    let limits = &call.shared.config.limits;
    let body = |installed: Installed, settings: &Settings| InstalledBody {
        misfits: misfits(&installed.widget.template, settings, limits),
        id: installed.widget.id.0,
        code: installed.widget.code.to_string(),
        version: installed.widget.version.to_string(),
        pipeline_id: installed.pipeline_id,
        installed_by_user_id: installed.installed_by_user_id,
        installed_at: installed.installed_at,
        updated_at: installed.updated_at,
    };
    let mut installs = Vec::with_capacity(found.len());
    for installed in found {
        let settings = installed.settings.open(&call.shared.sealing, account, installed.widget.id).await?;
        installs.push(body(installed, &settings));
    }
    hal::json(HttpResponse::Ok(), &InstallsBody { installs, next })
}

/// What publishing an archive would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanBody {
    /// The version of the archive.
    version: String,
    /// The version that is current now; null when there is none.
    current: Option<String>,
    /// Whether the v4 API would show the archive's version: not below a higher one, nor beside a pinned one.
    would_be_current: bool,
    /// Keys of settings that only the archive has.
    added: Vec<String>,
    /// Keys of settings that only the current version has.
    removed: Vec<String>,
    /// Settings whose type changes.
    retyped: Vec<RetypedBody>,
    /// Keys of settings that are required only by the archive.
    newly_required: Vec<String>,
    /// Accounts that have the widget installed.
    installs: u64,
    /// Accounts whose settings would no longer fit.
    unfit: u64,
    /// Why they would not, by setting.
    reasons: Vec<ReasonBody>,
    /// Warnings of the archive.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
}

/// A setting whose type changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct RetypedBody {
    key: String,
    #[schema(value_type = String)]
    from: SettingType,
    #[schema(value_type = String)]
    to: SettingType,
}

/// Why settings would not fit.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonBody {
    /// The setting's key.
    key: String,
    /// As in `validation-errors`, such as `FieldMissing`.
    code: &'static str,
    /// How many accounts.
    accounts: u64,
}

/// Tells what publishing an archive would change, and stores nothing.
#[utoipa::path(
    post, path = "/registry/v1/widgets/{code}/plan", tag = "publishing", operation_id = "plan_version",
    params(("code" = String, Path, description = "The widget's code")),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 200, description = "What would change", body = PlanBody),
        (status = 400, description = "The archive would be refused: `findings` has everything that is wrong with it"),
        (status = 404, description = "The code is none"),
        (status = 409, description = "The code is somebody else's, or the version exists with other content"),
    ),
)]
pub(crate) async fn plan_version(call: Call<Publisher, Upload>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let (package, findings) = inspect(&call).await?;
    let publisher = Owner { account: call.who.0.account, user: call.who.0.user };
    let limits = &call.shared.config.limits;
    let Plan { current, would_be_current, difference, tally } =
        plan((&call.shared.pool, &call.shared.sealing), publisher, &code, &package, limits).await?;
    let Difference { added, removed, retyped, newly_required } = difference;
    let Tally { installs, unfit, reasons } = tally;
    hal::json(
        HttpResponse::Ok(),
        &PlanBody {
            version: package.manifest.version.to_string(),
            current: current.map(|version| version.to_string()),
            would_be_current,
            added,
            removed,
            retyped: retyped.into_iter().map(|(key, from, to)| RetypedBody { key, from, to }).collect(),
            newly_required,
            installs,
            unfit,
            reasons: reasons.into_iter().map(|((key, code), accounts)| ReasonBody { key, code, accounts }).collect(),
            findings,
        },
    )
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::ForeignCode(_) | PlanError::OtherBytes(_) => Self::Conflict(error.to_string()),
            PlanError::Interrupted => {
                tracing::error!(%error, "no plan");
                Self::Internal
            }
            PlanError::Database(failure) => failure.into(),
            PlanError::Sealing(fault) => fault.into(),
        }
    }
}
