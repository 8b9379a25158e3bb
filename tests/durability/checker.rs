//! Compares what was asked for with what arrived. Knows no server and no clock: a history goes in, findings come out.
//!
//! Times are microseconds of one monotonic clock, that of the driver.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

/// What a client knows of a request that it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 202.
    Acknowledged,
    /// A 4xx, or there was no connection to send it on: nothing has happened.
    Refused,
    /// A 5xx, a reset, no answer in time: it may have happened.
    Unknown,
}

/// A continue that was sent.
#[derive(Debug, Clone)]
pub struct Operation {
    /// What its data carries. Only repeats of the same request share it.
    pub number: u64,
    /// The bot that is to go on.
    pub bot: i64,
    /// The record at which it waits.
    pub record: i64,
    /// Before the request was sent.
    pub invoked: u64,
    /// After its outcome was known.
    pub ended: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// An event that reached the engine, pushed or fetched.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The event's id, the same at every try.
    pub webhook_id: String,
    /// The bot that it names.
    pub bot: i64,
    /// The record that it names.
    pub record: i64,
    /// The number in its data; `None` when it is not what a continue sends.
    pub number: Option<u64>,
    /// Its bytes.
    pub body: Vec<u8>,
    /// When the engine had all of it.
    pub at: u64,
}

/// A lease of a fetched event that was given to the engine.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Of which event.
    pub webhook_id: String,
    /// The how manieth.
    pub attempt: u64,
    /// When the engine had it.
    pub at: u64,
}

/// An `ack` or `nack` that the service has accepted.
#[derive(Debug, Clone)]
pub struct Conclusion {
    /// Of which event.
    pub webhook_id: String,
    /// By which lease.
    pub attempt: u64,
    /// Before it was sent.
    pub invoked: u64,
}

/// Everything that was seen.
#[derive(Debug, Default, Clone)]
pub struct History {
    /// All continues.
    pub operations: Vec<Operation>,
    /// All arrivals.
    pub arrivals: Vec<Arrival>,
    /// All leases of fetched events.
    pub grants: Vec<Grant>,
    /// All accepted results of those leases.
    pub conclusions: Vec<Conclusion>,
    /// Records that the service showed as continued at the end, whatever their continues were answered.
    pub shown_continued: Vec<i64>,
}

/// What is wrong, a sentence each.
#[derive(Debug, Default)]
pub struct Findings {
    /// Acknowledged or shown as continued, and never arrived.
    pub lost: Vec<String>,
    /// Arrived, and never asked for, or not like this.
    pub invented: Vec<String>,
    /// More than one effect of what may have one.
    pub doubles: Vec<String>,
    /// Arrived before what was acknowledged before it was asked for.
    pub inversions: Vec<String>,
    /// Results of leases that were over, and were accepted.
    pub stale: Vec<String>,
}

impl Findings {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.kinds().iter().all(|(_, found)| found.is_empty())
    }

    /// Name and findings of each kind.
    pub fn kinds(&self) -> [(&'static str, &[String]); 5] {
        [
            ("lost", &self.lost),
            ("invented", &self.invented),
            ("doubles", &self.doubles),
            ("inversions", &self.inversions),
            ("stale results", &self.stale),
        ]
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds().map(|(name, found)| format!("{name} {}", found.len()));
        f.write_str(&kinds.join(", "))
    }
}

/// Looks for everything that may not be.
pub fn check(history: &History) -> Findings {
    Findings {
        lost: lost(history),
        invented: invented(history),
        doubles: doubles(history),
        inversions: inversions(history),
        stale: stale(history),
    }
}

fn acknowledged(history: &History) -> impl Iterator<Item = &Operation> {
    history.operations.iter().filter(|operation| operation.outcome == Outcome::Acknowledged)
}

fn lost(history: &History) -> Vec<String> {
    let numbers: HashSet<u64> = history.arrivals.iter().filter_map(|arrival| arrival.number).collect();
    let records: HashSet<i64> = history.arrivals.iter().map(|arrival| arrival.record).collect();
    let missing: BTreeMap<u64, i64> = acknowledged(history)
        .filter(|operation| !numbers.contains(&operation.number))
        .map(|operation| (operation.number, operation.record))
        .collect();
    let silent: BTreeSet<i64> = history
        .shown_continued
        .iter()
        .copied()
        .filter(|record| !records.contains(record) && !missing.values().any(|named| named == record))
        .collect();
    let acknowledged =
        missing.iter().map(|(number, record)| format!("continue {number} of record {record} was acknowledged"));
    acknowledged.chain(silent.iter().map(|record| format!("record {record} is shown as continued"))).collect()
}

fn invented(history: &History) -> Vec<String> {
    let mut asked: HashMap<u64, Vec<&Operation>> = HashMap::new();
    for operation in &history.operations {
        asked.entry(operation.number).or_default().push(operation);
    }
    let wrong = |arrival: &Arrival| {
        let Some(operations) = arrival.number.and_then(|number| asked.get(&number)) else {
            return Some("nobody asked for it");
        };
        let fits = |operation: &&Operation| operation.bot == arrival.bot && operation.record == arrival.record;
        if !operations.iter().any(fits) {
            return Some("it was asked for another record");
        }
        if operations.iter().all(|operation| operation.outcome == Outcome::Refused) {
            return Some("it was refused");
        }
        operations.iter().all(|operation| operation.invoked > arrival.at).then_some("it came before it was asked for")
    };
    let mut seen = HashSet::new();
    let first = history.arrivals.iter().filter(|arrival| seen.insert((&arrival.webhook_id, arrival.number)));
    first
        .filter_map(|arrival| {
            let why = wrong(arrival)?;
            Some(format!("{} with {:?} of record {}: {why}", arrival.webhook_id, arrival.number, arrival.record))
        })
        .collect()
}

fn doubles(history: &History) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut bodies: HashMap<&str, &Arrival> = HashMap::new();
    let mut ids: HashMap<i64, &str> = HashMap::new();
    for arrival in &history.arrivals {
        let first = bodies.entry(&arrival.webhook_id).or_insert(arrival);
        if first.body != arrival.body {
            found.insert(format!("{} came with other bytes", arrival.webhook_id));
        }
        let first = ids.entry(arrival.record).or_insert(&arrival.webhook_id);
        if *first != arrival.webhook_id {
            found.insert(format!("record {} has two events, {first} and {}", arrival.record, arrival.webhook_id));
        }
    }
    let mut winners: HashMap<i64, u64> = HashMap::new();
    for operation in acknowledged(history) {
        let first = winners.entry(operation.record).or_insert(operation.number);
        if *first != operation.number {
            found.insert(format!("record {} was continued by {first} and {}", operation.record, operation.number));
        }
    }
    found.into_iter().collect()
}

/// Within a bot: what was acknowledged before another continue was sent arrives before it.
fn inversions(history: &History) -> Vec<String> {
    let mut arrived: HashMap<u64, u64> = HashMap::new();
    for arrival in &history.arrivals {
        let Some(number) = arrival.number else { continue };
        let first = arrived.entry(number).or_insert(arrival.at);
        *first = arrival.at.min(*first);
    }
    // A number counts as sent when it was first sent, and as acknowledged when it was first acknowledged.
    let (mut sent, mut known) = (BTreeMap::new(), BTreeMap::new());
    for operation in &history.operations {
        let Some(at) = arrived.get(&operation.number) else { continue };
        let key = (operation.bot, operation.number);
        let first = sent.entry(key).or_insert((operation.invoked, *at));
        first.0 = first.0.min(operation.invoked);
        if operation.outcome == Outcome::Acknowledged {
            let first = known.entry(key).or_insert((operation.ended, *at));
            first.0 = first.0.min(operation.ended);
        }
    }
    let mut bots: BTreeMap<i64, (Vec<Moment>, Vec<Moment>)> = BTreeMap::new();
    for ((bot, number), (time, arrived)) in sent {
        bots.entry(bot).or_default().0.push(Moment { time, arrived, number });
    }
    for ((bot, number), (time, arrived)) in known {
        bots.entry(bot).or_default().1.push(Moment { time, arrived, number });
    }
    bots.into_iter().flat_map(|(bot, (sent, known))| inversions_of(bot, sent, known)).collect()
}

/// When something was sent or known, and when it arrived.
#[derive(Debug, Clone, Copy)]
struct Moment {
    time: u64,
    arrived: u64,
    number: u64,
}

fn inversions_of(bot: i64, mut sent: Vec<Moment>, mut known: Vec<Moment>) -> Vec<String> {
    sent.sort_by_key(|moment| moment.time);
    known.sort_by_key(|moment| moment.time);
    let mut known = known.into_iter().peekable();
    // Of all that was known by then, what arrived last.
    let mut latest: Option<Moment> = None;
    let mut found = Vec::new();
    for later in sent {
        while let Some(earlier) = known.next_if(|earlier| earlier.time < later.time) {
            latest = latest.filter(|latest| latest.arrived >= earlier.arrived).or(Some(earlier));
        }
        if let Some(earlier) = latest.filter(|earlier| earlier.arrived > later.arrived) {
            found.push(format!("bot {bot}: continue {} arrived before {}", later.number, earlier.number));
        }
    }
    found
}

/// A result counts only while its lease is the last one.
fn stale(history: &History) -> Vec<String> {
    let mut grants: HashMap<&str, Vec<&Grant>> = HashMap::new();
    for grant in &history.grants {
        grants.entry(&grant.webhook_id).or_default().push(grant);
    }
    let newer = |conclusion: &Conclusion| {
        let grants = grants.get(conclusion.webhook_id.as_str())?;
        grants.iter().find(|grant| grant.attempt > conclusion.attempt && grant.at < conclusion.invoked)
    };
    let sentence = |conclusion: &Conclusion| {
        let (id, attempt) = (&conclusion.webhook_id, conclusion.attempt);
        Some(format!(
            "{id}: the result of try {attempt} was accepted after try {} had begun",
            newer(conclusion)?.attempt
        ))
    };
    history.conclusions.iter().filter_map(sentence).collect()
}
