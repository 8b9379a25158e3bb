//! The SQL of ratings, a function per statement; [`vote`] is the one transaction that they form.

use sqlx::Row as _;

use super::Stars;
use crate::archive::WidgetCode;
use crate::auth::Caller;
use crate::catalogue::{Rating, WidgetId, changes, listing};
use crate::database::{Connection, Failure, Pool, Writes};

/// Sets or removes the caller's vote, and returns the mean of all then; `None` when the account has not installed the widget.
///
/// # Errors
///
/// When the database fails.
pub async fn vote(
    pool: &Pool,
    writes: &Writes,
    caller: &Caller,
    code: &WidgetCode,
    stars: Option<Stars>,
) -> Result<Option<Rating>, Failure> {
    let write = writes.begin();
    let mut transaction = pool.begin_for(caller.account).await?;
    let Some(widget) = lock_installed(&mut transaction, caller, code).await? else { return Ok(None) };
    let before = remove(&mut transaction, caller, widget).await?;
    if let Some(stars) = stars {
        add(&mut transaction, caller, widget, stars).await?;
    }
    let mean = count(&mut transaction, widget, before, stars.map(Stars::get)).await?;
    listing::store::take_rating(&mut transaction, widget).await?;
    changes::commit(transaction, vec![write], widget).await?;
    Ok(Some(mean))
}

/// Whether the account has installed a widget that has a current version.
///
/// # Errors
///
/// When the database fails.
pub async fn is_installed(pool: &Pool, caller: &Caller, code: &WidgetCode) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM widgets w JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id \
         WHERE w.code = $2 AND w.current_version IS NOT NULL)",
    )
    .bind(caller.account.get())
    .bind(code.as_str())
    .fetch_one(&mut *pool.begin_for(caller.account).await?)
    .await?)
}

/// The widget of an install, with its row locked: votes on one widget are counted one after the other.
async fn lock_installed(
    connection: &mut Connection,
    caller: &Caller,
    code: &WidgetCode,
) -> Result<Option<WidgetId>, Failure> {
    let id = sqlx::query_scalar(
        "SELECT w.id FROM widgets w WHERE w.code = $2 AND w.current_version IS NOT NULL \
         AND EXISTS (SELECT FROM installs i WHERE i.account_id = $1 AND i.widget_id = w.id) FOR NO KEY UPDATE OF w",
    )
    .bind(caller.account.get())
    .bind(code.as_str())
    .fetch_optional(connection)
    .await?;
    Ok(id.map(WidgetId))
}

/// Removes the caller's vote and returns it.
async fn remove(connection: &mut Connection, caller: &Caller, widget: WidgetId) -> Result<Option<i16>, Failure> {
    Ok(sqlx::query_scalar(
        "DELETE FROM ratings WHERE account_id = $1 AND widget_id = $2 AND user_id = $3 RETURNING stars",
    )
    .bind(caller.account.get())
    .bind(widget.0)
    .bind(caller.user.get())
    .fetch_optional(connection)
    .await?)
}

/// Writes the caller's vote, which must not be there.
async fn add(connection: &mut Connection, caller: &Caller, widget: WidgetId, stars: Stars) -> Result<(), Failure> {
    sqlx::query("INSERT INTO ratings (account_id, widget_id, user_id, stars) VALUES ($1, $2, $3, $4)")
        .bind(caller.account.get())
        .bind(widget.0)
        .bind(caller.user.get())
        .bind(stars.get())
        .execute(connection)
        .await?;
    Ok(())
}

/// Takes one vote out of the count and another into it, and returns the mean.
async fn count(
    connection: &mut Connection,
    widget: WidgetId,
    before: Option<i16>,
    after: Option<i16>,
) -> Result<Rating, Failure> {
    let sum = i64::from(after.unwrap_or(0)) - i64::from(before.unwrap_or(0));
    let votes = i64::from(after.is_some()) - i64::from(before.is_some());
    let row = sqlx::query(
        "UPDATE widgets SET rating_sum = rating_sum + $2, rating_count = rating_count + $3, \
         rating_tenths = CASE WHEN rating_count + $3 = 0 THEN 0 \
           ELSE round((rating_sum + $2) * 10 / (rating_count + $3)::numeric) END \
         WHERE id = $1 RETURNING rating_tenths",
    )
    .bind(widget.0)
    .bind(sum)
    .bind(votes)
    .fetch_one(connection)
    .await?;
    let corrupt = || Failure::Corrupt {
        table: "widgets",
        row: widget.0.to_string(),
        why: "rating_tenths: not in 0…50".to_owned(),
    };
    Rating::from_tenths(row.try_get("rating_tenths")?).ok_or_else(corrupt)
}
