//! Other programs that answer the same questions from the same database.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;

use super::client::{self, Request, always};
use super::cpu::Whose;
use super::party::{Party, Target, Timing, Work, compete};
use super::report::{Compared, Figures};
use super::world::{ONE, Read, Registry};

/// What a peer says when it is ready.
#[derive(Debug, Deserialize)]
struct Says {
    url: String,
    one: String,
    list: String,
    headers: BTreeMap<String, String>,
}

/// A running peer.
pub struct Peer {
    name: String,
    child: Child,
    address: SocketAddr,
    says: Says,
}

impl Peer {
    /// Starts `bench/peers/NAME/run` on a registry's database.
    pub fn start(name: &str, registry: &Registry, secret: &str) -> anyhow::Result<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peers").join(name).join("run");
        let mut command = Command::new(&program);
        command.env("DATABASE_URL", registry.service.database.url()).env("BENCH_TOKEN_SECRET", secret);
        command.env("BENCH_ACCOUNT", "1").env("BENCH_CODE", "bench_1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let line = lines.next().with_context(|| format!("the peer {name} does not start"))??;
        // Whatever else it says is read, so that the pipe does not fill.
        std::thread::spawn(move || lines.for_each(drop));
        let says: Says = serde_json::from_str(&line).with_context(|| format!("the peer {name} says {line}"))?;
        let address = says.url.strip_prefix("http://").context("a peer speaks HTTP")?.trim_end_matches('/').parse()?;
        Ok(Self { name: name.to_owned(), child, address, says })
    }

    async fn party<'a>(&self, path: &str, postmaster: u32) -> anyhow::Result<Party<'a>> {
        let headers: Vec<_> = self.says.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request::new("GET", path, &headers, "", 200);
        let answer = client::ask(self.address, &request).await?;
        ensure!(
            serde_json::from_slice::<serde_json::Value>(&answer.body).is_ok(),
            "the peer {} answers no JSON",
            self.name
        );
        let (server, postgres) = (Whose::Tree(self.child.id()), Some(postmaster));
        let target = Target::Http { address: self.address, server, postgres, work: Work::Fixed(always(request)) };
        Ok(Party { name: self.name.clone(), target })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// One widget and a list: the service, and each peer beside it.
pub async fn measure(peers: &[Peer], registry: &Registry, timing: &Timing) -> anyhow::Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for (case, path) in [("one", ONE), ("list-50", "/api/v4/widgets?limit=50")] {
        let read = Read { account: 1, path: path.to_owned(), is_conditional: false };
        let service = &registry.service;
        let postmaster = service.database.postmaster;
        let work = Work::Fixed(registry.read(&read).await?.0);
        let target =
            Target::Http { address: service.address, server: service.server(), postgres: Some(postmaster), work };
        let mut parties = vec![Party { name: registry.name.to_owned(), target }];
        for peer in peers {
            let path = if case == "one" { &peer.says.one } else { &peer.says.list };
            parties.push(peer.party(path, postmaster).await?);
        }
        let series = compete(&parties, timing).await?;
        let [ours, others @ ..] = series.as_slice() else { continue };
        for other in others {
            let mut row = ours.figures(case, Some(other), Compared::Both);
            row.party = format!("{} beside {}", row.party, other.name);
            figures.push(row);
            figures.push(other.figures(case, None, Compared::Both));
        }
    }
    Ok(figures)
}
