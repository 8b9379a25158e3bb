//! `/registry/v1/widgets/{code}/versions` and `/current`.

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::store::{self, Released, VersionFile};
use super::{ChangeError, Choice, change};
use crate::archive::{Version, WidgetCode};
use crate::audit::Actor;
use crate::auth::Caller;
use crate::catalogue::api::{checked, owner};
use crate::catalogue::deprecation::api::DeprecationBody;
use crate::catalogue::deprecation::store as deprecation;
use crate::catalogue::visibility::store as sight;
use crate::catalogue::widget::WidgetId;
use crate::database::Failure;
use crate::http::caller::{Publisher, User};
use crate::http::hal;
use crate::http::json::{self, Document, Kind};
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::{Expected, FieldError, Violation};

/// Versions on a page.
const PAGE: PageSize = PageSize::new(100);

/// A version.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionBody {
    /// As the manifest has it.
    version: String,
    /// SHA-256 of the archive, in hexadecimal digits.
    sha256: String,
    /// Bytes of the archive.
    size: i64,
    /// Whether the v4 API shows it.
    is_current: bool,
    /// Whether its owner has pinned it.
    is_pinned: bool,
    /// Whether its owner has taken it back.
    is_yanked: bool,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    published_at: OffsetDateTime,
}

impl From<&Released> for VersionBody {
    fn from(released: &Released) -> Self {
        Self {
            version: released.version.to_string(),
            sha256: released.sha256.to_string(),
            size: released.size,
            is_current: released.is_current,
            is_pinned: released.is_pinned,
            is_yanked: released.yanked_at.is_some(),
            published_at: released.published_at,
        }
    }
}

/// Versions of a widget.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionsBody {
    /// What the owner says against the widget; null while it is not deprecated.
    deprecated: Option<DeprecationBody>,
    /// The latest published first.
    versions: Vec<VersionBody>,
    /// The value of `after` for the next page; null on the last.
    next: Option<String>,
}

/// A version with all that was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionDetailBody {
    #[serde(flatten)]
    outline: VersionBody,
    /// The manifest, without its secret key.
    #[schema(value_type = Object)]
    manifest: Box<RawValue>,
    /// The warnings that publishing gave.
    #[schema(value_type = Vec<Object>)]
    findings: Box<RawValue>,
    /// The archive's files.
    files: Vec<FileBody>,
}

/// A file of a version.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileBody {
    /// Relative to the archive's root.
    path: String,
    /// SHA-256 in hexadecimal digits; null for files that are not served: it would confirm a guess of a secret.
    sha256: Option<String>,
    /// Bytes; null likewise.
    size: Option<i64>,
    /// What the bytes are.
    media_type: String,
    /// Where it is served; null for server code, secrets and other files that are not.
    url: Option<String>,
}

/// Which version is current.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrentBody {
    /// The version; null when every version is yanked.
    version: Option<String>,
}

/// Lists the versions of a widget that the caller sees.
#[utoipa::path(
    get, path = "/registry/v1/widgets/{code}/versions", tag = "publishing", operation_id = "list_versions",
    params(
        ("code" = String, Path, description = "The widget's code"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "At most 100 versions, the latest published first", body = VersionsBody),
        (status = 404, description = "There is no such widget, or the caller does not see it"),
    ),
)]
pub(crate) async fn list(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let widget = seen(&call, &call.who.0).await?;
    let query = call.query();
    let after = query.get("after")?.map(str::parse::<Version>);
    let after =
        after.transpose().map_err(|why| Problem::Malformed(format!("The parameter `after` is no version: {why}")))?;
    if let Some(after) = &after
        && store::archive_digest(&call.shared.pool, widget, after).await?.is_none()
    {
        return Err(Problem::Malformed("The parameter `after` names no version of this widget".to_owned()));
    }
    let (found, more) = PAGE.cut(store::list(&call.shared.pool, widget, after.as_ref(), PAGE.wanted()).await?);
    let next = found.last().filter(|_| more).map(|last| last.version.to_string());
    let deprecated =
        deprecation::find(&mut *call.shared.pool.catalogue().await?, widget).await?.map(DeprecationBody::from);
    let versions = found.iter().map(VersionBody::from).collect();
    hal::json(HttpResponse::Ok(), &VersionsBody { deprecated, versions, next })
}

/// Shows a version: its manifest, findings and files.
#[utoipa::path(
    get, path = "/registry/v1/widgets/{code}/versions/{version}", tag = "publishing", operation_id = "show_version",
    params(("code" = String, Path, description = "The widget's code"), ("version" = String, Path)),
    responses(
        (status = 200, description = "The version", body = VersionDetailBody),
        (status = 404, description = "There is no such version, or the caller does not see the widget"),
    ),
)]
pub(crate) async fn show(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let widget = seen(&call, &call.who.0).await?;
    let version = version(&call)?;
    let pool = &call.shared.pool;
    let detail = store::find(pool, widget, &version).await?.ok_or(Problem::NoVersion)?;
    let base = format!("{}/widgets/{}/{version}", call.origin(), call.segment("code"));
    let files = store::files(pool, widget, &version).await?.into_iter().map(|file| file_body(file, &base)).collect();
    let corrupt = |column: &str, why: &dyn std::fmt::Display| Failure::Corrupt {
        table: "widget_versions",
        row: version.to_string(),
        why: format!("{column}: {why}"),
    };
    // A byte-order mark was accepted and is kept in the stored bytes.
    let text = detail.manifest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&detail.manifest);
    hal::json(
        HttpResponse::Ok(),
        &VersionDetailBody {
            outline: VersionBody::from(&detail.released),
            manifest: serde_json::from_slice(text).map_err(|why| corrupt("manifest", &why))?,
            findings: RawValue::from_string(detail.findings).map_err(|why| corrupt("findings", &why))?,
            files,
        },
    )
}

fn file_body(file: VersionFile, base: &str) -> FileBody {
    let url = file.is_served.then(|| {
        let mut url = base.to_owned();
        for segment in file.path.split('/') {
            url.push('/');
            // What a segment of a path must not hold is escaped as a form does it, but for the space.
            let escaped: String = url::form_urlencoded::byte_serialize(segment.as_bytes()).collect();
            url.push_str(&escaped.replace('+', "%20"));
        }
        url
    });
    FileBody {
        path: file.path,
        sha256: file.is_served.then(|| file.sha256.to_string()),
        size: file.is_served.then_some(file.size),
        media_type: file.media_type,
        url,
    }
}

/// Takes a version back: it is never current; the newest other one takes over.
#[utoipa::path(
    post, path = "/registry/v1/widgets/{code}/versions/{version}/yank", tag = "publishing", operation_id = "yank_version",
    params(("code" = String, Path, description = "The widget's code"), ("version" = String, Path)),
    responses(
        (status = 200, description = "The version that is current now", body = CurrentBody),
        (status = 404, description = "There is no such version, or the widget is not the caller's"),
    ),
)]
pub(crate) async fn yank(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let version = version(&call)?;
    answer(&call, &Choice::Yank(version)).await
}

/// Gives a yanked version free again.
#[utoipa::path(
    post, path = "/registry/v1/widgets/{code}/versions/{version}/restore", tag = "publishing", operation_id = "restore_version",
    params(("code" = String, Path, description = "The widget's code"), ("version" = String, Path)),
    responses(
        (status = 200, description = "The version that is current now", body = CurrentBody),
        (status = 404, description = "There is no such version, or the widget is not the caller's"),
    ),
)]
pub(crate) async fn restore(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let version = version(&call)?;
    answer(&call, &Choice::Restore(version)).await
}

/// Pins the current version by hand; null lets the newest be current again.
#[utoipa::path(
    put, path = "/registry/v1/widgets/{code}/current", tag = "publishing", operation_id = "pin_version",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = CurrentBody,
    responses(
        (status = 200, description = "The version that is current now", body = CurrentBody),
        (status = 404, description = "There is no such version, or the widget is not the caller's"),
        (status = 409, description = "The version is yanked"),
    ),
)]
pub(crate) async fn pin(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let choice = checked(&call, &code, wanted(call.body.document.as_ref())).await?;
    answer(&call, &choice).await
}

fn wanted(body: Option<&Document>) -> Result<Choice, Problem> {
    const NAME: &str = "version";
    let invalid = |error| Problem::Invalid(vec![error]);
    let value = json::required(body, NAME).map_err(invalid)?;
    match (json::kind(value), json::text(value)) {
        (Kind::Null, _) => Ok(Choice::Unpin),
        (_, Some(text)) => Ok(Choice::Pin(text.parse().map_err(|_| Problem::NoVersion)?)),
        _ => Err(invalid(FieldError::new(NAME, Violation::InvalidType(Expected::String)))),
    }
}

async fn answer<B>(call: &Call<Publisher, B>, choice: &Choice) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let current = change(&call.shared.pool, &code, owner(&call.who), choice, &Actor::of(call)).await?;
    hal::json(HttpResponse::Ok(), &CurrentBody { version: current.map(|version| version.to_string()) })
}

fn version<P, B>(call: &Call<P, B>) -> Result<Version, Problem> {
    call.segment("version").parse().map_err(|_| Problem::NoVersion)
}

/// The widget of the path when the caller sees it, current version or not.
async fn seen<P, B>(call: &Call<P, B>, caller: &Caller) -> Result<WidgetId, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    sight::visible_id(&call.shared.pool, Some(caller), &code).await?.ok_or(Problem::NoWidget)
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::NotOwner => Self::NoWidget,
            ChangeError::NoVersion(_) => Self::NoVersion,
            ChangeError::Yanked(_) => Self::Conflict(error.to_string()),
            ChangeError::Database(failure) => failure.into(),
        }
    }
}
