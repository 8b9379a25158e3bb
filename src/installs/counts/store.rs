//! The SQL of counting installs, a function per statement. It serves all accounts at once and reads nothing of them but that something
//! was installed or uninstalled.

use sqlx::Row as _;

use crate::catalogue::WidgetId;
use crate::database::{Connection, Failure};

/// The advisory lock of everybody who counts: "installs" in ASCII.
const LOCK: i64 = 0x69_6e_73_74_61_6c_6c_73;

/// Waits until nobody else counts, and keeps others from it until the transaction ends. Two at once would only wait for each other's
/// rows.
///
/// # Errors
///
/// When the database fails, or another one does not come to an end in time.
pub async fn wait_for_turn(connection: &mut Connection) -> Result<(), Failure> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Takes changes away, at most `count`, and returns them.
///
/// The table is empty most of the time, and a plan that was made then is still in use when it is not. So which ones to take is one row of
/// arrays: whatever the plan, nothing is read once for each of them.
///
/// # Errors
///
/// When the database fails.
pub async fn take(connection: &mut Connection, count: i64) -> Result<Vec<(WidgetId, i16)>, Failure> {
    let rows = sqlx::query(
        "WITH picked AS MATERIALIZED ( \
           SELECT array_agg(account_id) AS accounts, array_agg(id) AS ids \
           FROM (SELECT account_id, id FROM install_changes LIMIT $1) AS few \
         ) \
         DELETE FROM install_changes c USING picked p WHERE c.account_id = ANY (p.accounts) AND c.id = ANY (p.ids) \
         RETURNING c.widget_id, c.change",
    )
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((WidgetId(row.try_get("widget_id")?), row.try_get("change")?))).collect()
}
