//! `publish`: packs folders, uploads archives, prints every finding.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Deserialize;
use uuid::Uuid;

use super::findings::{Finding, Printer};
use super::plan::Plan;
use super::remote::{Connection, Refusal, Remote};
use super::{causes, complain, folder, say};
use crate::app;
use crate::archive::{self, Limits, Report, WidgetCode};

/// Publishes widgets: zip archives, or folders, which are packed first
///
/// Prints what was published and every finding, as `validate` does. Exit code 1 when any was refused; the others are published all
/// the same. The token needs the scope publish.
///
/// Shows how far an upload is when standard error is a terminal.
///
/// With --dry-run nothing is published: the server tells what the archive would change in the widget's settings, and how many
/// accounts have settings that would no longer fit.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  widget-registry publish --dry-run my_widget\n  \
    widget-registry publish --public my_widget dist/other.zip")]
pub(super) struct Publish {
    /// A zip archive, or the folder of a widget
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only tell what publishing would change; nothing is stored
    #[arg(long)]
    dry_run: bool,
    /// The widget's code [default: widget.code of the manifest, else the name of the file or folder]
    #[arg(long, value_name = "CODE")]
    code: Option<WidgetCode>,
    /// Let everybody see it; needs the scope publish:public
    #[arg(long)]
    public: bool,
    /// Client id of the integration whose tokens may read its settings
    #[arg(long, value_name = "UUID")]
    client_uuid: Option<Uuid>,
    /// Mark it as a CRM template
    #[arg(long)]
    crm_template: bool,
    #[command(flatten)]
    remote: Remote,
}

/// What the server answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Answer {
    code: String,
    version: String,
    visibility: String,
    already_published: bool,
    is_current: bool,
    findings: Vec<Finding>,
}

impl Publish {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.code.is_some() && self.paths.len() > 1 {
            bail!("--code names one widget, but {} paths are given", self.paths.len());
        }
        let connection = self.remote.connect()?;
        app::block_on(async {
            let mut code = ExitCode::SUCCESS;
            for path in &self.paths {
                match self.publish(&connection, path).await {
                    Ok(true) => {}
                    Ok(false) => code = ExitCode::FAILURE,
                    Err(error) => {
                        complain(&format!("{}: {}", path.display(), causes(&error)));
                        code = ExitCode::FAILURE;
                    }
                }
            }
            Ok(code)
        })
    }

    /// Whether the server took it, or would.
    async fn publish(&self, connection: &Connection<'_>, path: &Path) -> anyhow::Result<bool> {
        let archive = folder::read(path)?;
        let name = path.display().to_string();
        let code = self.code_for(path, &archive)?;
        let mut printer = Printer::new(&name, &archive);
        if self.dry_run {
            let code = code.map_or_else(|| folder::code(path), Ok)?;
            return match connection.upload(&["widgets", code.as_str(), "plan"], &[], (&name, &archive)).await? {
                Ok(plan) => tell(&plan, code.as_str(), &name, &mut printer),
                Err(refusal) => Ok(refused(&refusal, &name, &mut printer)),
            };
        }
        match connection.upload(&["widgets"], &self.query(code), (&name, &archive)).await? {
            Ok(published) => report(&published, &name, &mut printer),
            Err(refusal) => Ok(refused(&refusal, &name, &mut printer)),
        }
    }

    fn query(&self, code: Option<WidgetCode>) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        if let Some(code) = code {
            query.push(("code", code.to_string()));
        }
        if self.public {
            query.push(("visibility", "public".to_owned()));
        }
        if let Some(client_uuid) = self.client_uuid {
            query.push(("client_uuid", client_uuid.to_string()));
        }
        if self.crm_template {
            query.push(("is_crm_template", "true".to_owned()));
        }
        query
    }

    /// The code to send; `None` for an archive that is refused here: the server names what is wrong with it.
    fn code_for(&self, path: &Path, archive: &[u8]) -> anyhow::Result<Option<WidgetCode>> {
        if self.code.is_some() {
            return Ok(self.code.clone());
        }
        let Report { package, .. } = archive::inspect(Cursor::new(archive), &Limits::default())?;
        let Some(package) = package else { return Ok(None) };
        package.manifest.code.map_or_else(|| folder::code(path), Ok).map(Some)
    }
}

fn report(answer: &Answer, path: &str, printer: &mut Printer<'_>) -> anyhow::Result<bool> {
    let Answer { code, version, visibility, already_published, is_current, findings } = answer;
    warn(findings, printer);
    let what = if *already_published { "was published before" } else { "published" };
    let current =
        if *is_current { "" } else { "; not current: a higher version is, or a pinned one, or this one is yanked" };
    say(&format!("{path}: {what}: {code} {version} ({visibility}){current}"))?;
    Ok(true)
}

fn tell(plan: &Plan, code: &str, path: &str, printer: &mut Printer<'_>) -> anyhow::Result<bool> {
    warn(&plan.findings, printer);
    plan.lines(path, code).iter().try_for_each(|line| say(line))?;
    Ok(true)
}

fn refused(refusal: &Refusal, path: &str, printer: &mut Printer<'_>) -> bool {
    warn(&refusal.findings, printer);
    complain(&format!("{path}: refused: {refusal}"));
    false
}

fn warn(findings: &[Finding], printer: &mut Printer<'_>) {
    for finding in findings {
        complain(&printer.describe(finding));
    }
}
