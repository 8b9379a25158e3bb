//! How many accounts have a widget installed. Requests note what changes, and this adds it up beside them: many accounts may install one
//! widget at once, and none waits for another at the widget's one row.

pub mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::background::Stop;
use crate::catalogue::{WidgetId, listing};
use crate::database::{Failure, Pool};

/// Time between two looks at what has changed.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes that are added up in one transaction.
const BATCH: i64 = 500;

/// Adds up changes that were committed before this was called, at most 500, and returns how many there were. Each is taken away and
/// counted in one transaction, so that it counts once, whoever else does this and whatever breaks off. 0 means that all are counted:
/// who comes while another is at it waits for its end.
///
/// # Errors
///
/// When the database fails; then nothing was counted.
pub async fn fold(pool: &Pool) -> Result<usize, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    store::wait_for_turn(&mut transaction).await?;
    let changes = store::take(&mut transaction, BATCH).await?;
    let mut sums: BTreeMap<WidgetId, i64> = BTreeMap::new();
    for (widget, change) in &changes {
        *sums.entry(*widget).or_default() += i64::from(*change);
    }
    sums.retain(|_, sum| *sum != 0);
    if !sums.is_empty() {
        listing::store::count_installs(&mut transaction, &sums).await?;
    }
    transaction.commit().await?;
    Ok(changes.len())
}

/// Counts until the end is asked for.
pub async fn keep(pool: Pool, mut stop: Stop) {
    while !stop.within(PAUSE).await {
        loop {
            match fold(&pool).await {
                Ok(0) => break,
                Ok(_) if stop.is_asked() => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "installs are not counted now; the next turn counts them");
                    break;
                }
            }
        }
    }
}
