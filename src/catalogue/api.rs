//! `/registry/v1/widgets`: publishing.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::publish::{self, Accepted, PublishError, Published, Request};
use super::store;
use super::visibility::{self, VisibilityError};
use super::widget::{Owner, Visibility};
use crate::archive::{self, Finding, Package, Report, Severity, WidgetCode};
use crate::audit::Actor;
use crate::auth::Scope;
use crate::blobs::BlobError;
use crate::database::Failure;
use crate::digest::Sha256;
use crate::http::caller::{Publisher, scope};
use crate::http::hal;
use crate::http::json::{self, Document};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, Usual};
use crate::http::upload::Upload;
use crate::http::violation::{Expected, FieldError, Violation};

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedBody {
    /// The widget's number.
    id: i64,
    /// The widget's code.
    code: String,
    /// The version of this archive.
    version: String,
    /// SHA-256 of the archive, in hexadecimal digits.
    sha256: String,
    /// Whether the v4 API shows this version: not when a higher one is there.
    is_current: bool,
    /// Whether this very archive had been published before.
    already_published: bool,
    /// Who sees the widget.
    visibility: Visibility,
    /// The widget's integration.
    client_uuid: Option<Uuid>,
    /// Whether the widget is a CRM template.
    is_crm_template: bool,
    /// Warnings of the archive: `code`, `severity`, `place`, `message`.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
}

/// Publishes a widget archive.
///
/// The archive is the body as `application/zip`, the rest in the query; or both are fields of a form. The first publisher of a code
/// owns it. The same archive again answers 200; other bytes under a version that exists are refused.
#[utoipa::path(
    post, path = "/registry/v1/widgets", tag = "publishing", operation_id = "publish_widget",
    params(
        ("code" = Option<String>, Query, description = "The widget's code; by default the manifest's `widget.code`"),
        ("visibility" = Option<Visibility>, Query, description = "`private` by default; `public` needs the scope `publish:public`"),
        ("client_uuid" = Option<Uuid>, Query, description = "The integration whose tokens may read the settings"),
        ("is_crm_template" = Option<bool>, Query, description = "Whether the widget is a CRM template; `false` by default"),
    ),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 201, description = "Published", body = PublishedBody),
        (status = 200, description = "This very archive had been published before", body = PublishedBody),
        (status = 400, description = "The archive was refused: `findings` has everything that is wrong with it"),
        (status = 409, description = "The version exists with other content, or the code is somebody else's"),
        (status = 413, description = "The archive is too large"),
    ),
)]
pub(crate) async fn publish_widget(call: Call<Publisher, Upload>) -> Result<HttpResponse, Problem> {
    let publisher = &call.who.0;
    let request = parse(&call.body)?;
    if request.visibility == Some(Visibility::Public) {
        scope(publisher, Scope::PublishPublic)?;
    }
    let (package, warnings) = inspect(&call).await?;
    let owner = owner(&call.who);
    let source = call.body.archive.try_clone().map_err(|error| unreadable(&error))?;
    let limits = &call.shared.config.limits.archive;
    let accepted = Accepted { source, limits, package: &package, warnings: &warnings };
    let version = publish::publish(&call.shared.pool, owner, &request, accepted, &Actor::of(&call)).await?;
    let status = if version.already { StatusCode::OK } else { StatusCode::CREATED };
    hal::json(HttpResponseBuilder::new(status), &body(&version, &package, warnings))
}

fn parse(upload: &Upload) -> Result<Request, Problem> {
    fn value<T, E: std::fmt::Display>(
        upload: &Upload,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let malformed = |why| Problem::Malformed(format!("The field `{name}` is wrong: {why}"));
        upload.field(name)?.map(|text| parse(text).map_err(malformed)).transpose()
    }
    let known = BTreeSet::from(["code", "visibility", "client_uuid", "is_crm_template"]);
    if let Some((name, _)) = upload.fields.iter().find(|(name, _)| !known.contains(name.as_str())) {
        return Err(Problem::Malformed(format!("The field `{name}` is not known here; known are {known:?}")));
    }
    Ok(Request {
        code: value(upload, "code", str::parse)?,
        visibility: value(upload, "visibility", str::parse)?,
        client_uuid: value(upload, "client_uuid", Uuid::parse_str)?,
        is_crm_template: value(upload, "is_crm_template", |text| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("it is neither true nor false"),
        })?,
    })
}

fn unreadable(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "an uploaded archive could not be read");
    Problem::Internal
}

/// Reads the archive away from the threads that answer requests, few at a time.
///
/// # Errors
///
/// 400 with everything that was found, when the archive is refused.
pub(crate) async fn inspect(call: &Call<Publisher, Upload>) -> Result<(Package, Vec<Finding>), Problem> {
    let turn = call.shared.archives.clone().acquire_owned().await.map_err(|error| unreadable(&error))?;
    let file = call.body.archive.try_clone().map_err(|error| unreadable(&error))?;
    let limits = call.shared.config.limits.archive;
    let report = tokio::task::spawn_blocking(move || {
        // The turn ends with the work, also when nobody waits for it any more.
        let _turn = turn;
        archive::inspect(file, &limits)
    });
    let report = report.await;
    let Report { findings, package } =
        report.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
    match package {
        Some(package) => Ok((package, findings)),
        None => Err(refused(&findings)),
    }
}

fn refused(findings: &[Finding]) -> Problem {
    let errors = findings.iter().filter(|finding| finding.severity() == Severity::Error).count();
    match serde_json::value::to_raw_value(findings) {
        Ok(findings) => Problem::ArchiveRefused { errors, findings },
        Err(error) => Problem::from(PublishError::Json(error)),
    }
}

fn body(published: &Published, package: &Package, findings: Vec<Finding>) -> PublishedBody {
    PublishedBody {
        id: published.id.0,
        code: published.code.to_string(),
        version: package.manifest.version.to_string(),
        sha256: Sha256(package.sha256).to_string(),
        is_current: published.is_current,
        already_published: published.already,
        visibility: published.attributes.visibility,
        client_uuid: published.attributes.client_uuid,
        is_crm_template: published.attributes.is_crm_template,
        findings,
    }
}

/// Who calls, as an owner of widgets.
pub(crate) fn owner(caller: &Publisher) -> Owner {
    Owner { account: caller.0.account, user: caller.0.user }
}

/// What an owner's body says. What is not the caller's is not found, whatever is to be done with it.
pub(crate) async fn checked<B, T>(
    call: &Call<Publisher, B>,
    code: &WidgetCode,
    read: Result<T, Problem>,
) -> Result<T, Problem> {
    match read {
        Err(_) if store::owner_of(&call.shared.pool, code).await? != Some(owner(&call.who)) => Err(Problem::NoWidget),
        read => read,
    }
}

/// Who sees a widget.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisibilityBody {
    visibility: Visibility,
}

/// Shows a widget to everybody, or hides it again when no other account has it installed.
#[utoipa::path(
    put, path = "/registry/v1/widgets/{code}/visibility", tag = "publishing", operation_id = "set_visibility",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = VisibilityBody,
    responses(
        (status = 200, description = "Set; `public` needs the scope `publish:public` too", body = VisibilityBody),
        (status = 404, description = "The widget is not the caller's"),
        (status = 409, description = "Other accounts have it installed"),
    ),
)]
pub(crate) async fn set_visibility(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let read = visibility_of(call.body.document.as_ref()).map_err(|error| Problem::Invalid(vec![error]));
    let visibility = checked(&call, &code, read).await?;
    if visibility == Visibility::Public {
        scope(&call.who.0, Scope::PublishPublic)?;
    }
    visibility::change(&call.shared.pool, &code, owner(&call.who), visibility, &Actor::of(&call)).await?;
    hal::json(HttpResponse::Ok(), &VisibilityBody { visibility })
}

fn visibility_of(body: Option<&Document>) -> Result<Visibility, FieldError> {
    const NAME: &str = "visibility";
    let value = json::required(body, NAME)?;
    let text = json::text(value).ok_or_else(|| FieldError::new(NAME, Violation::InvalidType(Expected::String)))?;
    text.parse().map_err(|_| FieldError::new(NAME, Violation::NotSupportedChoice))
}

impl From<VisibilityError> for Problem {
    fn from(error: VisibilityError) -> Self {
        match error {
            VisibilityError::NotOwner => Self::NoWidget,
            VisibilityError::Installed(_) => Self::Conflict(error.to_string()),
            VisibilityError::Database(failure) => failure.into(),
        }
    }
}

impl From<PublishError> for Problem {
    fn from(error: PublishError) -> Self {
        let detail = error.to_string();
        match error {
            PublishError::NoCode => Self::Malformed(detail),
            PublishError::ForeignCode(_)
            | PublishError::ForeignIntegration(_)
            | PublishError::Hiding
            | PublishError::OtherBytes(_) => Self::Conflict(detail),
            PublishError::Database(failure) | PublishError::Files(BlobError::Database(failure)) => {
                Failure::into(failure)
            }
            PublishError::Files(error) => unreadable(&error),
            PublishError::Json(error) => {
                tracing::error!(%error, "a package could not be written as JSON");
                Self::Internal
            }
        }
    }
}
