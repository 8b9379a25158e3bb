//! The sweeper: ends waits whose deadline has passed, and removes records that were kept long enough.

use std::time::Duration;

use super::{close, store};
use crate::background::{Bell, Stop};
use crate::database::{Failure, Pool};

/// Records that are handled in one transaction.
const BATCH: i64 = 200;

/// Time between two looks for deadlines: a wait ends within about a second of its own.
const DEADLINES: Duration = Duration::from_millis(500);

/// Time between two looks for records that are old enough.
const OLD: Duration = Duration::from_mins(1);

/// Ends waits whose deadline has passed, until it is asked to stop.
pub async fn expire(pool: Pool, bell: Bell, mut stop: Stop) {
    loop {
        let ended = expire_some(&pool).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "deadlines cannot be looked for now");
            0
        });
        if ended > 0 {
            tracing::debug!(ended, "waits have expired");
            bell.ring();
        }
        let pause = if i64::try_from(ended) == Ok(BATCH) { Duration::ZERO } else { DEADLINES };
        if stop.within(pause).await {
            return;
        }
    }
}

/// One transaction of [`expire`]: how many waits it ended.
///
/// # Errors
///
/// When the database fails.
pub async fn expire_some(pool: &Pool) -> Result<usize, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let ended = close::expire(&mut transaction, BATCH).await?;
    transaction.commit().await?;
    Ok(ended)
}

/// Removes records that ended longer ago than `keep`, in small batches, until it is asked to stop.
pub async fn remove_old(pool: Pool, keep: Duration, mut stop: Stop) {
    loop {
        let removed = store::remove_old(&pool, keep, BATCH).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old records cannot be removed now");
            0
        });
        let pause = if i64::try_from(removed) == Ok(BATCH) { Duration::ZERO } else { OLD };
        if stop.within(pause).await {
            return;
        }
    }
}
