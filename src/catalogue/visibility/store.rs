//! The SQL of visibility, a function per statement.

use sqlx::Row as _;

use crate::archive::{Version, WidgetCode};
use crate::auth::{AccountId, Caller};
use crate::catalogue::store::{Registered, registered};
use crate::catalogue::widget::{Visibility, WidgetId};
use crate::database::{Connection, Failure, Pool};

/// Finds a widget and keeps others from publishing and from installing it until the transaction ends: for a change after which some
/// might not see it any more.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_against_installs(
    connection: &mut Connection,
    code: &WidgetCode,
) -> Result<Option<Registered>, Failure> {
    let row = sqlx::query(
        "SELECT id, owner_account_id, owner_user_id, visibility, client_uuid, is_crm_template, current_version, is_pinned \
         FROM widgets WHERE code = $1 AND deleted_at IS NULL FOR UPDATE",
    )
    .bind(code.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| registered(&row, code)).transpose()
}

/// How many other accounts have a widget installed; stops counting at `most`.
///
/// # Errors
///
/// When the database fails.
pub async fn installs_elsewhere(
    connection: &mut Connection,
    widget: WidgetId,
    account: AccountId,
    most: i64,
) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM installs WHERE widget_id = $1 AND account_id <> $2 LIMIT $3) AS others",
    )
    .bind(widget.0)
    .bind(account.get())
    .bind(most)
    .fetch_one(connection)
    .await?)
}

/// Sets who sees a widget.
///
/// # Errors
///
/// When the database fails.
pub async fn set_visibility(
    connection: &mut Connection,
    widget: WidgetId,
    visibility: Visibility,
) -> Result<(), Failure> {
    sqlx::query("UPDATE widgets SET visibility = $2, updated_at = now() WHERE id = $1")
        .bind(widget.0)
        .bind(visibility.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// A widget's number by its code, when the caller sees it; without a caller, when everybody does.
///
/// # Errors
///
/// When the database fails.
pub async fn visible_id(pool: &Pool, caller: Option<&Caller>, code: &WidgetCode) -> Result<Option<WidgetId>, Failure> {
    Ok(visible(pool, caller, code).await?.map(|(id, _)| id))
}

/// The current version of a widget that the caller sees.
///
/// # Errors
///
/// When the database fails.
pub async fn visible_current(
    pool: &Pool,
    caller: Option<&Caller>,
    code: &WidgetCode,
) -> Result<Option<Version>, Failure> {
    let Some((id, Some(current))) = visible(pool, caller, code).await? else { return Ok(None) };
    let corrupt =
        |why| Failure::Corrupt { table: "widgets", row: id.0.to_string(), why: format!("current_version: {why}") };
    current.parse().map(Some).map_err(corrupt)
}

async fn visible(
    pool: &Pool,
    caller: Option<&Caller>,
    code: &WidgetCode,
) -> Result<Option<(WidgetId, Option<String>)>, Failure> {
    let row = sqlx::query(
        "SELECT w.id, w.current_version FROM widgets w WHERE w.code = $3 \
         AND (w.visibility = 'public' OR (w.owner_account_id = $1 AND w.owner_user_id = $2) \
           OR EXISTS (SELECT FROM installs i WHERE i.account_id = $1 AND i.widget_id = w.id))",
    )
    .bind(caller.map(|caller| caller.account.get()))
    .bind(caller.map(|caller| caller.user.get()))
    .bind(code.as_str())
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((WidgetId(row.try_get("id")?), row.try_get("current_version")?))).transpose()
}
