//! `validate`: checks archives without a server.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::findings::{self, Printer};
use super::{causes, complain, folder, say};
use crate::archive::{self, Limits, Report, Version, WidgetCode};

/// Checks widgets as publishing does, without a server
///
/// Takes zip archives, and folders, which are packed first. Every finding is printed at once: what is wrong, where, the line of the
/// JSON file with a caret under the column, and at the end of each path how many errors and warnings there are. A line that holds a
/// secret key is not printed.
///
/// Errors keep a widget from being published, warnings do not. Exit code 1 when any path has an error or cannot be read, else 0.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  widget-registry validate my_widget\n  \
    widget-registry validate --format json dist/*.zip")]
pub(super) struct Validate {
    /// A zip archive, or the folder of a widget
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How findings are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One array with an object for each path: `path`, `accepted`, `version`, `code`, `findings`
    Json,
}

/// What is said about one path.
#[derive(Debug, Serialize)]
struct Verdict {
    path: String,
    /// Whether it could be published.
    accepted: bool,
    /// The manifest's version, when it is accepted.
    version: Option<Version>,
    /// The code under which it would be published, when it is accepted and there is one.
    code: Option<WidgetCode>,
    findings: Vec<archive::Finding>,
}

impl Validate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut verdicts = Vec::new();
        let mut all_accepted = true;
        for path in &self.paths {
            let verdict = self.check(path)?;
            all_accepted &= verdict.accepted;
            if self.format == Format::Json {
                verdicts.push(verdict);
            }
        }
        if self.format == Format::Json {
            say(&serde_json::to_string_pretty(&verdicts)?)?;
        }
        Ok(if all_accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Checks one path, and prints what was found when people read it.
    fn check(&self, path: &Path) -> anyhow::Result<Verdict> {
        let name = path.display().to_string();
        let archive = match folder::read(path) {
            Ok(archive) => archive,
            Err(error) => {
                complain(&format!("{name}: {}", causes(&error)));
                return Ok(Verdict { path: name, accepted: false, version: None, code: None, findings: Vec::new() });
            }
        };
        let Report { findings, package } = archive::inspect(Cursor::new(&archive), &Limits::default())?;
        if self.format == Format::Text {
            print(&name, &archive, &findings)?;
        }
        let manifest = package.map(|package| package.manifest);
        Ok(Verdict {
            path: name,
            accepted: manifest.is_some(),
            code: manifest.as_ref().and_then(|manifest| manifest.code.clone().or_else(|| folder::code(path).ok())),
            version: manifest.map(|manifest| manifest.version),
            findings,
        })
    }
}

fn print(path: &str, archive: &[u8], findings: &[archive::Finding]) -> anyhow::Result<()> {
    let findings: Vec<_> = findings.iter().map(findings::Finding::from).collect();
    let mut printer = Printer::new(path, archive);
    for finding in &findings {
        say(&printer.describe(finding))?;
    }
    say(&format!("{path}: {}", findings::summary(&findings)))
}
