//! What the walls between accounts cost: one widget, the list, an install and a continue, as the service is and without row-level
//! security in its database, turn by turn, so that whatever else the machine does meets both.
//!
//! `cargo bench --bench walls -- OTHER` also asks another build of the program, such as one from before there were walls. `--turns N`
//! takes another number of turns than 200.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a driver that fails by panicking, whose output is its table"
)]

mod service;

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use service::Service;

/// Requests that are sent at once for the second figure.
const AT_ONCE: usize = 8;
/// What they are sent for in a row, in each turn.
const IN_A_ROW: usize = 4;

/// What is measured.
#[derive(Clone, Copy)]
enum Question {
    One,
    List,
    Install,
    Continue,
}

const QUESTIONS: [(&str, Question); 4] = [
    ("one widget", Question::One),
    ("list", Question::List),
    ("install", Question::Install),
    ("continue", Question::Continue),
];

/// The times of one service and one question.
#[derive(Default)]
struct Times {
    alone: Vec<Duration>,
    together: Vec<Duration>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // cargo adds this word.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let (mut other, mut turns) = (None, 200);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--turns" => {
                turns = arguments.next().expect("a number after --turns").parse().expect("a number after --turns");
            }
            _ => other = Some(argument),
        }
    }
    runtime.block_on(measure(other.as_deref(), turns));
}

async fn measure(other: Option<&str>, turns: usize) {
    let mut services = vec![
        ("as it is", Service::start(env!("CARGO_BIN_EXE_widget-registry")).await),
        ("without policies", Service::start(env!("CARGO_BIN_EXE_widget-registry")).await),
    ];
    services[1].1.take_walls_down().await;
    if let Some(other) = other {
        services.push(("the other build", Service::start(other).await));
    }
    let mut times: Vec<Vec<Times>> = services.iter().map(|_| QUESTIONS.map(|_| Times::default()).into()).collect();
    // The first tenth warms up, and is not counted.
    for turn in 0..turns + turns / 10 {
        for (at, (_, question)) in QUESTIONS.into_iter().enumerate() {
            for (who, (_, service)) in services.iter().enumerate() {
                let (alone, together) = ask(service, question).await;
                if turn >= turns / 10 {
                    times[who][at].alone.push(alone);
                    times[who][at].together.push(together);
                }
            }
        }
    }
    print(&services.iter().map(|(name, _)| *name).collect::<Vec<_>>(), &times);
    for (_, service) in services {
        service.stop();
    }
}

/// The time of one request, and of [`AT_ONCE`] times [`IN_A_ROW`] for each of them.
async fn ask(service: &Service, question: Question) -> (Duration, Duration) {
    let alone = service.ask(question, 0).await;
    let begun = Instant::now();
    let row = async |bot| {
        let mut spent = Duration::ZERO;
        for _ in 0..IN_A_ROW {
            spent += service.ask(question, bot).await;
        }
        spent
    };
    let spent = join_all((0..AT_ONCE).map(row)).await;
    let count = u32::try_from(AT_ONCE * IN_A_ROW).unwrap();
    // A continue is preceded by an opening, which does not count: then only the time of the requests themselves is comparable.
    let together = match question {
        Question::Continue => spent.into_iter().sum::<Duration>() / count,
        _ => begun.elapsed() / count,
    };
    (alone, together)
}

fn print(names: &[&str], times: &[Vec<Times>]) {
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1_000.0
    };
    println!(
        "| median, ms | {} | {} |",
        names.join(" | "),
        names[1..].iter().map(|name| format!("ratio to {name}")).collect::<Vec<_>>().join(" | ")
    );
    println!("|{}", " --- |".repeat(names.len() * 2));
    for (at, (question, _)) in QUESTIONS.into_iter().enumerate() {
        for (how, of) in [
            ("alone", (|times| &times.alone) as fn(&Times) -> &Vec<Duration>),
            ("8 at once, each", |times| &times.together),
        ] {
            let medians: Vec<f64> = times.iter().map(|times| median(of(&times[at]))).collect();
            let shown: Vec<String> = medians.iter().map(|median| format!("{median:.2}")).collect();
            let ratios: Vec<String> = medians[1..].iter().map(|other| format!("{:.2}", medians[0] / other)).collect();
            println!("| {question}, {how} | {} | {} |", shown.join(" | "), ratios.join(" | "));
        }
    }
}
