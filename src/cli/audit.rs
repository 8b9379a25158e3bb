//! `audit`: checks the chains of the audit log, and prints where they end.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{DatabaseArgs, SettingsArgs, say, with_database};
use crate::audit::anchor::{self, Anchor, Anchors};
use crate::audit::{store, verify};
use crate::database::{Failure, Pool};
use crate::telemetry;

/// Checks the audit log
///
/// Works on the database itself, beside a running service or without it: run it where the service runs, with the same settings.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
    Head(Head),
}

/// Whose chains, and in which database.
#[derive(Debug, Args)]
struct Chains {
    /// Only this account; 0 is the registry itself
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(0..))]
    account: Option<i64>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Finds entries that were changed, taken out, put in, moved, or cut off at the end
///
/// Ends with an error when there are any, and names the account and the entry. A chain that somebody has written anew as a whole,
/// head and all, is told from the real one by anchors alone: what `audit head` printed earlier and was kept elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  widget-registry audit verify --anchor heads-of-monday.txt")]
struct Verify {
    /// A file with lines that `audit head` printed
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    #[command(flatten)]
    chains: Chains,
}

/// Prints where every chain ends: the account, how many entries there are, and the hash of the last
///
/// Keep it where whoever can write into the database cannot, and give it to `audit verify --anchor` later.
#[derive(Debug, Args)]
struct Head {
    #[command(flatten)]
    chains: Chains,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Verify(command) => command.run(),
            Command::Head(command) => command.run(),
        }
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let anchors = match &self.anchor {
            None => Anchors::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
                anchor::parse(&text).with_context(|| format!("{} cannot be used", path.display()))?
            }
        };
        if let (Some(path), Some(account)) = (&self.anchor, self.chains.account)
            && !anchors.contains_key(&account)
        {
            anyhow::bail!("{} has no anchor of account {account}: nothing would be checked against it", path.display());
        }
        let (mut chains, mut entries, mut faults) = (0_u64, 0, 0_u64);
        self.chains.each(&anchors, |checked| {
            match checked {
                Ok(None) => {}
                Ok(Some(end)) => (chains, entries) = (chains + 1, entries + end.entries),
                Err(fault) => {
                    faults += 1;
                    say(&fault.to_string())?;
                }
            }
            Ok(())
        })?;
        if faults > 0 {
            anyhow::bail!("the audit log is not whole: {faults} chain(s) are broken, {chains} are not");
        }
        say(&format!("the audit log is whole: {chains} chain(s) with {entries} entries"))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Head {
    fn run(self) -> anyhow::Result<ExitCode> {
        let mut broken = false;
        self.chains.each(&Anchors::new(), |checked| match checked {
            Ok(end) => end.map_or(Ok(()), |end| say(&end.to_string())),
            Err(fault) => {
                broken = true;
                say(&format!("# {fault}"))
            }
        })?;
        Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

type Checked = Result<Option<Anchor>, verify::Fault>;

impl Chains {
    /// Checks the chains one after the other.
    fn each(self, anchors: &Anchors, mut tell: impl FnMut(Checked) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let config = self.settings.load(&self.database.flags())?.config?;
        telemetry::start(&config);
        with_database(&config, async |pool| check(pool, self.account, anchors, &mut tell).await)
    }
}

async fn check(
    pool: &Pool,
    only: Option<i64>,
    anchors: &Anchors,
    tell: &mut impl FnMut(Checked) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // Also accounts of which nothing is left but an anchor.
    let mut anchored = anchors.keys().copied().peekable();
    let mut next = match only {
        Some(account) => Some(account),
        None => least(following(pool, None).await?, anchored.peek().copied()),
    };
    while let Some(account) = next {
        let checked =
            verify::account(&mut *pool.begin_across_accounts().await?, account, anchors.get(&account)).await?;
        let is_there = !matches!(checked, Ok(None));
        tell(checked)?;
        if only.is_some() {
            anyhow::ensure!(
                is_there,
                "account {account} has no chain: nothing of it was ever written down, or all of it is gone"
            );
            return Ok(());
        }
        while anchored.next_if(|anchored| *anchored <= account).is_some() {}
        next = least(following(pool, Some(account)).await?, anchored.peek().copied());
    }
    Ok(())
}

/// The next account that has a chain.
async fn following(pool: &Pool, after: Option<i64>) -> Result<Option<i64>, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    store::next_account(&mut transaction, after).await
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}
