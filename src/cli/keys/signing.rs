//! `keys rotate-signing` and `keys remove-signing`: a new key that signs tokens, and taking one of those before away.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Place;
use crate::app;
use crate::audit::{self, Actor, Chain, Change};
use crate::auth::{self, MOST_LIFETIME, SigningKey};
use crate::cli::{say, with_database};
use crate::config::{self, Config};
use crate::data_dir::DataDir;
use crate::database;
use crate::sources::Clock;

/// Makes a new key that signs tokens; those of the one before stay valid for a while
///
/// The server may run meanwhile and finds the new key by itself. Several servers with a copy of the key each need the file and the folder
/// `signing.retired` beside it copied again.
#[derive(Debug, Args)]
pub(super) struct RotateSigning {
    /// How long tokens of the key before stay valid, at most: 0s when it is known to others [default: as long as any lives, 366d]
    #[arg(long, value_name = "TIME", value_parser = keep)]
    keep: Option<Duration>,
    /// PEM file of the signing key [default: keys/signing.pem in the data directory]
    #[arg(long, value_name = "FILE")]
    signing_key: Option<String>,
    #[command(flatten)]
    place: Place,
}

fn keep(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { config::duration(text) }
}

impl RotateSigning {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.place.config_with(&[("signing_key", &self.signing_key)])?;
        // So that nothing is changed that cannot be told in the audit log.
        database::is_there(&config)?;
        let prepared = auth::prepare(&path_of(&config)?, self.keep.unwrap_or(MOST_LIFETIME), &Clock::system())?;
        // First: an entry of a change that broke off tells too much, but no change is without one.
        let change = Change::KeyRotated { ring: "signing", key: &prepared.rotation.new };
        note(&config, &change).context("the audit log cannot be written, so the key was not changed")?;
        let rotation = prepared.finish()?;
        let until = OffsetDateTime::from_unix_timestamp(rotation.old_until)?.format(&Rfc3339)?;
        say(&format!(
            "{} signs from now on; tokens of {} are valid until {until} at most",
            rotation.new, rotation.old
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes a signing key away that was replaced: none of its tokens is valid any more
///
/// For a key that turns out to be known to others after it was replaced. Servers that run notice it within a second. Several servers with a copy
/// of the folder `signing.retired` each need the file removed there, too.
#[derive(Debug, Args)]
pub(super) struct RemoveSigning {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// PEM file of the signing key [default: keys/signing.pem in the data directory]
    #[arg(long, value_name = "FILE")]
    signing_key: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl RemoveSigning {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.place.config_with(&[("signing_key", &self.signing_key)])?;
        let (path, id) = (path_of(&config)?, self.id.as_str());
        if SigningKey::load(&path)?.kid() == id {
            anyhow::bail!("{id} is the key that signs; replace it with `keys rotate-signing --keep 0s`");
        }
        if !auth::retired(&path, &Clock::system())?.iter().any(|(kid, _)| kid == id) {
            anyhow::bail!("no tokens of a signing key {id} are valid; `keys list` shows the keys whose tokens are");
        }
        let change = Change::KeyRemoved { ring: "signing", key: id };
        note(&config, &change).context("the audit log cannot be written, so the key was not removed")?;
        auth::withdraw(&path, id)?;
        say(&format!("removed the signing key {id}; none of its tokens is valid any more"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The file of the key that signs.
fn path_of(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(match &config.signing_key {
        Some(path) => path.clone(),
        None => app::signing_key_path(&DataDir::peek(&config.data_dir)?),
    })
}

/// Writes a change into the audit log, whether the service runs or not.
fn note(config: &Config, change: &Change<'_>) -> anyhow::Result<()> {
    with_database(config, async |pool| {
        let mut transaction = pool.begin_across_accounts().await?;
        audit::record(&mut transaction, Chain::Registry, &Actor::command_line(), change).await?;
        Ok(transaction.commit().await?)
    })
}
