//! The SQL of versions and their files, a function per statement.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::archive::{PackagedFile, Version};
use crate::catalogue::WidgetId;
use crate::database::{Connection, Failure, Pool};
use crate::digest::Sha256;

/// One version as its owner and its users see it.
#[derive(Debug)]
pub struct Released {
    /// As the manifest has it.
    pub version: Version,
    /// Of the archive.
    pub sha256: Sha256,
    /// Bytes of the archive.
    pub size: i64,
    /// When it was published.
    pub published_at: OffsetDateTime,
    /// When it was taken back.
    pub yanked_at: Option<OffsetDateTime>,
    /// Whether the v4 API shows it.
    pub is_current: bool,
    /// Whether it was chosen by hand.
    pub is_pinned: bool,
}

/// A version with all that was published.
#[derive(Debug)]
pub struct Detail {
    /// Its outline.
    pub released: Released,
    /// The bytes of manifest.json without its secret.
    pub manifest: Vec<u8>,
    /// The warnings as JSON.
    pub findings: String,
}

/// A file of a version.
#[derive(Debug)]
pub struct VersionFile {
    /// Relative to the archive's root.
    pub path: String,
    /// Of its bytes.
    pub sha256: Sha256,
    /// How many there are.
    pub size: i64,
    /// What they are.
    pub media_type: String,
    /// Whether it is served.
    pub is_served: bool,
}

fn digest(row: &PgRow, table: &'static str, key: &str) -> Result<Sha256, Failure> {
    let bytes: &[u8] = row.try_get("sha256")?;
    Sha256::from_slice(bytes).ok_or_else(|| Failure::Corrupt {
        table,
        row: key.to_owned(),
        why: "sha256: not 32 bytes".to_owned(),
    })
}

fn released(row: &PgRow) -> Result<Released, Failure> {
    let text: &str = row.try_get("version")?;
    let corrupt = |why: String| Failure::Corrupt { table: "widget_versions", row: text.to_owned(), why };
    Ok(Released {
        version: text.parse().map_err(|why| corrupt(format!("version: {why}")))?,
        sha256: digest(row, "widget_versions", text)?,
        size: row.try_get("archive_size")?,
        published_at: row.try_get("published_at")?,
        yanked_at: row.try_get("yanked_at")?,
        is_current: row.try_get("is_current")?,
        is_pinned: row.try_get("is_pinned")?,
    })
}

/// The columns that [`released`] reads, from `widget_versions v` joined with `widgets w`.
macro_rules! released_columns {
    () => {
        "v.version, v.archive_sha256 AS sha256, v.archive_size, v.published_at, v.yanked_at, \
         v.version IS NOT DISTINCT FROM w.current_version AS is_current, \
         w.is_pinned AND v.version IS NOT DISTINCT FROM w.current_version AS is_pinned"
    };
}

/// Versions of a widget, the latest published first, at most `count`; after the one that `after` names.
///
/// # Errors
///
/// When the database fails.
pub async fn list(
    pool: &Pool,
    widget: WidgetId,
    after: Option<&Version>,
    count: i64,
) -> Result<Vec<Released>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        released_columns!(),
        " FROM widget_versions v JOIN widgets w ON w.id = v.widget_id \
         WHERE v.widget_id = $1 AND ($2::text IS NULL OR (v.published_at, v.version) < \
           (SELECT a.published_at, a.version FROM widget_versions a WHERE a.widget_id = $1 AND a.version = $2)) \
         ORDER BY v.published_at DESC, v.version DESC LIMIT $3"
    ))
    .bind(widget.0)
    .bind(after.map(Version::as_str))
    .bind(count)
    .fetch_all(&mut *pool.catalogue().await?)
    .await?;
    rows.iter().map(released).collect()
}

/// The digest of a version's archive; `None` when there is no such version.
///
/// # Errors
///
/// When the database fails.
pub async fn archive_digest(pool: &Pool, widget: WidgetId, version: &Version) -> Result<Option<Sha256>, Failure> {
    let row = sqlx::query("SELECT archive_sha256 AS sha256 FROM widget_versions WHERE widget_id = $1 AND version = $2")
        .bind(widget.0)
        .bind(version.as_str())
        .fetch_optional(&mut *pool.catalogue().await?)
        .await?;
    row.map(|row| digest(&row, "widget_versions", version.as_str())).transpose()
}

/// A version; `None` when there is none of that name.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, widget: WidgetId, version: &Version) -> Result<Option<Detail>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        released_columns!(),
        ", v.manifest, v.findings::text AS findings FROM widget_versions v JOIN widgets w ON w.id = v.widget_id \
         WHERE v.widget_id = $1 AND v.version = $2"
    ))
    .bind(widget.0)
    .bind(version.as_str())
    .fetch_optional(&mut *pool.catalogue().await?)
    .await?;
    row.map(|row| {
        Ok(Detail { released: released(&row)?, manifest: row.try_get("manifest")?, findings: row.try_get("findings")? })
    })
    .transpose()
}

/// The files of a version by path; at most as many as an archive may hold.
///
/// # Errors
///
/// When the database fails.
pub async fn files(pool: &Pool, widget: WidgetId, version: &Version) -> Result<Vec<VersionFile>, Failure> {
    let rows = sqlx::query(
        "SELECT path, sha256, size, media_type, blob_sha256 IS NOT NULL AS is_served \
         FROM version_files WHERE widget_id = $1 AND version = $2 ORDER BY path",
    )
    .bind(widget.0)
    .bind(version.as_str())
    .fetch_all(&mut *pool.catalogue().await?)
    .await?;
    rows.iter()
        .map(|row| {
            let path: String = row.try_get("path")?;
            Ok(VersionFile {
                sha256: digest(row, "version_files", &path)?,
                path,
                size: row.try_get("size")?,
                media_type: row.try_get("media_type")?,
                is_served: row.try_get("is_served")?,
            })
        })
        .collect()
}

/// Writes the files of a new version; the blobs of those that are served must be there.
///
/// # Errors
///
/// When the database fails.
pub async fn add_files(
    connection: &mut Connection,
    widget: WidgetId,
    version: &Version,
    files: &[PackagedFile],
) -> Result<(), Failure> {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let digests: Vec<&[u8]> = files.iter().map(|file| file.sha256.as_slice()).collect();
    let sizes: Vec<i64> = files.iter().map(|file| i64::try_from(file.size).unwrap_or(i64::MAX)).collect();
    let media_types: Vec<&str> = files.iter().map(|file| file.media_type).collect();
    let served: Vec<bool> = files.iter().map(|file| file.served).collect();
    sqlx::query(
        "INSERT INTO version_files (widget_id, version, path, sha256, size, media_type, blob_sha256) \
         SELECT $1, $2, f.path, f.sha256, f.size, f.media_type, CASE WHEN f.served THEN f.sha256 END \
         FROM unnest($3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::boolean[]) \
           AS f (path, sha256, size, media_type, served)",
    )
    .bind(widget.0)
    .bind(version.as_str())
    .bind(paths)
    .bind(digests)
    .bind(sizes)
    .bind(media_types)
    .bind(served)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether there is a version of that name, yanked or not.
///
/// # Errors
///
/// When the database fails.
pub async fn exists(connection: &mut Connection, widget: WidgetId, version: &Version) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar("SELECT EXISTS (SELECT FROM widget_versions WHERE widget_id = $1 AND version = $2)")
        .bind(widget.0)
        .bind(version.as_str())
        .fetch_one(connection)
        .await?)
}

/// The versions that may be current: those that are not yanked, the first published first.
///
/// # Errors
///
/// When the database fails.
pub async fn eligible(connection: &mut Connection, widget: WidgetId) -> Result<Vec<Version>, Failure> {
    let texts: Vec<String> = sqlx::query_scalar(
        "SELECT version FROM widget_versions WHERE widget_id = $1 AND yanked_at IS NULL ORDER BY published_at, version",
    )
    .bind(widget.0)
    .fetch_all(connection)
    .await?;
    let corrupt = |text: &str, why: &dyn std::fmt::Display| Failure::Corrupt {
        table: "widget_versions",
        row: text.to_owned(),
        why: format!("version: {why}"),
    };
    texts.iter().map(|text| text.parse().map_err(|why| corrupt(text, &why))).collect()
}

/// Takes a version back, or gives it free again; `false` when there is none of that name.
///
/// # Errors
///
/// When the database fails.
pub async fn set_yanked(
    connection: &mut Connection,
    widget: WidgetId,
    version: &Version,
    yanked: bool,
) -> Result<bool, Failure> {
    let done = sqlx::query(
        "UPDATE widget_versions SET yanked_at = CASE WHEN $3 THEN coalesce(yanked_at, now()) END \
         WHERE widget_id = $1 AND version = $2",
    )
    .bind(widget.0)
    .bind(version.as_str())
    .bind(yanked)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Sets the current version, and whether it was chosen by hand.
///
/// # Errors
///
/// When the database fails.
pub async fn set_current(
    connection: &mut Connection,
    widget: WidgetId,
    current: Option<&Version>,
    is_pinned: bool,
) -> Result<(), Failure> {
    sqlx::query("UPDATE widgets SET current_version = $2, is_pinned = $3, updated_at = now() WHERE id = $1")
        .bind(widget.0)
        .bind(current.map(Version::as_str))
        .bind(is_pinned)
        .execute(connection)
        .await?;
    Ok(())
}
