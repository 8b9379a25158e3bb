//! The SQL of visibility, a function per statement.

use sqlx::Row as _;

use crate::archive::{Version, WidgetCode};
use crate::auth::{AccountId, Caller};
use crate::catalogue::store::{Registered, owner, registered, registered_columns};
use crate::catalogue::visibility::Sight;
use crate::catalogue::widget::{Owner, Visibility, WidgetId};
use crate::database::{Connection, Failure, Pool};

/// The rule by which a caller sees a widget `w`, or does not: a [`Sight`] as text. `$1` is the caller's account and `$2` the user, null
/// without a caller. Two functions of the database's go by the same rule: `widget_seen_by` and, with a lock, `install_widget`
/// (`migrations/V19__single_calls.sql`).
macro_rules! sight {
    () => {
        "CASE WHEN w.deleted_at IS NOT NULL THEN 'deleted' \
         WHEN w.visibility = 'public' THEN 'public' \
         WHEN w.owner_account_id = $1 AND w.owner_user_id = $2 THEN 'owner' \
         WHEN EXISTS (SELECT FROM installs i WHERE i.account_id = $1 AND i.widget_id = w.id) THEN 'installed' ELSE 'private' END"
    };
}
pub(crate) use sight;

/// Whether a caller sees a widget `w` by one of those rules.
macro_rules! seen {
    () => {
        concat!($crate::catalogue::visibility::store::sight!(), " IN ('public', 'owner', 'installed')")
    };
}
pub(crate) use seen;

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
    let row = sqlx::query(concat!(
        "SELECT ",
        registered_columns!(),
        " FROM widgets WHERE code = $1 AND deleted_at IS NULL FOR UPDATE"
    ))
    .bind(code.as_str())
    .fetch_optional(connection)
    .await?;
    row.map(|row| registered(&row, code)).transpose()
}

/// How many accounts, but for one, have a widget installed; stops counting at `most`.
///
/// # Errors
///
/// When the database fails.
pub async fn installs_elsewhere(
    connection: &mut Connection,
    widget: WidgetId,
    besides: Option<AccountId>,
    most: i64,
) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM installs WHERE widget_id = $1 AND account_id IS DISTINCT FROM $2 LIMIT $3) AS others",
    )
    .bind(widget.0)
    .bind(besides.map(AccountId::get))
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

/// What is to be explained of a widget.
#[derive(Debug)]
pub struct Asked {
    /// Whose it is.
    pub owner: Owner,
    /// How the user sees it.
    pub sight: Sight,
    /// Whether it has a current version; without one the v4 API does not show it.
    pub has_current: bool,
}

/// How a user sees a widget, deleted or not, by the rule that all other statements go by.
///
/// # Errors
///
/// When the database fails.
pub async fn asked(pool: &Pool, user: Owner, code: &WidgetCode) -> Result<Option<Asked>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT w.owner_account_id, w.owner_user_id, w.current_version IS NOT NULL AS has_current, ",
        sight!(),
        " AS sight FROM widgets w WHERE w.code = $3"
    ))
    .bind(user.account.get())
    .bind(user.user.get())
    .bind(code.as_str())
    .fetch_optional(&mut *pool.begin_for(user.account).await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let sight: &str = row.try_get("sight")?;
    let corrupt = |why| Failure::Corrupt { table: "widgets", row: code.to_string(), why };
    Ok(Some(Asked {
        owner: owner(&row, "widgets", code.as_str())?,
        sight: sight.parse().map_err(corrupt)?,
        has_current: row.try_get("has_current")?,
    }))
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
    let row = sqlx::query(concat!("SELECT w.id, w.current_version FROM widgets w WHERE w.code = $3 AND ", seen!()))
        .bind(caller.map(|caller| caller.account.get()))
        .bind(caller.map(|caller| caller.user.get()))
        .bind(code.as_str())
        .fetch_optional(&mut *pool.begin_for_caller(caller.map(|caller| caller.account)).await?)
        .await?;
    row.map(|row| Ok((WidgetId(row.try_get("id")?), row.try_get("current_version")?))).transpose()
}
