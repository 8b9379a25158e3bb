//! What has changed of what the v4 API shows of the catalogue, for servers that keep it in memory: noted in the transaction that makes
//! the change, read by everybody within a second, and removed when everybody has had time to read it.

pub mod store;

use std::time::Duration;

use super::widget::WidgetId;
use crate::background::{Stop, in_batches};
use crate::database::{self, Failure, Pool, Transaction, Write};

/// For how long a change can be read. Whoever has not looked for [`READ_WITHIN`] must read everything anew.
const KEPT: Duration = Duration::from_hours(1);
/// After how long some changes may be gone. What is between the two is for transactions that take long to end after they noted a change.
pub const READ_WITHIN: Duration = Duration::from_mins(30);
/// Changes that are removed by one statement.
const BATCH: i64 = 1_000;
/// Time between two looks for old changes.
const PAUSE: Duration = Duration::from_mins(1);

/// Commits a transaction that changes what the v4 API shows of a widget: its current version, its visibility, its owner, its rating, or
/// that it is there. `writes` were begun before the transaction.
///
/// # Errors
///
/// When the database fails; then it is not known whether the transaction is committed.
pub async fn commit(mut transaction: Transaction, writes: Vec<Write>, widget: WidgetId) -> Result<(), Failure> {
    store::note(&mut transaction, widget).await?;
    database::commit(transaction, writes).await
}

/// Removes old changes until the end is asked for.
pub async fn remove_old(pool: Pool, stop: Stop) {
    in_batches("old changes of the catalogue", BATCH, PAUSE, stop, |batch| store::remove_old(&pool, KEPT, batch)).await;
}
