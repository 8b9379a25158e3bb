//! How fast the service answers, beside the least that its framework and its database would need for the same: `bench/run --help`, and
//! `docs/BENCHMARKS.md` for how to read it.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    unreachable_pub,
    reason = "a driver whose output is its table, which fails when it finds itself wrong"
)]

mod capture;
mod cases;
mod client;
mod cpu;
mod database;
mod machine;
mod party;
mod peers;
mod pgbench;
mod raw;
mod report;
mod service;
mod tokens;
mod world;
mod writes;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use cases::{Case, Place, What};
use database::Size;
use party::Timing;
use peers::Peer;
use report::Figures;
use service::{External, Setup};
use tokens::Kind;
use world::Registry;

const SMALL: Size = Size { widgets: 1_000, accounts: 1_000 };
const LARGE: Size = Size { widgets: 1_000_000, accounts: 1_000_000 };

/// Measures how fast the service answers
#[derive(Debug, Parser)]
#[command(name = "bench/run")]
struct Arguments {
    /// About a minute of measuring, for a first look
    #[arg(long)]
    quick: bool,
    /// Only this case; may be given several times
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,
    /// Compare with a program in bench/peers; may be given several times
    #[arg(long = "peer", value_name = "NAME")]
    peers: Vec<String>,
    /// Also with a million widgets, a million accounts and ten million installs
    #[arg(long)]
    scale: bool,
    /// Write the figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Connections that ask at once
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Threads of the service, and of what it is compared with; as many as there are processors when not given
    #[arg(long)]
    workers: Option<usize>,
    /// Seconds of each turn
    #[arg(long)]
    slice: Option<f64>,
    /// Turns of everybody
    #[arg(long)]
    rounds: Option<usize>,
    /// Which tokens are sent: hs256 or eddsa
    #[arg(long, default_value = "hs256")]
    token: Kind,
    /// What the service logs
    #[arg(long, default_value = "warn")]
    log: String,
    /// Another build of the service than the one that was built with this
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_widget-registry"))]
    program: PathBuf,
    /// Widgets of the small catalogue
    #[arg(long, default_value_t = SMALL.widgets)]
    widgets: u64,
    /// Widgets, and accounts, of the large one
    #[arg(long, default_value_t = LARGE.widgets)]
    large: u64,
    /// Where the databases are; a temporary folder when not given
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    // `cargo bench` adds this word.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "raw") {
        let plan = PathBuf::from(words.next().context("raw needs its plan")?);
        return actix_web::rt::System::new().block_on(raw::serve(&plan));
    }
    let arguments = Arguments::parse();
    actix_web::rt::System::new().block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        // What was started ends with what is dropped here.
        tokio::select! {
            measured = measure(&arguments) => measured,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminate.recv() => bail!("told to end"),
        }
    })
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let begun = Instant::now();
    let cases = cases::chosen(&arguments.cases)?;
    let mut temporary = tempfile::Builder::new();
    temporary.prefix("widget-registry-bench-");
    let folder = match &arguments.folder {
        Some(folder) => temporary.tempdir_in(folder)?,
        None => temporary.tempdir()?,
    };
    // The embedded database runs as another user when this one is root, and has to get in.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let secret = [(); 2].map(|()| Uuid::new_v4().simple().to_string()).concat();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, &secret)?;
    std::fs::set_permissions(&secret_file, std::fs::Permissions::from_mode(0o600))?;
    let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let workers = arguments.workers.unwrap_or(processors);
    let setup = Setup { program: arguments.program.clone(), secret_file, workers, log: arguments.log.clone() };
    let timing = timing(arguments);
    let conditions = conditions(arguments, &setup, &timing)?;
    for line in &conditions {
        println!("- {line}");
    }

    let rows = with_everything(arguments, &cases, &setup, &timing, (folder.path(), &secret)).await?;

    println!("\n{}", report::HEAD);
    for figures in &rows.figures {
        println!("{}", figures.row());
    }
    println!();
    for note in &rows.notes {
        println!("- {note}");
    }
    println!("- load average after: {}; all of it took {:.0} s", machine::load(), begun.elapsed().as_secs_f64());
    if let Some(file) = &arguments.json {
        let told = json!({"conditions": conditions, "figures": rows.figures, "notes": rows.notes});
        std::fs::write(file, serde_json::to_vec_pretty(&told)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn timing(arguments: &Arguments) -> Timing {
    let (slice, rounds) = if arguments.quick { (0.4, 3) } else { (2.0, 5) };
    Timing {
        connections: arguments.connections,
        rounds: arguments.rounds.unwrap_or(rounds).max(1),
        slice: Duration::from_secs_f64(arguments.slice.unwrap_or(slice).max(0.1)),
    }
}

/// Everything that the figures depend on.
fn conditions(arguments: &Arguments, setup: &Setup, timing: &Timing) -> anyhow::Result<Vec<String>> {
    let mut lines = machine::lines();
    let program = setup.program.to_string_lossy();
    lines.push(machine::says(&program, &["--version"]));
    let root = env!("CARGO_MANIFEST_DIR");
    lines.push(format!("commit {}", machine::says("git", &["-C", root, "describe", "--always", "--dirty"])));
    lines.push(machine::says("rustc", &["--version"]));
    lines.push(machine::says(&pgbench::program()?.to_string_lossy(), &["--version"]));
    let settings: Vec<String> = setup.settings().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    lines.push(format!("settings of the service: {}", settings.join(" ")));
    let inherited = std::env::vars().filter(|(name, _)| name.starts_with("WIDGET_REGISTRY_"));
    let inherited: Vec<String> = inherited.map(|(name, value)| format!("{name}={value}")).collect();
    if !inherited.is_empty() {
        lines.push(format!("and from the environment, unless set above: {}", inherited.join(" ")));
    }
    lines.push(format!(
        "PostgreSQL as it comes: every commit is on the disk before it is answered; tokens: {:?}",
        arguments.token
    ));
    lines.push(format!(
        "{} connections that ask one after the other, {} turns of {:.1} s for each (pgbench: whole seconds)",
        timing.connections,
        timing.rounds,
        timing.slice.as_secs_f64()
    ));
    Ok(lines)
}

/// What came out.
#[derive(Default)]
struct Rows {
    figures: Vec<Figures>,
    notes: Vec<String>,
}

impl Rows {
    /// Figures are shown as they come, too.
    fn add(&mut self, figures: Vec<Figures>) {
        for figures in figures {
            eprintln!("{}", figures.row());
            self.figures.push(figures);
        }
    }

    fn note(&mut self, note: String) {
        eprintln!("{note}");
        self.notes.push(note);
    }
}

async fn with_everything(
    arguments: &Arguments,
    cases: &[Case],
    setup: &Setup,
    timing: &Timing,
    (folder, secret): (&Path, &str),
) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    let token = (arguments.token, secret);
    let starts = if cases.iter().any(|case| case.what == What::ColdStart) { timing.rounds } else { 1 };
    let size = Size { widgets: arguments.widgets, ..SMALL };
    let embedded = Registry::start("embedded", setup, folder, (size, None), token, starts).await?;
    let large = if arguments.scale {
        let size = Size { widgets: arguments.large, accounts: arguments.large };
        Some(Registry::start("large", setup, folder, (size, None), token, starts).await?)
    } else {
        None
    };
    let (external, own): (Vec<Case>, Vec<Case>) =
        cases.iter().partition(|case| matches!(case.what, What::External(..)));
    in_place(&mut rows, &own, &embedded, large.as_ref(), setup, timing, folder).await?;
    if !external.is_empty() {
        let folder = folder.join("external-database");
        std::fs::create_dir(&folder)?;
        let database = External::start(&folder).await?;
        let registry = Registry::start("external", setup, &folder, (size, Some(&database.database)), token, 1).await?;
        in_place(&mut rows, &external, &registry, None, setup, timing, &folder).await?;
        registry.service.stop()?;
        database.stop().await?;
    }
    if !arguments.peers.is_empty() {
        let started = arguments.peers.iter().map(|name| Peer::start(name, &embedded, secret));
        let started = started.collect::<anyhow::Result<Vec<_>>>()?;
        rows.add(peers::measure(&started, &embedded, timing).await?);
    }
    rows.note(embedded.start_line());
    if let Some(large) = large {
        rows.note(large.start_line());
        let each = |now: u64| now.saturating_sub(large.resident[0]) as f64 / large.size.widgets as f64;
        rows.note(format!(
            "memory of each widget, {} of them: {:.0} bytes after the start, {:.0} at the end",
            large.size.widgets,
            each(large.resident[1]),
            each(large.service.resident_now())
        ));
        large.service.stop()?;
    }
    embedded.service.stop()?;
    Ok(rows)
}

/// Measures cases at one registry, beside a raw server with its answers.
async fn in_place(
    rows: &mut Rows,
    cases: &[Case],
    registry: &Registry,
    large: Option<&Registry>,
    setup: &Setup,
    timing: &Timing,
    folder: &Path,
) -> anyhow::Result<()> {
    let raw = registry.raw(setup, folder, &cases::reads(cases, registry)).await?;
    let place = Place { registry, large, raw: &raw, timing, folder };
    for case in cases {
        rows.add(place.measure(*case).await.with_context(|| format!("the case {}", case.name))?);
    }
    Ok(())
}
