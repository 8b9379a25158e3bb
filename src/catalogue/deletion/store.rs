//! The SQL of deletion, a function per statement. Installs and votes are removed in every account, so no account is named.

use crate::archive::WidgetCode;
use crate::audit::store::bind;
use crate::audit::{Actor, Change};
use crate::blobs::store::digests;
use crate::catalogue::widget::WidgetId;
use crate::database::{Connection, Failure};
use crate::digest::Sha256;

/// The advisory lock of operators who delete widgets: "deletion" in ASCII.
const LOCK: i64 = 0x6465_6c65_7469_6f6e;

/// Has those who delete by force wait for each other until the transaction ends: each holds the audit logs of many accounts, and two at once would wait
/// in a circle.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_forced(connection: &mut Connection) -> Result<(), Failure> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Removes a widget from every account, has that counted, and tells every account so in its audit log, in the order of accounts.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_installs(
    connection: &mut Connection,
    widget: WidgetId,
    code: &WidgetCode,
    actor: &Actor,
) -> Result<(), Failure> {
    let change = Change::WidgetUninstalled { widget: code.as_str(), forced: true };
    let query = sqlx::query("SELECT uninstall_everywhere($6, $1, $2, $3, $4, $5, $7, $8, $9::text::json)");
    let query = bind(query, actor).bind(widget.0).bind(change.action().as_str());
    query.bind(change.subject()).bind(change.details()).execute(connection).await?;
    Ok(())
}

/// Removes every vote on a widget.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_ratings(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query("DELETE FROM ratings WHERE widget_id = $1").bind(widget.0).execute(connection).await?;
    Ok(())
}

/// Marks a widget as deleted and takes away everything that its row says but code and owner.
///
/// # Errors
///
/// When the database fails.
pub async fn mark(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE widgets SET deleted_at = now(), updated_at = now(), visibility = 'private', client_uuid = NULL, \
         is_crm_template = false, current_version = NULL, is_pinned = false, rating_tenths = 0, rating_sum = 0, rating_count = 0, \
         deprecated_at = NULL, replacement_id = NULL, deprecation_message = NULL WHERE id = $1",
    )
    .bind(widget.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the files of every version, and tells which blobs they had, perhaps more than once.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_files(connection: &mut Connection, widget: WidgetId) -> Result<Vec<Sha256>, Failure> {
    let rows =
        sqlx::query_scalar("DELETE FROM version_files WHERE widget_id = $1 RETURNING blob_sha256").bind(widget.0);
    let blobs: Vec<Option<Vec<u8>>> = rows.fetch_all(connection).await?;
    digests(blobs.into_iter().flatten(), "version_files")
}

/// Removes every version; their files must be gone.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_versions(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query("DELETE FROM widget_versions WHERE widget_id = $1").bind(widget.0).execute(connection).await?;
    Ok(())
}

/// Those of some blobs that no file has; they must be locked before, so that they stay unused.
///
/// # Errors
///
/// When the database fails.
pub async fn unused(connection: &mut Connection, blobs: &[Sha256]) -> Result<Vec<Sha256>, Failure> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT b.sha256 FROM unnest($1::bytea[]) AS b (sha256) \
         WHERE NOT EXISTS (SELECT FROM version_files f WHERE f.blob_sha256 = b.sha256) ORDER BY b.sha256",
    )
    .bind(blobs.iter().map(|digest| digest.0.as_slice()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    digests(found, "blobs")
}
