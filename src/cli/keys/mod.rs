//! `keys`: the keys of a registry: listing them, turning to a new one, giving up an old one.

mod list;
mod make;
mod remove;
mod rotate;
mod signing;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{DatabaseArgs, SettingsArgs, with_database};
use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::database::Pool;
use crate::resealing;
use crate::sealing::{Sealing, Source};
use crate::sources::{Clock, Secrets};
use crate::telemetry;

/// Lists, makes, changes and removes keys
///
/// Signing keys sign tokens. Encryption keys encrypt the keys of accounts, and these what is secret in the database. Whoever loses them
/// loses every secret; keep a copy of them apart from the database's backups.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    New(make::New),
    Rotate(rotate::Rotate),
    Remove(remove::Remove),
    RotateSigning(signing::RotateSigning),
    RemoveSigning(signing::RemoveSigning),
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(command) => command.run(),
            Command::New(command) => command.run(),
            Command::Rotate(command) => command.run(),
            Command::Remove(command) => command.run(),
            Command::RotateSigning(command) => command.run(),
            Command::RemoveSigning(command) => command.run(),
        }
    }
}

/// Where settings come from, for commands that use the database.
#[derive(Debug, Args)]
struct Place {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// What commands work with.
struct Ground<'a> {
    config: &'a Config,
    pool: &'a Pool,
    source: Source,
}

impl Place {
    fn config(&self) -> anyhow::Result<Config> {
        self.config_with(&[])
    }

    fn config_with(&self, further: &[(&'static str, &Option<String>)]) -> anyhow::Result<Config> {
        let config = self.settings.load(&[self.database.flags().as_slice(), further].concat())?.config?;
        telemetry::start(&config);
        Ok(config)
    }

    /// Works with the database, whether the service runs or not.
    fn with_database<T>(&self, work: impl AsyncFnOnce(Ground<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let config = self.config()?;
        with_database(&config, async |pool| {
            let source = source(&config)?;
            work(Ground { config: &config, pool, source }).await
        })
    }
}

/// Where the configuration says that the encryption keys are.
fn source(config: &Config) -> anyhow::Result<Source> {
    let is_embedded = matches!(config.database, Database::Embedded { .. });
    Ok(Source::of(config.encryption_keys.as_ref(), is_embedded, || Ok(DataDir::peek(&config.data_dir)?.keys_dir()))?)
}

impl Ground<'_> {
    /// Holds the ring against the database, as the service does when it starts.
    async fn sealing(&self) -> anyhow::Result<Sealing> {
        let secrets = Secrets::random();
        let ring = self.source.load()?;
        let sealing = Sealing::start(self.pool.clone(), self.source.clone(), ring, secrets, Clock::system()).await?;
        resealing::begin(self.pool, &sealing).await?;
        Ok(sealing)
    }
}
