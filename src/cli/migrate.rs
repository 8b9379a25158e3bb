//! `migrate`: applies migrations and stops.

use std::process::ExitCode;

use clap::Args;

use super::{DatabaseArgs, SettingsArgs, say};
use crate::app;
use crate::database;
use crate::telemetry;

/// Applies the migrations that the database lacks, and stops
///
/// `serve` does the same when it starts. Several may do it at once: all but one wait. A database that a newer program has migrated
/// is refused.
#[derive(Debug, Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Migrate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&self.database.flags())?.config?;
        telemetry::start(&config);
        let migrated = app::block_on(database::migrate_only(&config))?;
        say(&format!("applied {} migration(s); the schema has version {}", migrated.applied, migrated.version))?;
        Ok(ExitCode::SUCCESS)
    }
}
