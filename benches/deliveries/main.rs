//! Measures deliveries against the targets of the service; `docs/BENCHMARKS.md` has what came out.
#![expect(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a driver that fails by panicking, whose output is its table"
)]

mod engine;
mod service;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use engine::{Engine, Ledger};
use service::{Client, Continued, Service};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Bots that events are spread over: those of one bot wait for each other.
const BOTS: u64 = 500;

/// Seconds, and counts, of every step.
#[derive(Clone, Copy)]
struct Sizes {
    steady: u64,
    heavy: u64,
    closed: u64,
    queued: usize,
    rounds: usize,
}

const FULL: Sizes = Sizes { steady: 30, heavy: 60, closed: 10, queued: 10_000, rounds: 3 };
const SHORT: Sizes = Sizes { steady: 2, heavy: 2, closed: 1, queued: 200, rounds: 1 };

fn main() {
    let sizes = if std::env::args().any(|argument| argument == "--short") { SHORT } else { FULL };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(run(sizes));
}

async fn run(sizes: Sizes) {
    let service = Service::start().await;
    let mut engine = Engine::start().await;
    let client = service.client.clone();
    println!("| what | measured |\n| --- | --- |");
    // Connections, statements and caches are there before anything counts.
    closed_loop(&client, 4, Duration::from_secs(2), Some(&engine)).await;
    at_rate(&client, &engine, 100, sizes.steady).await;
    at_rate(&client, &engine, 300, sizes.heavy).await;
    most_per_second(&client, &engine, Duration::from_secs(sizes.closed)).await;
    beside_a_bad_engine(&client, &engine, sizes).await;
    after_an_outage(&client, &mut engine, sizes.queued).await;
    service.stop();
}

fn row(what: &str, measured: &str) {
    println!("| {what} | {measured} |");
}

/// The value below which this part of them lies, in milliseconds.
fn part(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = (((times.len() - 1) as f64) * part).round() as usize;
    times[place].as_secs_f64() * 1_000.0
}

fn spread(mut times: Vec<Duration>) -> String {
    format!("p50 {:.1} ms, p99 {:.1} ms", part(&mut times, 0.5), part(&mut times, 0.99))
}

/// Waits until the engine has all of them; returns how long each took, from the answer and from the request.
async fn until_received(ledger: &Ledger, all: &[Continued]) -> (Vec<Duration>, Vec<Duration>) {
    let end = Instant::now() + Duration::from_mins(5);
    let (mut from_answer, mut from_request) = (Vec::new(), Vec::new());
    for continued in all {
        let received = loop {
            if let Some(received) = ledger.when(continued.record) {
                break received;
            }
            assert!(Instant::now() < end, "an event did not come within five minutes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        from_answer.push(received.saturating_duration_since(continued.answered));
        from_request.push(received.saturating_duration_since(continued.sent));
    }
    (from_answer, from_request)
}

/// So many records a second, whether or not those before are answered.
async fn at_rate(client: &Client, engine: &Engine, per_second: u64, seconds: u64) {
    let before = engine.ledger.received();
    let accepted = Arc::new(AtomicU64::new(0));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).unwrap());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut tasks, mut backlogs) = (JoinSet::new(), Vec::new());
    let started = Instant::now();
    for count in 0..per_second * seconds {
        ticks.tick().await;
        let (client, noted) = (client.clone(), accepted.clone());
        let callback = format!("{}/ok", engine.url);
        tasks.spawn(async move {
            let continued = client.open_and_continue(1 + count % BOTS, Some(&callback)).await;
            noted.fetch_add(1, Ordering::SeqCst);
            continued
        });
        if (count + 1) % per_second == 0 {
            let received = engine.ledger.received() - before;
            backlogs.push(accepted.load(Ordering::SeqCst).saturating_sub(received as u64));
        }
    }
    let all = tasks.join_all().await;
    let took = started.elapsed();
    let (from_answer, from_request) = until_received(&engine.ledger, &all).await;
    let name = format!("{per_second} per second for {seconds} s");
    row(&format!("{name}: reached"), &format!("{:.1} per second", all.len() as f64 / took.as_secs_f64()));
    row(&format!("{name}: the 202"), &spread(all.iter().map(Continued::answer_time).collect()));
    row(&format!("{name}: from the 202 to the engine"), &spread(from_answer));
    row(&format!("{name}: from the request to the engine"), &spread(from_request));
    let sixth = backlogs.len().div_ceil(6);
    let mean = |part: &[u64]| part.iter().sum::<u64>() as f64 / part.len() as f64;
    let (first, last) = (mean(&backlogs[..sixth]), mean(&backlogs[backlogs.len() - sixth..]));
    let most = backlogs.iter().max().unwrap();
    row(
        &format!("{name}: accepted and not yet with the engine"),
        &format!("first sixth {first:.1}, last sixth {last:.1}, at most {most}"),
    );
}

/// As many as go, so many at once; returns them and the time they took.
async fn closed_loop(
    client: &Client,
    at_once: u64,
    time: Duration,
    engine: Option<&Engine>,
) -> (Vec<Continued>, Duration) {
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for place in 0..at_once {
        let (client, callback) = (client.clone(), engine.map(|engine| format!("{}/ok", engine.url)));
        tasks.spawn(async move {
            let mut all = Vec::new();
            while started.elapsed() < time {
                let bot = 1 + (place + at_once * all.len() as u64) % BOTS;
                all.push(client.open_and_continue(bot, callback.as_deref()).await);
            }
            all
        });
    }
    let all = tasks.join_all().await.concat();
    (all, started.elapsed())
}

async fn most_per_second(client: &Client, engine: &Engine, time: Duration) {
    let (all, took) = closed_loop(client, 16, time, None).await;
    let alone = all.len() as f64 / took.as_secs_f64();
    let started = Instant::now();
    let (all, _) = closed_loop(client, 16, time, Some(engine)).await;
    until_received(&engine.ledger, &all).await;
    let pushed = all.len() as f64 / started.elapsed().as_secs_f64();
    row("16 at once, nothing pushed (the baseline)", &format!("{alone:.0} opened and continued per second"));
    row("16 at once, every event pushed, until the last is there", &format!("{pushed:.0} per second"));
    row("pushed to baseline", &format!("{:.2}", pushed / alone));
}

/// The throughput and the delay of the others with and without a bot whose engine always answers 500.
async fn beside_a_bad_engine(client: &Client, engine: &Engine, sizes: Sizes) {
    const BAD_BOT: u64 = 1_000_000;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let bad = format!("{}/bad", engine.url);
    for _ in 0..sizes.rounds {
        alone.push(one_round(client, engine, sizes.closed).await);
        engine.ledger.set_bad(true);
        let mut queued = Vec::new();
        for _ in 0..200 {
            queued.push(client.open_and_continue(BAD_BOT, Some(&bad)).await);
        }
        beside.push(one_round(client, engine, sizes.closed).await);
        engine.ledger.set_bad(false);
        until_received(&engine.ledger, &queued).await;
    }
    let median = |rounds: &mut [(f64, f64)], key: fn(&(f64, f64)) -> f64| {
        rounds.sort_by(|a, b| key(a).total_cmp(&key(b)));
        key(&rounds[rounds.len() / 2])
    };
    let (rate_alone, rate_beside) = (median(&mut alone, |round| round.0), median(&mut beside, |round| round.0));
    let (delay_alone, delay_beside) = (median(&mut alone, |round| round.1), median(&mut beside, |round| round.1));
    row(
        "8 at once, alone and beside a bot whose engine answers 500",
        &format!("{rate_alone:.0} and {rate_beside:.0} per second, ratio {:.2}", rate_beside / rate_alone),
    );
    row(
        "the same: from the request to the engine, p50",
        &format!("{delay_alone:.1} and {delay_beside:.1} ms, ratio {:.2}", delay_beside / delay_alone),
    );
}

/// Events per second and the middle delay in milliseconds.
async fn one_round(client: &Client, engine: &Engine, seconds: u64) -> (f64, f64) {
    let started = Instant::now();
    let (all, _) = closed_loop(client, 8, Duration::from_secs(seconds), Some(engine)).await;
    let (_, mut from_request) = until_received(&engine.ledger, &all).await;
    (all.len() as f64 / started.elapsed().as_secs_f64(), part(&mut from_request, 0.5))
}

async fn after_an_outage(client: &Client, engine: &mut Engine, queued: usize) {
    engine.go_down().await;
    let callback = format!("{}/slow", engine.url);
    let down = Instant::now();
    let mut tasks = JoinSet::new();
    for place in 0..32 {
        let (client, callback) = (client.clone(), callback.clone());
        tasks.spawn(async move {
            let mut all = Vec::new();
            for count in (place..queued).step_by(32) {
                all.push(client.open_and_continue(1 + count as u64 % BOTS, Some(&callback)).await);
            }
            all
        });
    }
    let all = tasks.join_all().await.concat();
    let down = down.elapsed();
    engine.ledger.most_at_once();
    let back = Instant::now();
    engine.come_back().await;
    until_received(&engine.ledger, &all).await;
    let last = all.iter().map(|continued| engine.ledger.when(continued.record).unwrap()).max().unwrap();
    row(
        &format!(
            "an engine down for {:.0} s with {} events queued, each answered in 20 ms",
            down.as_secs_f64(),
            all.len()
        ),
        &format!(
            "all there {:.1} s after its return, at most {} calls at once",
            last.saturating_duration_since(back).as_secs_f64(),
            engine.ledger.most_at_once()
        ),
    );
}
