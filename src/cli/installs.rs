//! `installs`: lists what an account has installed, and what no longer fits.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::remote::{Connection, Remote, RuleError};
use super::say;
use super::table::{aligned, counted, seconds};
use crate::app;

/// Lists the widgets that the token's account has installed, and whose settings no longer fit
///
/// Settings stay as they were given when a new version of the widget is published. Where they would not be taken for the current
/// version, what is wrong is listed below the widget; it works on, and installing it again with these mended makes it fit.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  widget-registry installs")]
pub(super) struct Installs {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Page {
    installs: Vec<Install>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Install {
    code: String,
    version: String,
    installed_by_user_id: i64,
    installed_at: String,
    misfits: Vec<RuleError>,
}

impl Installs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let connection = self.remote.connect()?;
        let installs = app::block_on(all(&connection))?;
        if installs.is_empty() {
            say("nothing is installed")?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = vec![["CODE", "VERSION", "INSTALLED", "BY USER", "SETTINGS"].map(str::to_owned)];
        rows.extend(installs.iter().map(Install::row));
        let mut lines = aligned(&rows).into_iter();
        lines.next().iter().try_for_each(|head| say(head))?;
        for (install, line) in installs.iter().zip(lines) {
            say(&line)?;
            install.misfits.iter().try_for_each(|misfit| say(&format!("  {misfit}")))?;
        }
        let unfit = installs.iter().filter(|install| !install.misfits.is_empty()).count();
        let count = counted(u64::try_from(installs.len())?, "install");
        say(&match unfit {
            0 => format!("{count}; all settings fit"),
            _ => format!("{count}; the settings of {unfit} no longer fit"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The installs of all pages.
async fn all(connection: &Connection<'_>) -> anyhow::Result<Vec<Install>> {
    let mut all = Vec::new();
    let mut query = Vec::new();
    loop {
        let Page { installs, next } = connection.get(&["installs"], &query).await?;
        all.extend(installs);
        match next {
            Some(next) => query = vec![("after", next)],
            None => return Ok(all),
        }
    }
}

impl Install {
    fn row(&self) -> [String; 5] {
        let settings = if self.misfits.is_empty() { "fit" } else { "no longer fit" };
        [
            self.code.clone(),
            self.version.clone(),
            seconds(&self.installed_at),
            self.installed_by_user_id.to_string(),
            settings.to_owned(),
        ]
    }
}
