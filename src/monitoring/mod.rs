//! The numbers to watch: those that are in the database are sampled now and then, and all of them are told at `/metrics`.

pub mod api;
pub mod store;

use std::sync::Arc;
use std::time::Duration;

use crate::background::Stop;
use crate::continuations::BotType;
use crate::database::{Failure, Pool};
use crate::delivery::{State, Way};
use crate::metrics::{Deliveries, Metrics, Sample, Waiting};

/// Time between two samples.
const PAUSE: Duration = Duration::from_secs(10);

/// Rows that are counted at most: a number as high as this means that many or more, and costs no more to read.
pub const COUNTED: i64 = 100_000;

/// Bots that are told of one by one.
const OLDEST_BOTS: i64 = 20;

/// Takes samples until it is asked to stop. One that fails leaves the last one in place, whose age tells.
pub async fn watch(pool: Pool, metrics: Arc<Metrics>, mut stop: Stop) {
    loop {
        match sample(&pool).await {
            Ok(sample) => metrics.sampled(&sample),
            Err(error) => tracing::warn!(%error, "waits and deliveries cannot be counted now"),
        }
        if stop.within(PAUSE).await {
            return;
        }
    }
}

/// Reads the numbers that are in the database, each in a statement of its own.
///
/// # Errors
///
/// When the database fails.
pub async fn sample(pool: &Pool) -> Result<Sample, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let all = &mut transaction;
    let mut sample = Sample { oldest_bots: store::oldest_bots(all, OLDEST_BOTS).await?, ..Sample::default() };
    for kind in [BotType::Salesbot, BotType::Marketingbot] {
        sample.waiting.push(Waiting {
            bot_type: kind.as_str(),
            count: store::waiting(all, kind, COUNTED).await?,
            oldest: store::oldest_waiting(all, kind).await?.unwrap_or_default(),
        });
    }
    for way in [Way::Push, Way::Pull, Way::Call] {
        sample.deliveries.push(Deliveries {
            way: way.as_str(),
            ready: store::deliveries(all, way, State::Ready, COUNTED).await?,
            leased: store::deliveries(all, way, State::Leased, COUNTED).await?,
            dead: store::deliveries(all, way, State::Dead, COUNTED).await?,
            oldest_ready: store::oldest_ready(all, way).await?.unwrap_or_default(),
        });
    }
    Ok(sample)
}
