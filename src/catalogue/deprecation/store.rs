//! The SQL of deprecation, a function per statement.

use sqlx::Row as _;

use super::Deprecation;
use crate::archive::WidgetCode;
use crate::catalogue::widget::{Owner, WidgetId};
use crate::database::{Connection, Failure};

/// A widget that an owner may name as a replacement: one that is public, or the owner's own.
///
/// # Errors
///
/// When the database fails.
pub async fn replacement(
    connection: &mut Connection,
    code: &WidgetCode,
    owner: Owner,
) -> Result<Option<WidgetId>, Failure> {
    let id = sqlx::query_scalar(
        "SELECT id FROM widgets WHERE code = $1 AND deleted_at IS NULL \
         AND (visibility = 'public' OR (owner_account_id = $2 AND owner_user_id = $3))",
    )
    .bind(code.as_str())
    .bind(owner.account.get())
    .bind(owner.user.get())
    .fetch_optional(connection)
    .await?;
    Ok(id.map(WidgetId))
}

/// Marks a widget as deprecated; the time of the first mark stays.
///
/// # Errors
///
/// When the database fails.
pub async fn set(
    connection: &mut Connection,
    widget: WidgetId,
    replacement: Option<WidgetId>,
    message: Option<&str>,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE widgets SET deprecated_at = coalesce(deprecated_at, now()), replacement_id = $2, deprecation_message = $3, \
         updated_at = now() WHERE id = $1",
    )
    .bind(widget.0)
    .bind(replacement.map(|id| id.0))
    .bind(message)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the mark away.
///
/// # Errors
///
/// When the database fails.
pub async fn clear(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE widgets SET deprecated_at = NULL, replacement_id = NULL, deprecation_message = NULL, updated_at = now() \
         WHERE id = $1 AND deprecated_at IS NOT NULL",
    )
    .bind(widget.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// What people see; `None` when the widget is not deprecated. Whether the replacement may be named is judged again: it may have been
/// hidden, given away or deleted since.
///
/// # Errors
///
/// When the database fails.
pub async fn find(connection: &mut Connection, widget: WidgetId) -> Result<Option<Deprecation>, Failure> {
    let row = sqlx::query(
        "SELECT w.deprecated_at, w.deprecation_message, r.code AS replacement FROM widgets w \
         LEFT JOIN widgets r ON r.id = w.replacement_id AND r.deleted_at IS NULL AND (r.visibility = 'public' \
           OR (r.owner_account_id = w.owner_account_id AND r.owner_user_id = w.owner_user_id)) \
         WHERE w.id = $1 AND w.deprecated_at IS NOT NULL",
    )
    .bind(widget.0)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Deprecation {
            since: row.try_get("deprecated_at")?,
            replacement: row.try_get("replacement")?,
            message: row.try_get("deprecation_message")?,
        })
    })
    .transpose()
}
