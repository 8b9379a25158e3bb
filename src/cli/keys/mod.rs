//! `keys`: the keys of a registry.

use std::process::ExitCode;

use clap::{Args, Subcommand};

mod signing;

/// Changes the keys of a registry
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    RotateSigning(signing::RotateSigning),
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::RotateSigning(command) => command.run(),
        }
    }
}
