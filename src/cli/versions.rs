//! `versions`: lists the versions of a widget.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;

use super::remote::{Connection, Remote};
use super::say;
use super::table::{aligned, seconds};
use crate::app;
use crate::archive::WidgetCode;

/// Lists the versions of a widget, the latest published first
///
/// Prints of each when it was published, the first twelve digits of its archive's SHA-256, and whether it is current, pinned by its
/// owner, or yanked. Any token will do whose user sees the widget.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  widget-registry versions my_widget")]
pub(super) struct Versions {
    /// The widget's code
    #[arg(value_name = "CODE")]
    code: WidgetCode,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Deserialize)]
struct Page {
    versions: Vec<Released>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Released {
    version: String,
    sha256: String,
    is_current: bool,
    is_pinned: bool,
    is_yanked: bool,
    published_at: String,
}

impl Versions {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let connection = self.remote.connect()?;
        let versions = app::block_on(self.all(&connection))?;
        let mut rows = vec![["VERSION", "PUBLISHED", "SHA-256", "STATE"].map(str::to_owned)];
        rows.extend(versions.iter().map(Released::row));
        aligned(&rows).iter().try_for_each(|line| say(line))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The versions of all pages.
    async fn all(&self, connection: &Connection<'_>) -> anyhow::Result<Vec<Released>> {
        let mut all = Vec::new();
        let mut query = Vec::new();
        loop {
            let path = ["widgets", self.code.as_str(), "versions"];
            let Page { versions, next } = connection.get(&path, &query).await?;
            all.extend(versions);
            match next {
                Some(next) => query = vec![("after", next)],
                None => return Ok(all),
            }
        }
    }
}

impl Released {
    fn row(&self) -> [String; 4] {
        let states = [(self.is_current, "current"), (self.is_pinned, "pinned"), (self.is_yanked, "yanked")];
        let states: Vec<_> = states.into_iter().filter_map(|(is, state)| is.then_some(state)).collect();
        let digest = self.sha256.chars().take(12).collect();
        [self.version.clone(), seconds(&self.published_at), digest, states.join(", ")]
    }
}
