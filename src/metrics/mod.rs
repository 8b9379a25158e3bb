//! What is counted and timed while the service works, and the text that tells it. Knows no feature; holds no state that anything
//! else depends on.

mod labels;
mod requests;
mod sampled;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use labels::{AttemptLabels, ConnectionLabels, ModeLabels, RouteLabels, WayLabels};
use requests::OfThreads;
use sampled::Gauges;

pub use requests::RouteMetrics;
pub use sampled::{Deliveries, OldestBot, Sample, Waiting};

/// What [`Metrics::text`] is written in.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from an engine that listens to one that was down for an hour.
const ARRIVAL_SECONDS: [f64; 15] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

/// Every number of one running service.
pub struct Metrics {
    registry: Registry,
    of_threads: Arc<OfThreads>,
    attempts: Family<AttemptLabels, Counter>,
    arrivals: Family<WayLabels, Histogram, fn() -> Histogram>,
    connections: Family<ConnectionLabels, Gauge>,
    most_connections: Gauge,
    catalogue_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    catalogue_widgets: Gauge,
    install_memory: Family<ModeLabels, Gauge>,
    sampled: Gauges,
    sample_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    // When the last sample was taken. Held while one is written or told, so that none is told half.
    sampled_at: Mutex<Option<Instant>>,
    started: Instant,
    revocations_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    keys_behind: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("widget_registry");
        let metrics = Self {
            of_threads: Arc::default(),
            attempts: Family::default(),
            arrivals: Family::new_with_constructor(|| Histogram::new(ARRIVAL_SECONDS)),
            connections: Family::default(),
            most_connections: Gauge::default(),
            catalogue_age: Gauge::default(),
            catalogue_widgets: Gauge::default(),
            install_memory: Family::default(),
            sampled: Gauges::register(&mut registry),
            sample_age: Gauge::default(),
            sampled_at: Mutex::new(None),
            started: Instant::now(),
            revocations_age: Gauge::default(),
            keys_behind: Gauge::default(),
            registry: Registry::default(),
        };
        let info = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", info);
        registry.register_collector(Box::new(metrics.of_threads.clone()));
        registry.register("delivery_attempts", "Tries that ended, by how", metrics.attempts.clone());
        registry.register_with_unit(
            "accept_to_engine",
            "From the acceptance of an event to the engine's word that it has it",
            Unit::Seconds,
            metrics.arrivals.clone(),
        );
        registry.register("database_connections", "Connections of the pool that are open", metrics.connections.clone());
        registry.register(
            "database_connections_max",
            "Connections that the pool opens at most",
            metrics.most_connections.clone(),
        );
        registry.register_with_unit(
            "catalogue_age",
            "Since the catalogue in memory was last compared with the database",
            Unit::Seconds,
            metrics.catalogue_age.clone(),
        );
        registry.register("catalogue_widgets", "Widgets in memory", metrics.catalogue_widgets.clone());
        registry.register(
            "install_memory",
            "How installs are remembered: none, bounded or only_writer",
            metrics.install_memory.clone(),
        );
        registry.register_with_unit(
            "sample_age",
            "Since the numbers of waits and deliveries were last read from the database, or since the start",
            Unit::Seconds,
            metrics.sample_age.clone(),
        );
        registry.register_with_unit(
            "revocations_age",
            "Since the database was last asked which tokens are revoked",
            Unit::Seconds,
            metrics.revocations_age.clone(),
        );
        registry.register(
            "token_keys_behind",
            "1 while the files of keys cannot be used, so that older keys are in force",
            metrics.keys_behind.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// What is counted of a method of a route, by the route table's path.
    #[must_use]
    pub fn of_route(&self, method: &str, route: &'static str) -> Arc<RouteMetrics> {
        self.of_threads.requests.of_route(RouteLabels { method: labels::method(method), route })
    }

    /// Counts a try that ended.
    pub fn tried(&self, way: &'static str, outcome: &'static str) {
        self.attempts.get_or_create(&AttemptLabels { way, outcome }).inc();
    }

    /// Notes how long an event took from its acceptance to its receiver.
    pub fn arrived(&self, way: &'static str, after: Duration) {
        self.arrivals.get_or_create(&WayLabels { way }).observe(after.as_secs_f64());
    }

    /// Notes how many connections of the database's pool are open, how many of these are idle, and how many there may be.
    pub fn connections(&self, open: u32, idle: usize, most: u32) {
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        self.connections.get_or_create(&ConnectionLabels { state: "idle" }).set(idle);
        // The two were read one after the other.
        self.connections.get_or_create(&ConnectionLabels { state: "in_use" }).set((i64::from(open) - idle).max(0));
        self.most_connections.set(i64::from(most));
    }

    /// Notes how old the catalogue in memory is, and how many widgets it has.
    pub fn catalogue(&self, age: Duration, widgets: usize) {
        self.catalogue_age.set(age.as_secs_f64());
        self.catalogue_widgets.set(i64::try_from(widgets).unwrap_or(i64::MAX));
    }

    /// Counts a read of an account's installs that the database was not asked for.
    pub fn installs_were_known(&self) {
        self.of_threads.installs_known.inc();
    }

    /// Counts one that it was asked for.
    pub fn installs_were_read(&self) {
        self.of_threads.installs_read.inc();
    }

    /// Tells how installs are remembered.
    pub fn install_memory(&self, mode: &'static str) {
        self.install_memory.get_or_create(&ModeLabels { mode }).set(1);
    }

    /// Notes how old what is known of revoked tokens is, and whether older keys than those of the files are in force.
    pub fn tokens(&self, revocations_age: Duration, keys_behind: bool) {
        self.revocations_age.set(revocations_age.as_secs_f64());
        self.keys_behind.set(i64::from(keys_behind));
    }

    /// Takes the place of the sample before.
    pub fn sampled(&self, sample: &Sample) {
        let mut sampled_at = self.sampled_at();
        self.sampled.replace(sample);
        *sampled_at = Some(Instant::now());
    }

    /// All of it, as [`CONTENT_TYPE`].
    ///
    /// # Errors
    ///
    /// When a number cannot be written, which none of ours is known to cause.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let sampled_at = self.sampled_at();
        self.sample_age.set(sampled_at.unwrap_or(self.started).elapsed().as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn sampled_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.sampled_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
