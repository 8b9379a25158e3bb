//! What can be seen of deliveries: where each stands, how its tries ended, and how long that is kept.

pub mod api;
pub mod store;

use std::time::Duration;

use crate::background::{Stop, in_batches};
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
pub async fn remove_old(pool: Pool, retention: Retention, stop: Stop) {
    in_batches("old deliveries", BATCH, PAUSE, stop, |most| store::remove_old(&pool, retention, most)).await;
}
