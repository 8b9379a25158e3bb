//! Requests that were answered, counted by each thread for itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;

use super::labels::{RequestLabels, RouteLabels};
use crate::threads::PerThread;

/// Upper bounds of buckets: from an answer out of memory to one that ran into its deadline. The last bucket has none.
const BOUNDS: [Duration; 11] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
];

/// Statuses that a thread counts of a route without help.
const STATUSES: usize = 12;

/// What one thread counts of one method of one route.
#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    /// 0 is none yet.
    statuses: [(AtomicU16, AtomicU64); STATUSES],
}

/// What is counted of one method of one route.
#[derive(Debug, Default)]
pub struct RouteMetrics {
    counts: PerThread<Counts>,
    /// Of statuses that a thread had no room for.
    rest: Mutex<BTreeMap<u16, u64>>,
}

impl RouteMetrics {
    /// Counts a request that was answered.
    pub fn answered(&self, status: u16, took: Duration) {
        let counts = self.counts.own();
        let bucket = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        if let Some(bucket) = counts.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counts.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        for (of, count) in &counts.statuses {
            let is_it = match of.load(Ordering::Relaxed) {
                // Another thread may have this place, too.
                0 => match of.compare_exchange(0, status, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => true,
                    Err(other) => other == status,
                },
                other => other == status,
            };
            if is_it {
                count.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
        *lock(&self.rest).entry(status).or_default() += 1;
    }

    fn by_status(&self) -> BTreeMap<u16, u64> {
        let mut all = lock(&self.rest).clone();
        for (status, count) in self.counts.iter().flat_map(|counts| &counts.statuses) {
            let status = status.load(Ordering::Relaxed);
            if status != 0 {
                *all.entry(status).or_default() += count.load(Ordering::Relaxed);
            }
        }
        all
    }

    fn buckets(&self) -> [u64; BOUNDS.len() + 1] {
        let mut all = [0; BOUNDS.len() + 1];
        for counts in self.counts.iter() {
            let both = all.iter_mut().zip(&counts.buckets);
            both.for_each(|(all, count)| *all += count.load(Ordering::Relaxed));
        }
        all
    }

    fn seconds(&self) -> f64 {
        let of_thread = |counts: &Counts| Duration::from_nanos(counts.nanoseconds.load(Ordering::Relaxed));
        self.counts.iter().map(of_thread).sum::<Duration>().as_secs_f64()
    }
}

/// Every method of every route that was asked for.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<BTreeMap<RouteLabels, Arc<RouteMetrics>>>);

impl Requests {
    pub(super) fn of_route(&self, labels: RouteLabels) -> Arc<RouteMetrics> {
        lock(&self.0).entry(labels).or_default().clone()
    }
}

/// Every number that each thread counts for itself.
#[derive(Debug, Default)]
pub(super) struct OfThreads {
    pub(super) requests: Requests,
    /// Reads of an account's installs that the database was not asked for, and those that it was.
    pub(super) installs_known: Counted,
    pub(super) installs_read: Counted,
}

impl Collector for OfThreads {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, counted) in [
            (
                "installs_known",
                "Reads of an account's installs that the database was not asked for.",
                &self.installs_known,
            ),
            ("installs_read", "Reads of an account's installs that the database was asked for.", &self.installs_read),
        ] {
            let mut number = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            number.encode_counter(&counted.sum(), None::<&Exemplar<NoLabelSet, u64>>)?;
        }
        let all: Vec<_> =
            lock(&self.requests.0).iter().map(|(labels, counted)| (labels.clone(), counted.clone())).collect();
        let mut requests =
            encoder.encode_descriptor("http_requests", "Requests that were answered.", None, MetricType::Counter)?;
        for (RouteLabels { method, route }, counted) in &all {
            for (status, count) in counted.by_status() {
                let labels = RequestLabels { method, route, status };
                requests.encode_family(&labels)?.encode_counter(&count, None::<&Exemplar<NoLabelSet, u64>>)?;
            }
        }
        let mut durations = encoder.encode_descriptor(
            "http_request_duration",
            "From a request's head to its answer's.",
            Some(&Unit::Seconds),
            MetricType::Histogram,
        )?;
        for (labels, counted) in &all {
            let counts = counted.buckets();
            let bounds = BOUNDS.iter().map(Duration::as_secs_f64).chain(std::iter::once(f64::INFINITY));
            let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
            let (seconds, count) = (counted.seconds(), counts.iter().sum());
            durations.encode_family(labels)?.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }
}

/// A number that each thread counts for itself.
#[derive(Debug, Default)]
pub(super) struct Counted(PerThread<AtomicU64>);

impl Counted {
    pub(super) fn inc(&self) {
        self.0.own().fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sum(&self) -> u64 {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_and_time_is_counted_however_many_there_are() {
        let counted = RouteMetrics::default();
        let statuses = 200..200 + 2 * u16::try_from(STATUSES).unwrap();
        for status in statuses.clone().chain(statuses.clone().rev()) {
            counted.answered(status, Duration::from_micros(2_500));
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                crate::threads::answers_requests(0);
                counted.answered(404, Duration::from_secs(11));
            });
        });
        let mut expected: BTreeMap<u16, u64> = statuses.map(|status| (status, 2)).collect();
        expected.insert(404, 1);
        assert_eq!(counted.by_status(), expected);
        let buckets = counted.buckets();
        assert_eq!(
            (buckets[1], buckets[11], buckets.iter().sum::<u64>()),
            (4 * STATUSES as u64, 1, 4 * STATUSES as u64 + 1)
        );
        assert!((counted.seconds() - (11.0 + 0.0025 * 48.0)).abs() < 1e-6);
    }
}
