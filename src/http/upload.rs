//! Uploads of archives: written to a temporary file as they come, so that memory stays small.

use std::fs::File;
use std::io;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::dev::Payload;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;

use super::head::Head;
use super::problem::Problem;
use super::query::Query;
use super::route::{Body, BodyKind, identity_only, media_type, within};
use super::shared::Shared;

/// Bytes of one text field of a form.
const FIELD_SIZE: usize = 1024;
/// Parts of a form.
const PARTS: usize = 16;
/// The form's field that holds the archive.
const ARCHIVE: &str = "archive";
const TAKES: &str = "application/zip, or as multipart/form-data with the archive in the field `archive`";

/// An uploaded archive, and the texts that came with it: the query's parameters and the form's fields.
#[derive(Debug)]
pub struct Upload {
    /// The archive; it vanishes when it is closed.
    pub archive: File,
    /// Name and value, in the order in which they came.
    pub fields: Vec<(String, String)>,
    _place: OwnedSemaphorePermit,
}

impl Upload {
    /// A text that came with the archive.
    ///
    /// # Errors
    ///
    /// 400 when it came more than once.
    pub fn field(&self, name: &str) -> Result<Option<&str>, Problem> {
        let mut values = self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Problem::Malformed(format!("The field `{name}` is given more than once"))),
        }
    }
}

impl Body for Upload {
    const KIND: BodyKind = BodyKind::Upload;

    async fn read(head: &Head, payload: Payload, shared: &Shared) -> Result<Self, Problem> {
        let limits = &shared.config.limits;
        let limit = usize::try_from(limits.archive.packed).unwrap_or(usize::MAX);
        identity_only(head)?;
        let media_type = media_type(head);
        let place = shared.uploads.clone().try_acquire_owned().map_err(|_| Problem::Busy)?;
        let mut fields = Query::parse(head.query_string()).into_pairs();
        let archive = within(limits.upload_time, async {
            match media_type.as_deref() {
                Some("application/zip" | "application/octet-stream" | "application/x-zip-compressed") => {
                    let chunks = payload.map(|chunk| chunk.map_err(|error| unreadable(&error)));
                    store(chunks, limit).await
                }
                Some("multipart/form-data") => form(head, payload, limit, &mut fields).await,
                _ => Err(Problem::WrongMediaType(TAKES)),
            }
        })
        .await?;
        Ok(Self { archive, fields, _place: place })
    }
}

fn unreadable(error: &dyn std::fmt::Display) -> Problem {
    Problem::Malformed(format!("The body could not be read: {error}"))
}

fn failed(error: &io::Error) -> Problem {
    tracing::error!(%error, "an upload could not be written to a temporary file");
    Problem::Internal
}

/// Writes a stream to a temporary file that has no name.
async fn store(chunks: impl Stream<Item = Result<Bytes, Problem>>, limit: usize) -> Result<File, Problem> {
    let file = tempfile::tempfile().map_err(|error| failed(&error))?;
    let mut file = tokio::fs::File::from_std(file);
    let mut chunks = std::pin::pin!(chunks);
    let mut size = 0_usize;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        size = size.saturating_add(chunk.len());
        if size > limit {
            return Err(Problem::BodyTooLarge(limit));
        }
        file.write_all(&chunk).await.map_err(|error| failed(&error))?;
    }
    file.flush().await.map_err(|error| failed(&error))?;
    file.rewind().await.map_err(|error| failed(&error))?;
    Ok(file.into_std().await)
}

async fn form(
    head: &Head,
    payload: Payload,
    limit: usize,
    fields: &mut Vec<(String, String)>,
) -> Result<File, Problem> {
    let mut parts = Multipart::new(head.headers(), payload);
    let mut archive = None;
    let mut count = 0;
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|error| unreadable(&error))?;
        count += 1;
        if count > PARTS {
            return Err(Problem::Malformed(format!("The form has more than {PARTS} parts")));
        }
        let name = part.name().unwrap_or_default().to_owned();
        if name == ARCHIVE {
            if archive.is_some() {
                return Err(Problem::Malformed(format!("The field `{ARCHIVE}` is given more than once")));
            }
            let chunks = part.map(|chunk: Result<Bytes, MultipartError>| chunk.map_err(|error| unreadable(&error)));
            archive = Some(store(chunks, limit).await?);
        } else {
            fields.push((name.clone(), text(&mut part, &name).await?));
        }
    }
    archive.ok_or_else(|| Problem::Malformed(format!("The form has no field `{ARCHIVE}`; it holds the zip")))
}

async fn text(part: &mut Field, name: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| unreadable(&error))?);
        if bytes.len() > FIELD_SIZE {
            return Err(Problem::Malformed(format!("The field `{name}` is longer than {FIELD_SIZE} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::Malformed(format!("The field `{name}` is not valid UTF-8")))
}
