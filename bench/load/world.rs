//! Everything that runs while cases are measured.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::client::{self, Next, Request, always};
use super::database::Size;
use super::raw::{Plan, Raw, Ready};
use super::report::spread;
use super::service::{Service, Setup};
use super::tokens::{Kind, Tokens};
use super::writes::Writer;

/// A widget that accounts 1 and 3 have installed.
pub const ONE: &str = "/api/v4/widgets/bench_1";

/// A read: whose, of what, and whether the client says what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub account: u64,
    pub path: String,
    pub is_conditional: bool,
}

/// A service with its widgets.
pub struct Registry {
    pub name: &'static str,
    pub service: Service,
    pub size: Size,
    pub tokens: Tokens,
    pub writer: Writer,
    /// Bytes of memory with an empty catalogue, and after the start with a full one.
    pub resident: [u64; 2],
    /// Seconds from the program's start to an answer, of every start with the full catalogue.
    pub starts: Vec<f64>,
}

impl Registry {
    /// Starts a service, fills its database, and starts it again, so often as is told.
    pub async fn start(
        name: &'static str,
        setup: &Setup,
        folder: &Path,
        (size, external): (Size, Option<&super::database::Database>),
        (kind, secret): (Kind, &str),
        starts: usize,
    ) -> anyhow::Result<Self> {
        let data_dir = folder.join(name);
        let empty = setup.start(&data_dir, external).await?;
        let of_nothing = empty.resident;
        let took = empty.database.fill(size).await?;
        eprintln!(
            "filled `{name}`: {} widgets, {} accounts, in {:.1} s",
            size.widgets,
            size.accounts,
            took.as_secs_f64()
        );
        empty.stop()?;
        let mut service = setup.start(&data_dir, external).await?;
        let mut times = vec![service.started_in.as_secs_f64()];
        for _ in 1..starts {
            service.stop()?;
            service = setup.start(&data_dir, external).await?;
            times.push(service.started_in.as_secs_f64());
        }
        let resident = [of_nothing, service.resident];
        let tokens = Tokens::new(kind, secret, &data_dir)?;
        let writer = Writer::new(&service, &tokens, size.widgets).await?;
        Ok(Self { name, service, size, tokens, writer, resident, starts: times })
    }

    /// Asks once, to see that the answer is what the case is about, and returns the requests of that case and the answer.
    pub async fn read(&self, read: &Read) -> anyhow::Result<(Next, Ready)> {
        let authorization = self.tokens.authorization(read.account)?;
        let mut headers = vec![("authorization", authorization.as_str())];
        let plain = Request::new("GET", &read.path, &headers, "", 200);
        let answer = client::ask(self.service.address, &plain).await?;
        let tag = answer.headers.iter().find(|(name, _)| name == "etag").map(|(_, tag)| tag.clone());
        check(read, &answer.body)?;
        if !read.is_conditional {
            return Ok((always(plain), Ready::new(read.account, &read.path, false, answer)?));
        }
        let tag = tag.context("an answer has no tag")?;
        headers.push(("if-none-match", &tag));
        let conditional = Request::new("GET", &read.path, &headers, "", 304);
        let answer = client::ask(self.service.address, &conditional).await?;
        Ok((always(conditional), Ready::new(read.account, &read.path, true, answer)?))
    }

    /// Starts a raw server with the answers to some reads.
    pub async fn raw(&self, setup: &Setup, folder: &Path, reads: &[Read]) -> anyhow::Result<Raw> {
        let mut answers = Vec::new();
        for read in reads {
            answers.push(self.read(read).await?.1);
        }
        let (secret_file, data_dir): (PathBuf, PathBuf) = (setup.secret_file.clone(), self.service.data_dir.clone());
        Raw::start(folder, &Plan { workers: setup.workers, secret_file, data_dir, answers })
    }

    /// The last page with so many widgets on each.
    pub fn last_page(&self, limit: u64) -> u64 {
        self.size.widgets.div_ceil(limit)
    }

    /// What is told of its start.
    pub fn start_line(&self) -> String {
        let [median, least, most] = spread(self.starts.clone());
        let [empty, full] = self.resident.map(|bytes| bytes as f64 / 1024.0 / 1024.0);
        format!(
            "cold start of `{}`, {} widgets: {median:.3} s ({least:.3}–{most:.3}) from exec to ready; memory {full:.1} MiB then, {:.1} MiB now, \
             {empty:.1} MiB with an empty catalogue",
            self.name,
            self.size.widgets,
            self.service.resident_now() as f64 / 1024.0 / 1024.0
        )
    }
}

/// Whether an answer has the widgets that were asked for.
fn check(read: &Read, body: &[u8]) -> anyhow::Result<()> {
    let answer: serde_json::Value = serde_json::from_slice(body)?;
    let is_whole = if read.path == ONE {
        answer["code"] == "bench_1" && answer["is_active_in_account"] == true
    } else {
        answer
            .pointer("/_embedded/widgets")
            .and_then(|widgets| widgets.as_array())
            .is_some_and(|widgets| !widgets.is_empty())
    };
    anyhow::ensure!(is_whole, "{} is answered {}", read.path, String::from_utf8_lossy(body));
    Ok(())
}
