//! Figures of slices, and what is said of them.

use serde::Serialize;

/// What one party did in one slice of time.
#[derive(Debug, Clone)]
pub struct Slice {
    pub per_second: f64,
    /// Microseconds of processor time for each answer: of the server, of PostgreSQL, of the client.
    pub server: f64,
    pub postgres: f64,
    pub client: f64,
    /// Nanoseconds, one for each answer.
    latencies: Vec<u64>,
}

/// All slices of one party of a case.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub slices: Vec<Slice>,
}

/// Which processor time of a case is held against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// That of the server and PostgreSQL together.
    Both,
    /// That of PostgreSQL.
    Postgres,
}

/// What is told of one party.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub case: String,
    pub party: String,
    pub requests_per_second: f64,
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub server_us: f64,
    pub postgres_us: f64,
    pub client_us: f64,
    /// Only where there is something to compare with.
    pub to: Option<Ratio>,
}

/// How one party stands to another; more is better.
#[derive(Debug, Clone, Serialize)]
pub struct Ratio {
    pub other: String,
    /// The other's processor time for each answer, divided by this one's: median, least and most of the rounds.
    pub cpu: [f64; 3],
    /// This one's answers per second, divided by the other's.
    pub per_second: [f64; 3],
}

impl Slice {
    /// Of so many answers within some seconds, with nanoseconds of the server, of PostgreSQL and of the client.
    pub fn new(answers: f64, seconds: f64, (server, postgres, client): (u64, u64, u64), latencies: Vec<u64>) -> Self {
        let each = |nanoseconds: u64| nanoseconds as f64 / 1_000.0 / answers;
        Self {
            per_second: answers / seconds,
            server: each(server),
            postgres: each(postgres),
            client: each(client),
            latencies,
        }
    }

    /// What an answer takes of which each share is answered like one of these, on the same processors.
    pub fn of_shares(shares: &[(f64, Self)]) -> Self {
        let sum = |of: fn(&Self) -> f64| shares.iter().map(|(share, slice)| share * of(slice)).sum();
        let seconds: f64 = sum(|slice| 1.0 / slice.per_second);
        Self {
            per_second: 1.0 / seconds,
            server: sum(|slice| slice.server),
            postgres: sum(|slice| slice.postgres),
            client: sum(|slice| slice.client),
            latencies: Vec::new(),
        }
    }

    fn compared(&self, compared: Compared) -> f64 {
        match compared {
            Compared::Both => self.server + self.postgres,
            Compared::Postgres => self.postgres,
        }
    }
}

impl Series {
    /// What is told of it, beside the party that it is compared with.
    pub fn figures(&self, case: &str, other: Option<&Self>, compared: Compared) -> Figures {
        let median = |of: fn(&Slice) -> f64| spread(self.slices.iter().map(of).collect())[0];
        let mut latencies: Vec<u64> = self.slices.iter().flat_map(|slice| slice.latencies.iter().copied()).collect();
        latencies.sort_unstable();
        let part = |part: f64| {
            let last = latencies.len().checked_sub(1)?;
            Some(latencies[(last as f64 * part).round() as usize] as f64 / 1e6)
        };
        Figures {
            case: case.to_owned(),
            party: self.name.clone(),
            requests_per_second: median(|slice| slice.per_second),
            p50_ms: part(0.5),
            p99_ms: part(0.99),
            server_us: median(|slice| slice.server),
            postgres_us: median(|slice| slice.postgres),
            client_us: median(|slice| slice.client),
            to: other.map(|other| self.to(other, compared)),
        }
    }

    fn to(&self, other: &Self, compared: Compared) -> Ratio {
        let pairs = || self.slices.iter().zip(&other.slices);
        Ratio {
            other: other.name.clone(),
            cpu: spread(pairs().map(|(one, other)| other.compared(compared) / one.compared(compared)).collect()),
            per_second: spread(pairs().map(|(one, other)| one.per_second / other.per_second).collect()),
        }
    }
}

/// Median, least and most.
pub fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_unstable_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return [f64::NAN; 3] };
    let middle = values.len() / 2;
    let median = if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
    [median, *least, *most]
}

/// The head of the table.
pub const HEAD: &str = "\
| case | who | requests/s | p50 ms | p99 ms | server µs | Postgres µs | client µs | CPU: limit/ours | requests/s: ours/limit |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

impl Figures {
    /// A row of the table.
    pub fn row(&self) -> String {
        let time = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.2}"));
        let ratio = |of: fn(&Ratio) -> [f64; 3]| match &self.to {
            Some(ratio) => {
                let [median, least, most] = of(ratio);
                format!("{median:.2} ({least:.2}–{most:.2})")
            }
            None => String::new(),
        };
        format!(
            "| {} | {} | {:.0} | {} | {} | {:.1} | {:.1} | {:.1} | {} | {} |",
            self.case,
            self.party,
            self.requests_per_second,
            time(self.p50_ms),
            time(self.p99_ms),
            self.server_us,
            self.postgres_us,
            self.client_us,
            ratio(|ratio| ratio.cpu),
            ratio(|ratio| ratio.per_second)
        )
    }
}
