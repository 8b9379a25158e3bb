//! The durability proof: continues are sent, events are taken, and meanwhile servers and database are killed. In the end nothing that
//! was acknowledged may be missing. `tests/durability/run` starts it.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a proof fails by panicking, and prints what it has found"
)]

mod book;
mod call;
mod checker;
mod clients;
mod engine;
mod nemesis;
mod postgres;
mod proxy;
mod server;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use book::Chance;
use clap::Parser;
use clients::Client;
use tokio::signal::unix::{SignalKind, signal};
use world::World;

/// Kills servers and databases, and looks whether anything was lost
#[derive(Debug, Clone, Parser)]
struct Arguments {
    /// Kills in all: a third of them with two servers on one database, the others with an embedded one
    #[arg(long, default_value_t = 12)]
    kills: u64,
    /// Continues that are to be acknowledged in all
    #[arg(long, default_value_t = 2_400)]
    continues: u64,
    /// Seconds after which the run has failed
    #[arg(long, default_value_t = 3_600)]
    seconds: u64,
    /// Clients that send continues at once
    #[arg(long, default_value_t = 32)]
    clients: u64,
    /// Seed of what is random; by default of the time
    #[arg(long)]
    seed: Option<u64>,
    /// The program to try
    #[arg(long, default_value = env!("CARGO_BIN_EXE_widget-registry"))]
    binary: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let clean = runtime.block_on(async {
        let limit = Duration::from_secs(arguments.seconds);
        let mut terminate = signal(SignalKind::terminate()).unwrap();
        // Whatever ends the run, the servers are dropped here, and end with it.
        tokio::select! {
            clean = tokio::spawn(prove(arguments)) => clean.unwrap_or_default(),
            () = tokio::time::sleep(limit) => {
                println!("not done after {} s", limit.as_secs());
                false
            }
            _ = tokio::signal::ctrl_c() => false,
            _ = terminate.recv() => false,
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(30));
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn prove(arguments: Arguments) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = arguments.seed.unwrap_or(now);
    println!("seed {seed}");
    let part = |whole: u64| (whole - whole / 3, whole / 3);
    let (kills, continues) = (part(arguments.kills), part(arguments.continues));
    // Both at once: most of the time each waits for its servers to come back.
    let embedded = async {
        let world = World::embedded(&arguments.binary).await;
        run(world, kills.0, continues.0, arguments.clients, seed).await
    };
    let shared = async {
        let world = World::shared(&arguments.binary).await;
        run(world, kills.1, continues.1, arguments.clients, seed + 1).await
    };
    let (embedded, shared) = tokio::join!(embedded, shared);
    println!("\n=== one server with its embedded database\n{}", embedded.text);
    println!("\n=== two servers on one database, behind a proxy\n{}", shared.text);
    let clean = embedded.clean && shared.clean;
    println!("\n{}", if clean { "nothing was found" } else { "SOMETHING WAS FOUND" });
    clean
}

/// What became of a run.
struct Report {
    text: String,
    /// Whether nothing was found.
    clean: bool,
}

/// Clients, engine and nemesis in one world, until all is delivered.
async fn run(mut world: World, kills: u64, continues: u64, clients: u64, seed: u64) -> Report {
    let began = Instant::now();
    let mut chance = Chance::new(seed);
    let book = world.book.clone();
    let callback_url = engine::listen(book.clone(), chance.below(u64::MAX)).await;
    let fetching = [false, false, false, false, true, true, true]
        .map(|slow| tokio::spawn(engine::fetch(world.callers.clone(), Chance::new(chance.below(u64::MAX)), slow)));
    let clients: Vec<_> = (0..clients)
        .map(|_| {
            let (callers, chance) = (world.callers.clone(), Chance::new(chance.below(u64::MAX)));
            tokio::spawn(Client { callers, chance, callback_url: callback_url.clone() }.run())
        })
        .collect();
    nemesis::run(&mut world, kills, continues, chance).await;
    for client in clients {
        client.await.unwrap();
    }
    let loaded = began.elapsed();
    let dead = world.drain().await;
    let drained = began.elapsed() - loaded;
    let continued = world.continued().await;
    book.end_engine();
    for fetching in fetching {
        fetching.await.unwrap();
    }
    let dropped = world.proxy.as_ref().map(proxy::Proxy::dropped);
    let ended_well = world.end().await;
    let history = book.write(|history| {
        history.shown_continued = continued;
        history.clone()
    });
    let mut lines: Vec<String> = book.counts().iter().map(|(name, count)| line(name, count)).collect();
    lines.extend(dropped.map(|dropped| line("answers to COMMIT that were dropped", dropped)));
    lines.push(line("records shown as continued", history.shown_continued.len()));
    lines.push(line("arrivals", history.arrivals.len()));
    lines.push(line("seconds under load", loaded.as_secs()));
    lines.push(line("seconds until all was delivered", drained.as_secs()));
    let (in_flight, cut) = book.in_flight();
    lines.push(format!("{}, {cut} without an answer", line("requests in flight at a SIGTERM", in_flight)));
    lines.push(line("deliveries given up", dead));
    if !ended_well {
        lines.push("a server did not end with exit code 0 in the end".to_owned());
    }
    let findings = checker::check(&history);
    lines.push(findings.to_string());
    for (kind, found) in findings.kinds() {
        lines.extend(found.iter().take(10).map(|sentence| format!("  {kind}: {sentence}")));
    }
    let clean = findings.is_clean() && cut == 0 && dead == 0 && ended_well && !book.counts().contains_key(BADLY_ENDED);
    Report { text: lines.join("\n"), clean }
}

/// Counted when a server does not end as it should.
pub const BADLY_ENDED: &str = "SIGTERM with another exit code than 0";

fn line(name: &str, count: impl std::fmt::Display) -> String {
    format!("{name:<44} {count:>7}")
}
