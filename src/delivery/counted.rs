//! What is counted of tries.

use super::lease::{Finished, Leased};
use super::{Outcome, Way};
use crate::metrics::Metrics;

/// Tries that nobody was heard of again were ended by taking their events over.
pub(super) fn taken(metrics: &Metrics, taken: &[Leased]) {
    for leased in taken.iter().filter(|leased| leased.abandoned) {
        metrics.tried(leased.lease.way.as_str(), "abandoned");
    }
}

/// A try that ended, and how long the event took when it arrived with that. One that ended after its lease is no try any more.
pub(super) fn finished(metrics: &Metrics, way: Way, outcome: Outcome, finished: Finished) {
    if finished == Finished::Stale {
        return;
    }
    metrics.tried(way.as_str(), outcome.as_str());
    // A call goes to a widget, not to the engine.
    if let (Outcome::Delivered, Way::Push | Way::Pull, Finished::Closed { after, .. }) = (outcome, way, finished) {
        metrics.arrived(way.as_str(), after);
    }
}
