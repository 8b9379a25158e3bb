//! `keys remove`

use std::process::ExitCode;

use clap::Args;

use super::Place;
use crate::cli::say;
use crate::resealing;
use crate::sealing::KeyId;

/// Gives up an encryption key that nothing needs, and removes its file
///
/// Backups of the database that are older than its rotation need it: keep a copy for as long as you keep those.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The key's id, as `keys list` shows it
    #[arg(value_name = "ID")]
    id: KeyId,
    #[command(flatten)]
    place: Place,
}

impl Remove {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.place.with_database(async |ground| Ok(resealing::remove(ground.pool, &ground.source, &self.id).await?))?;
        say(&format!("removed the encryption key {}", self.id))?;
        Ok(ExitCode::SUCCESS)
    }
}
