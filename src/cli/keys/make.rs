//! `keys new`

use std::process::ExitCode;

use clap::Args;

use super::{Place, source};
use crate::cli::say;
use crate::database;
use crate::sources::Secrets;

/// Makes an encryption key in the folder of keys, and prints its file
///
/// Nothing uses it before `keys rotate`, or before the first start when it is the first. Copy it to every server before that. The
/// database is not asked.
#[derive(Debug, Args)]
pub(super) struct New {
    #[command(flatten)]
    place: Place,
}

impl New {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.place.config()?;
        let source = source(&config)?;
        if source.is_own() {
            database::is_there(&config)?;
        }
        let path = source.add(&Secrets::random())?;
        say(&path.display().to_string())?;
        Ok(ExitCode::SUCCESS)
    }
}
