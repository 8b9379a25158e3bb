//! The SQL of files that are served, a function per statement.

use sqlx::Row as _;

use crate::archive::{Version, WidgetCode};
use crate::auth::Caller;
use crate::blobs::Encoding;
use crate::catalogue::Visibility;
use crate::catalogue::visibility::store::seen;
use crate::database::{Failure, Pool};
use crate::digest::Sha256;

/// A file that is served.
#[derive(Debug)]
pub struct ServedFile {
    /// Of its bytes.
    pub sha256: Sha256,
    /// How many there are.
    pub size: u64,
    /// What they are.
    pub media_type: String,
    /// Who sees the widget.
    pub visibility: Visibility,
    /// The packed forms that there are, with their sizes, in the order of [`Encoding::STORED`].
    pub forms: Vec<(Encoding, u64)>,
}

/// A file of a version, when it is served and the caller sees the widget.
///
/// # Errors
///
/// When the database fails.
pub async fn find(
    pool: &Pool,
    caller: Option<&Caller>,
    code: &WidgetCode,
    version: &Version,
    path: &str,
) -> Result<Option<ServedFile>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT f.sha256, f.size, f.media_type, w.visibility, \
           (SELECT b.size FROM blob_forms b WHERE b.sha256 = f.blob_sha256 AND b.encoding = 'br') AS br, \
           (SELECT b.size FROM blob_forms b WHERE b.sha256 = f.blob_sha256 AND b.encoding = 'gzip') AS gzip \
         FROM widgets w \
         JOIN version_files f ON f.widget_id = w.id AND f.version = $4 AND f.path = $5 AND f.blob_sha256 IS NOT NULL \
         WHERE w.code = $3 AND ",
        seen!()
    ))
    .bind(caller.map(|caller| caller.account.get()))
    .bind(caller.map(|caller| caller.user.get()))
    .bind(code.as_str())
    .bind(version.as_str())
    .bind(path)
    .fetch_optional(&mut *pool.begin_for_caller(caller.map(|caller| caller.account)).await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = |why: &str| Failure::Corrupt {
        table: "version_files",
        row: format!("{code} {version} {path}"),
        why: why.to_owned(),
    };
    let mut forms = Vec::new();
    for form in Encoding::STORED {
        if let Some(size) = row.try_get::<Option<i64>, _>(form.as_str())? {
            forms.push((form, u64::try_from(size).map_err(|_| corrupt("a form's size: negative"))?));
        }
    }
    let (digest, visibility): (&[u8], &str) = (row.try_get("sha256")?, row.try_get("visibility")?);
    Ok(Some(ServedFile {
        sha256: Sha256::from_slice(digest).ok_or_else(|| corrupt("sha256: not 32 bytes"))?,
        size: u64::try_from(row.try_get::<i64, _>("size")?).map_err(|_| corrupt("size: negative"))?,
        media_type: row.try_get("media_type")?,
        visibility: visibility.parse().map_err(|why: String| corrupt(&why))?,
        forms,
    }))
}
