//! `config`: prints every setting.

use std::process::ExitCode;

use clap::Args;

use super::{DatabaseArgs, ListenArgs, SettingsArgs, complain, say};
use crate::config::reference;

/// Prints every setting, its value and where it came from; secrets are masked
///
/// Mistakes are listed after the settings, all of them, with exit code 1.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print the reference of all settings as Markdown instead
    #[arg(long)]
    reference: bool,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.reference {
            say(reference().trim_end())?;
            return Ok(ExitCode::SUCCESS);
        }
        let loaded = self.settings.load(&[self.listen.flags().as_slice(), &self.database.flags()].concat())?;
        let width = loaded.shown.iter().map(|shown| shown.name.len()).max().unwrap_or(0);
        for shown in &loaded.shown {
            let value = if shown.value.is_empty() { "(not set)" } else { &shown.value };
            say(&format!("{:width$}  {value}  ({})", shown.name, shown.origin))?;
        }
        match loaded.config {
            Ok(_) => Ok(ExitCode::SUCCESS),
            Err(mistakes) => {
                complain(&format!("error: {mistakes}"));
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
