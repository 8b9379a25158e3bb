//! Who answers in a case, and the slices of time in which they do, turn by turn.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::client::{Connections, Next};
use super::cpu::{Reading, Whose};
use super::pgbench::Pgbench;
use super::report::{Series, Slice};
use super::writes::{Write, Writer};

/// Writes in a second that are more than anything here reaches.
const MOST_WRITES: u64 = 15_000;

/// How long and how often.
#[derive(Debug, Clone)]
pub struct Timing {
    pub connections: usize,
    pub rounds: usize,
    pub slice: Duration,
}

/// One who answers.
pub struct Party<'a> {
    pub name: String,
    pub target: Target<'a>,
}

pub enum Target<'a> {
    Http {
        address: SocketAddr,
        server: Whose,
        postgres: Option<u32>,
        work: Work<'a>,
    },
    Pgbench {
        script: Script,
        writes: Option<(&'a Writer, Write)>,
        database: &'a super::database::Database,
        folder: &'a Path,
    },
    /// What all of them take together, each for its share of the answers.
    Shares(Vec<(f64, Target<'a>)>),
}

/// What pgbench runs, and as whom.
pub struct Script {
    pub role: &'static str,
    pub lines: String,
    pub constants: Vec<(String, String)>,
}

/// What is sent.
pub enum Work<'a> {
    Fixed(Next),
    Write(&'a Writer, Write),
}

/// Lets everybody answer, turn by turn, every second time in the opposite order.
pub async fn compete(parties: &[Party<'_>], timing: &Timing) -> anyhow::Result<Vec<Series>> {
    let mut series: Vec<Series> =
        parties.iter().map(|party| Series { name: party.name.clone(), slices: Vec::new() }).collect();
    // Nothing counts before everybody is warm.
    let warm = Timing { slice: timing.slice / 4, ..timing.clone() };
    for party in parties {
        if matches!(party.target, Target::Http { .. }) {
            party.target.slice(&warm).await?;
        }
    }
    for round in 0..timing.rounds {
        let mut order: Vec<usize> = (0..parties.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            series[at].slices.push(parties[at].target.slice(timing).await?);
        }
    }
    Ok(series)
}

impl Target<'_> {
    async fn slice(&self, timing: &Timing) -> anyhow::Result<Slice> {
        match self {
            Self::Http { address, server, postgres, work } => {
                let next = match work {
                    Work::Fixed(next) => next.clone(),
                    Work::Write(writer, write) => {
                        let count = MOST_WRITES * timing.slice.as_secs().max(1);
                        let first = writer.reserve(*write, count).await?;
                        writer.requests(*write, (first, count), timing.connections)
                    }
                };
                let connections = Connections::open(*address, timing.connections).await?;
                let (server, client) = ([*server], [Whose::Process(std::process::id())]);
                let postgres: Vec<Whose> = postgres.iter().map(|postmaster| Whose::Tree(*postmaster)).collect();
                let read = || [Reading::of(&server), Reading::of(&postgres), Reading::of(&client)];
                let before = read();
                let answered = connections.run(timing.slice, &next).await?;
                let after = read();
                let [server, postgres, client] = [0, 1, 2].map(|of: usize| before[of].until(&after[of]));
                let count = answered.latencies.len() as f64;
                Ok(Slice::new(count, answered.seconds, (server, postgres, client), answered.latencies))
            }
            Self::Pgbench { script, writes, database, folder } => {
                let seconds = u32::try_from(timing.slice.as_secs().max(1))?;
                let mut variables = script.constants.clone();
                variables.extend([
                    ("n".to_owned(), "-1".to_owned()),
                    ("clients".to_owned(), timing.connections.to_string()),
                ]);
                if let Some((writer, write)) = writes {
                    let first = writer.reserve(*write, MOST_WRITES * u64::from(seconds + 1)).await?;
                    variables.push(("first".to_owned(), first.to_string()));
                }
                let pgbench = Pgbench { database, connections: timing.connections, seconds, folder };
                pgbench.run(script.role, &script.lines, &variables)
            }
            Self::Shares(shares) => {
                let mut slices = Vec::new();
                for (share, target) in shares {
                    slices.push((*share, Box::pin(target.slice(timing)).await?));
                }
                Ok(Slice::of_shares(&slices))
            }
        }
    }
}
