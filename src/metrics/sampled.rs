//! Numbers that are read from the database now and then.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{BotLabels, BotTypeLabels, DeliveryLabels, WayLabels};

/// What was read at one time.
#[derive(Debug, Default)]
pub struct Sample {
    /// Bots that wait, for each kind of bot.
    pub waiting: Vec<Waiting>,
    /// The bots that wait longest, a few.
    pub oldest_bots: Vec<OldestBot>,
    /// Deliveries that are not over, for each way.
    pub deliveries: Vec<Deliveries>,
}

/// Records of one kind of bot that wait.
#[derive(Debug)]
pub struct Waiting {
    /// The kind.
    pub bot_type: &'static str,
    /// How many.
    pub count: i64,
    /// Seconds for which the first has waited; 0 when none waits.
    pub oldest: f64,
}

/// A bot that has waited for long.
#[derive(Debug)]
pub struct OldestBot {
    /// Its kind.
    pub bot_type: &'static str,
    /// Its account.
    pub account: i64,
    /// Its number.
    pub id: i64,
    /// Seconds for which its first record has waited.
    pub oldest: f64,
}

/// Deliveries of one way.
#[derive(Debug)]
pub struct Deliveries {
    /// The way.
    pub way: &'static str,
    /// Those that wait for their turn or their next try.
    pub ready: i64,
    /// Those that somebody tries.
    pub leased: i64,
    /// Those that were given up.
    pub dead: i64,
    /// Seconds since the acceptance of the first that is ready; 0 when none is.
    pub oldest_ready: f64,
}

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Debug, Default)]
pub(super) struct Gauges {
    waiting: Family<BotTypeLabels, Gauge>,
    oldest_waiting: Family<BotTypeLabels, Seconds>,
    oldest_of_bot: Family<BotLabels, Seconds>,
    deliveries: Family<DeliveryLabels, Gauge>,
    oldest_ready: Family<WayLabels, Seconds>,
}

impl Gauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        registry.register("continuations_waiting", "Bots that wait for a widget", gauges.waiting.clone());
        registry.register_with_unit(
            "continuations_oldest_waiting_age",
            "For how long the first of these has waited",
            Unit::Seconds,
            gauges.oldest_waiting.clone(),
        );
        registry.register_with_unit(
            "continuations_bot_oldest_waiting_age",
            "The same for the bots that wait longest",
            Unit::Seconds,
            gauges.oldest_of_bot.clone(),
        );
        registry.register("deliveries", "Deliveries that are not over, and dead ones", gauges.deliveries.clone());
        registry.register_with_unit(
            "deliveries_oldest_ready_age",
            "Since the acceptance of the first delivery that is ready",
            Unit::Seconds,
            gauges.oldest_ready.clone(),
        );
        gauges
    }

    pub(super) fn replace(&self, sample: &Sample) {
        for waiting in &sample.waiting {
            let labels = BotTypeLabels { bot_type: waiting.bot_type };
            self.waiting.get_or_create(&labels).set(waiting.count);
            self.oldest_waiting.get_or_create(&labels).set(waiting.oldest);
        }
        self.oldest_of_bot.clear();
        for bot in &sample.oldest_bots {
            let labels = BotLabels { bot_type: bot.bot_type, account_id: bot.account, bot_id: bot.id };
            self.oldest_of_bot.get_or_create(&labels).set(bot.oldest);
        }
        for deliveries in &sample.deliveries {
            let way = deliveries.way;
            for (state, count) in
                [("ready", deliveries.ready), ("leased", deliveries.leased), ("dead", deliveries.dead)]
            {
                self.deliveries.get_or_create(&DeliveryLabels { way, state }).set(count);
            }
            self.oldest_ready.get_or_create(&WayLabels { way }).set(deliveries.oldest_ready);
        }
    }
}
