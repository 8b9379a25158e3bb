//! What can be seen of deliveries: where each stands, how its tries ended, and how long that is kept.

pub mod api;
pub mod store;

use std::time::Duration;

use crate::background::Stop;
use crate::database::Pool;

/// Deliveries that are removed in one transaction.
const BATCH: i64 = 500;

/// Time between two looks for deliveries that are old enough.
const PAUSE: Duration = Duration::from_mins(1);

/// How long deliveries are kept after their end.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// Delivered and withdrawn ones.
    pub delivered: Duration,
    /// Dead ones.
    pub dead: Duration,
}

/// Removes deliveries that were kept long enough, in small batches, until it is asked to stop.
pub async fn remove_old(pool: Pool, retention: Retention, mut stop: Stop) {
    loop {
        let removed = store::remove_old(&pool, retention, BATCH).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "old deliveries cannot be removed now");
            0
        });
        if removed > 0 {
            tracing::debug!(removed, "old deliveries were removed");
        }
        let pause = if i64::try_from(removed) == Ok(BATCH) { Duration::ZERO } else { PAUSE };
        if stop.within(pause).await {
            return;
        }
    }
}
