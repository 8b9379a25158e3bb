//! `keys rotate-signing`: a new key that signs tokens.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Place;
use crate::app;
use crate::audit::{self, Actor, Chain, Change};
use crate::auth::{self, MOST_LIFETIME};
use crate::cli::say;
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
        let path = match &config.signing_key {
            Some(path) => path.clone(),
            None => app::signing_key_path(&DataDir::peek(&config.data_dir)?),
        };
        let rotation = auth::rotate(&path, self.keep.unwrap_or(MOST_LIFETIME), &Clock::system())?;
        app::block_on(note(&config, &rotation.new))
            .context("the key was changed, but the audit log does not say so")?;
        let until = OffsetDateTime::from_unix_timestamp(rotation.old_until)?.format(&Rfc3339)?;
        say(&format!(
            "{} signs from now on; tokens of {} are valid until {until} at most",
            rotation.new, rotation.old
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the change into the audit log, whether the service runs or not.
async fn note(config: &Config, kid: &str) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let written = async {
        let mut transaction = opened.pool.begin_across_accounts().await?;
        let change = Change::KeyRotated { ring: "signing", key: kid };
        audit::record(&mut transaction, Chain::Registry, &Actor::command_line(), &change).await?;
        Ok(transaction.commit().await?)
    };
    let written = written.await;
    opened.close().await?;
    written
}
