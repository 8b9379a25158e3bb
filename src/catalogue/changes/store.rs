//! The SQL of changes, a function per statement.

use std::time::Duration;

use sqlx::Row as _;

use crate::catalogue::widget::WidgetId;
use crate::database::{Connection, Failure, Pool};

/// Notes that the transaction changes a widget.
///
/// # Errors
///
/// When the database fails.
pub async fn note(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO catalogue_changes (widget_id) VALUES ($1) ON CONFLICT ON CONSTRAINT catalogue_changes_pkey DO NOTHING",
    )
    .bind(widget.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// What had ended in the database at one time, and what had changed until then.
#[derive(Debug)]
pub struct Look {
    /// Which transactions had ended, in PostgreSQL's own words.
    pub at: String,
    /// Every transaction before this number had ended.
    pub ended_before: i64,
    /// The time there, in seconds since 1970.
    pub time: i64,
    /// When the database was started, as text.
    pub started: String,
    /// The widgets that were changed by transactions that had not ended at the look before.
    pub changed: Vec<WidgetId>,
}

/// A number that every transaction has a lower one of which has written anything by now.
///
/// # Errors
///
/// When the database fails.
pub async fn mark(pool: &Pool) -> Result<i64, Failure> {
    // The end of a snapshot would not do: transactions that are still under way may be past it.
    let mark = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint");
    Ok(mark.fetch_one(&mut *pool.catalogue().await?).await?)
}

/// Looks for changes by transactions that have ended since an earlier look; without one, only for where to begin.
///
/// # Errors
///
/// When the database fails.
pub async fn look(pool: &Pool, since: Option<&str>) -> Result<Look, Failure> {
    let row = sqlx::query(
        "SELECT s::text AS at, pg_snapshot_xmin(s)::text::bigint AS ended_before, extract(epoch FROM now())::bigint AS time, pg_postmaster_start_time()::text AS started, \
         ARRAY(SELECT DISTINCT c.widget_id FROM catalogue_changes c WHERE c.transaction >= pg_snapshot_xmin($1::text::pg_snapshot) \
           AND NOT pg_visible_in_snapshot(c.transaction, $1::text::pg_snapshot)) AS changed \
         FROM pg_current_snapshot() AS s",
    )
    .bind(since)
    .fetch_one(&mut *pool.catalogue().await?)
    .await?;
    let changed: Vec<i64> = row.try_get("changed")?;
    Ok(Look {
        at: row.try_get("at")?,
        ended_before: row.try_get("ended_before")?,
        time: row.try_get("time")?,
        started: row.try_get("started")?,
        changed: changed.into_iter().map(WidgetId).collect(),
    })
}

/// Removes changes that were noted longer ago than this, at most `count`; returns how many.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_old(pool: &Pool, kept: Duration, count: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_catalogue().await?;
    let done = sqlx::query(
        "WITH old AS (SELECT transaction, widget_id FROM catalogue_changes \
           WHERE made_at < now() - $1 * interval '1 second' ORDER BY made_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
         DELETE FROM catalogue_changes c USING old WHERE c.transaction = old.transaction AND c.widget_id = old.widget_id",
    )
    .bind(kept.as_secs_f64())
    .bind(count)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
