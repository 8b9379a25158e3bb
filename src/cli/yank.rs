//! `yank`: takes a version back, or gives it free again.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::remote::Remote;
use super::say;
use crate::app;
use crate::archive::{Version, WidgetCode};

/// Takes a version of a widget back, so that it is never current
///
/// The highest version that is not yanked takes over; when there is none, the widget is shown to nobody until one is published or
/// restored. Nothing is deleted: what is installed keeps its settings. --restore gives the version free again. Doing either twice
/// does no harm. The token needs the scope publish and must be of the widget's owner.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  widget-registry yank my_widget 1.2.0\n  \
    widget-registry yank my_widget 1.2.0 --restore")]
pub(super) struct Yank {
    /// The widget's code
    #[arg(value_name = "CODE")]
    code: WidgetCode,
    /// The version, as its manifest has it
    #[arg(value_name = "VERSION")]
    version: Version,
    /// Give the version free again instead
    #[arg(long)]
    restore: bool,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Current {
    version: Option<String>,
}

impl Yank {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let connection = self.remote.connect()?;
        let (code, version) = (self.code.as_str(), self.version.as_str());
        let (verb, done) = if self.restore { ("restore", "restored") } else { ("yank", "yanked") };
        let Current { version: current } =
            app::block_on(connection.post(&["widgets", code, "versions", version, verb]))?;
        let current = current.map_or_else(|| "no version is".to_owned(), |current| format!("{current} is"));
        say(&format!("{code} {version} is {done}; {current} current now"))?;
        Ok(ExitCode::SUCCESS)
    }
}
