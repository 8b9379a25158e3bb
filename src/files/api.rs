//! `/widgets/{code}/{version}/{path}`: a file of a version, for front-ends.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::Stream;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::range::{Wanted, wanted};
use super::store::{self, ServedFile};
use crate::archive::{Version, WidgetCode};
use crate::blobs::{self, CHUNK, Encoding};
use crate::catalogue::Visibility;
use crate::catalogue::visibility::store as sight;
use crate::database::{Failure, Pool};
use crate::digest::Sha256;
use crate::http::caller::Visitor;
use crate::http::conditional;
use crate::http::negotiation::Accepted;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::http::shared::Shared;

/// In place of a version: redirects to the current one.
const CURRENT: &str = "current";

/// Pages and pictures that can hold scripts run in a sandbox without any right, so that a widget cannot act as this origin.
const SANDBOX: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:";

/// Serves a file of a version. A version's files never change; `current` in place of the version redirects.
#[utoipa::path(
    get, path = "/widgets/{code}/{version}/{path}", tag = "files", operation_id = "show_file",
    params(
        ("code" = String, Path, description = "The widget's code"),
        ("version" = String, Path, description = "A version, or `current`"),
        ("path" = String, Path, description = "The file's path in the archive, with slashes"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
        ("If-None-Match" = Option<String>, Header),
        ("Accept-Encoding" = Option<String>, Header, description = "`br` or `gzip`: then a text may come packed"),
    ),
    responses(
        (status = 200, description = "The file"),
        (status = 206, description = "The range"),
        (status = 302, description = "Where the current version has the file"),
        (status = 304, description = "The file is the one that the caller has"),
        (status = 404, description = "There is no such file, it is not served, or the caller does not see the widget"),
        (status = 416, description = "The file has no such range"),
    ),
)]
pub(crate) async fn show(call: Call<Visitor, NoBody>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoFile)?;
    let (pool, caller) = (&call.shared.pool, call.who.0.as_ref());
    if call.segment("version") == CURRENT {
        let version = sight::visible_current(pool, caller, &code).await?.ok_or(Problem::NoFile)?;
        return Ok(redirect(&call, &version));
    }
    let version: Version = call.segment("version").parse().map_err(|_| Problem::NoFile)?;
    let path = file_path(&call).ok_or(Problem::NoFile)?;
    let file = store::find(pool, caller, &code, &version, &path).await?.ok_or(Problem::NoFile)?;
    let sent = chosen(&call, &file)?;
    if call.header("if-none-match")?.is_some_and(|tags| conditional::names(tags, &sent.tag)) {
        return Ok(head(StatusCode::NOT_MODIFIED, &file, &sent).finish());
    }
    match sent.wanted {
        Wanted::Whole => body(head(StatusCode::OK, &file, &sent), &call.shared, &sent, 0, sent.size),
        Wanted::Part { first, last } => {
            let mut response = head(StatusCode::PARTIAL_CONTENT, &file, &sent);
            response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", sent.size)));
            body(response, &call.shared, &sent, first, last + 1)
        }
        Wanted::Unsatisfiable => Err(Problem::NoRange(sent.size)),
    }
}

/// What is sent of a file: itself or a packed form, and how much of it.
struct Sent {
    blob: Sha256,
    form: Option<Encoding>,
    /// Bytes of the whole form.
    size: u64,
    tag: String,
    wanted: Wanted,
}

/// Chooses by `Accept-Encoding`, and takes ranges from the file itself: bytes of a packed form alone are of no use.
fn chosen(call: &Call<Visitor, NoBody>, file: &ServedFile) -> Result<Sent, Problem> {
    let list = call.list(&header::ACCEPT_ENCODING);
    let accepted = Accepted::read(list.as_deref());
    let tag = format!("\"{}\"", file.sha256);
    // A range of another file than the caller thinks is of no use.
    let fits = call.header("if-range")?.is_none_or(|known| known == tag);
    // Ranges are for GET alone (RFC 9110, 14.2): HEAD tells how long the whole is.
    let asked = call.header("range")?.filter(|_| fits && !call.is_head() && accepted.identity());
    let wanted = wanted(asked, file.size);
    let form = match wanted {
        Wanted::Whole => accepted.choose(file.forms.iter().map(|(form, _)| *form)),
        Wanted::Part { .. } | Wanted::Unsatisfiable => None,
    };
    let packed = file.forms.iter().find(|(known, _)| Some(*known) == form);
    Ok(match packed {
        Some((form, size)) => {
            let tag = format!("\"{}-{form}\"", file.sha256);
            Sent { blob: file.sha256, form: Some(*form), size: *size, tag, wanted: Wanted::Whole }
        }
        None => Sent { blob: file.sha256, form: None, size: file.size, tag, wanted },
    })
}

/// The path of the file; `None` when it cannot be one.
fn file_path(call: &Call<Visitor, NoBody>) -> Option<String> {
    let path = call.segment("path");
    let fits = !path.is_empty() && path.len() <= 512 && !path.contains('\0') && !path.contains('\u{fffd}');
    // The router leaves these two escaped.
    fits.then(|| path.replace("%2B", "+").replace("%2b", "+").replace("%25", "%"))
}

fn redirect(call: &Call<Visitor, NoBody>, version: &Version) -> HttpResponse {
    let (code, rest) = (call.segment("code"), call.raw_tail(3));
    let query = call.raw_query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("/widgets/{code}/{version}/{rest}{query}");
    let mut response = HttpResponse::Found();
    response.insert_header((header::LOCATION, location)).insert_header((header::CACHE_CONTROL, "no-cache"));
    // Who does not see the widget is led nowhere.
    response.insert_header((header::VARY, "Authorization"));
    response.finish()
}

fn head(status: StatusCode, file: &ServedFile, sent: &Sent) -> HttpResponseBuilder {
    let mut response = HttpResponseBuilder::new(status);
    let caching = match file.visibility {
        Visibility::Public => "public, max-age=31536000, immutable",
        Visibility::Private => "private, no-cache",
    };
    response.insert_header((header::CACHE_CONTROL, caching));
    response.insert_header((header::ETAG, sent.tag.as_str()));
    response.insert_header((header::ACCEPT_RANGES, "bytes"));
    response.insert_header((header::CONTENT_TYPE, file.media_type.as_str()));
    if ["text/html", "image/svg+xml", "application/xml"].iter().any(|kind| file.media_type.starts_with(kind)) {
        response.insert_header((HeaderName::from_static("content-security-policy"), SANDBOX));
    }
    if file.visibility == Visibility::Private {
        response.append_header((header::VARY, "Authorization"));
    }
    if !file.forms.is_empty() {
        response.append_header((header::VARY, "Accept-Encoding"));
    }
    if let Some(form) = sent.form {
        response.insert_header((header::CONTENT_ENCODING, form.as_str()));
    }
    response
}

/// The bytes from `first` up to, but not including, `end`; read piece by piece while they are sent. The place is taken until then,
/// but no longer than the limit says.
fn body(
    mut response: HttpResponseBuilder,
    shared: &Shared,
    sent: &Sent,
    first: u64,
    end: u64,
) -> Result<HttpResponse, Problem> {
    let place = shared.downloads.clone().try_acquire_owned().map_err(|_| Problem::Busy)?;
    let place = hold(place, shared.config.limits.download_time);
    let pieces = pieces(shared.pool.clone(), place, (sent.blob, sent.form), first, end);
    Ok(response.body(SizedStream::new(end - first, pieces)))
}

/// Keeps a place until the sender is dropped, but no longer than this: readers who stop must not keep others out for ever.
fn hold(place: OwnedSemaphorePermit, time: Duration) -> oneshot::Sender<()> {
    let (sent, done) = oneshot::channel();
    actix_web::rt::spawn(async move {
        // Both ends mean the same: the place is free.
        let _ = tokio::time::timeout(time, done).await;
        drop(place);
    });
    sent
}

fn pieces(
    pool: Pool,
    place: oneshot::Sender<()>,
    (blob, form): (Sha256, Option<Encoding>),
    first: u64,
    end: u64,
) -> impl Stream<Item = Result<Bytes, Failure>> {
    stream::try_unfold((first, place), move |(at, place)| {
        let pool = pool.clone();
        async move {
            if at >= end {
                return Ok(None);
            }
            let missing = |why: &str| Failure::Corrupt { table: "blobs", row: blob.to_string(), why: why.to_owned() };
            let position = i32::try_from(at / CHUNK).map_err(|_| missing("position: too high"))?;
            let chunk = match form {
                None => blobs::store::chunk(&pool, blob, position).await?,
                Some(form) => blobs::store::form_chunk(&pool, blob, form, position).await?,
            };
            let chunk = chunk.ok_or_else(|| missing("a piece is not there"))?;
            let start = usize::try_from(at % CHUNK).unwrap_or(usize::MAX);
            let wanted = usize::try_from(end - at).unwrap_or(usize::MAX);
            let stop = chunk.len().min(start.saturating_add(wanted));
            if start >= stop {
                return Err(missing("a piece is short"));
            }
            let bytes = Bytes::from(chunk).slice(start..stop);
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, (next, place))))
        }
    })
}
