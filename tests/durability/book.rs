//! What the driver writes down while everything runs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::watch;

use crate::checker::{History, Operation, Outcome};

/// A request of any kind, for the check that a server which is asked to stop answers those that it has begun.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// To which server.
    pub server: usize,
    /// Before it was sent.
    pub invoked: u64,
    /// When its end was known.
    pub ended: u64,
    /// No answer came back.
    pub cut: bool,
}

/// A server was asked to stop.
#[derive(Debug, Clone, Copy)]
pub struct Termination {
    /// Which server.
    pub server: usize,
    /// Just before the signal.
    pub at: u64,
}

/// The history in the making, and counters for the report.
#[derive(Debug)]
pub struct Book {
    began: Instant,
    history: Mutex<History>,
    requests: Mutex<Vec<Request>>,
    terminations: Mutex<Vec<Termination>>,
    counts: Mutex<BTreeMap<String, u64>>,
    numbers: AtomicU64,
    acknowledged: AtomicU64,
    clients_end: AtomicBool,
    engine_ends: AtomicBool,
    /// Tells of every change of the history and of the end of the engine.
    changes: watch::Sender<()>,
}

/// A request that was sent this long before the signal has been read by the server.
const BEGUN: u64 = 50_000;

impl Book {
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            history: Mutex::default(),
            requests: Mutex::default(),
            terminations: Mutex::default(),
            counts: Mutex::default(),
            numbers: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            clients_end: AtomicBool::new(false),
            engine_ends: AtomicBool::new(false),
            changes: watch::Sender::new(()),
        }
    }

    /// Microseconds since the beginning.
    pub fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    /// A number that no other continue has.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub fn write<T>(&self, write: impl FnOnce(&mut History) -> T) -> T {
        let written = write(&mut self.history.lock().unwrap());
        self.changes.send_replace(());
        written
    }

    /// Looks at what was written down.
    pub fn read<T>(&self, read: impl FnOnce(&History) -> T) -> T {
        read(&self.history.lock().unwrap())
    }

    /// Waits until this is so.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let mut changes = self.changes.subscribe();
        while !is_so(self) {
            changes.changed().await.unwrap();
        }
    }

    /// A continue has ended.
    pub fn operation(&self, operation: Operation) {
        let name = match operation.outcome {
            Outcome::Acknowledged => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                "continues acknowledged"
            }
            Outcome::Refused => "continues refused",
            Outcome::Unknown => "continues unknown",
        };
        self.count(name);
        self.write(|history| history.operations.push(operation));
    }

    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub fn request(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }

    pub fn terminated(&self, server: usize, at: u64) {
        self.terminations.lock().unwrap().push(Termination { server, at });
    }

    /// Requests that a server had begun when it was asked to stop: how many, and how many got no answer.
    pub fn in_flight(&self) -> (usize, usize) {
        let (requests, terminations) = (self.requests.lock().unwrap(), self.terminations.lock().unwrap());
        let in_flight = |request: &&Request| {
            terminations.iter().any(|stop| {
                stop.server == request.server && request.invoked + BEGUN < stop.at && request.ended > stop.at
            })
        };
        let found: Vec<_> = requests.iter().filter(in_flight).collect();
        (found.len(), found.iter().filter(|request| request.cut).count())
    }

    pub fn count(&self, name: &str) {
        *self.counts.lock().unwrap().entry(name.to_owned()).or_default() += 1;
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap().clone()
    }

    pub fn end_clients(&self) {
        self.clients_end.store(true, Ordering::Relaxed);
    }

    pub fn clients_end(&self) -> bool {
        self.clients_end.load(Ordering::Relaxed)
    }

    pub fn end_engine(&self) {
        self.engine_ends.store(true, Ordering::Relaxed);
        self.changes.send_replace(());
    }

    pub fn engine_ends(&self) -> bool {
        self.engine_ends.load(Ordering::Relaxed)
    }
}

/// Random numbers that a seed repeats.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 to `below`, without it. This is `SplitMix64`.
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    /// True so many times of a thousand.
    pub fn in_thousand(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// Another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, usize::try_from(self.below(last as u64 + 1)).unwrap());
        }
    }
}
