//! The sweeper: ends waits whose deadline has passed, and removes records that were kept long enough.

use std::time::Duration;

use super::{close, store};
use crate::background::{Bell, Stop, in_batches};
use crate::database::{Failure, Pool};

/// Records that are handled in one transaction.
const BATCH: i64 = 200;

/// Time between two looks for deadlines: a wait ends within about a second of its own.
const DEADLINES: Duration = Duration::from_millis(500);

/// Time between two looks for records that are old enough.
const OLD: Duration = Duration::from_mins(1);

/// Ends waits whose deadline has passed, until it is asked to stop.
pub async fn expire(pool: Pool, bell: Bell, stop: Stop) {
    in_batches("waits past their deadline", BATCH, DEADLINES, stop, |most| expire_some(&pool, &bell, most)).await;
}

/// One transaction of [`expire`]: ends at most so many waits, and tells how many it ended.
async fn expire_some(pool: &Pool, bell: &Bell, most: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let ended = close::expire(&mut transaction, most).await?;
    transaction.commit().await?;
    if ended > 0 {
        bell.ring();
    }
    Ok(u64::try_from(ended).unwrap_or(u64::MAX))
}

/// Removes records that ended longer ago than `keep`, in small batches, until it is asked to stop.
pub async fn remove_old(pool: Pool, keep: Duration, stop: Stop) {
    in_batches("old records", BATCH, OLD, stop, |most| store::remove_old(&pool, keep, most)).await;
}
