//! `publish`: packs folders, uploads archives, prints every finding.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::{causes, complain, say};
use crate::app;
use crate::archive::{self, Limits, Report, WidgetCode};

/// Publishes widgets: zip archives, or folders, which are packed first
///
/// Prints what was published and every finding. Exit code 1 when any was refused; the others are published all the same.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// A zip archive, or the folder of a widget
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "WIDGET_REGISTRY_SERVER")]
    server: String,
    /// A token with the scope publish
    #[arg(long, value_name = "TOKEN", env = "WIDGET_REGISTRY_TOKEN", hide_env_values = true)]
    token: SecretString,
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
}

/// Time for one upload and its answer.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the server answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    code: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    already_published: bool,
    #[serde(default)]
    is_current: bool,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    findings: Vec<serde_json::Value>,
}

impl Publish {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if self.code.is_some() && self.paths.len() > 1 {
            bail!("--code names one widget, but {} paths are given", self.paths.len());
        }
        app::block_on(async {
            let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
            let mut code = ExitCode::SUCCESS;
            for path in &self.paths {
                match self.publish(&client, path).await {
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

    /// Whether the server took it.
    async fn publish(&self, client: &reqwest::Client, path: &Path) -> anyhow::Result<bool> {
        let bytes = if path.is_dir() { pack(path)? } else { fs::read(path).context("cannot read it")? };
        let mut query = Vec::new();
        if let Some(code) = self.code_for(path, &bytes)? {
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
        let address = format!("{}/registry/v1/widgets", self.server.trim_end_matches('/'));
        let address = url::Url::parse_with_params(&address, query).context("--server is not a URL")?;
        let request = client.post(address).bearer_auth(self.token.expose_secret());
        let answer = request.header("content-type", "application/zip").body(bytes).send().await;
        let answer = answer.with_context(|| format!("{} does not answer", self.server))?;
        let status = answer.status();
        let answer: Answer =
            answer.json().await.with_context(|| format!("{} answered {status} and no JSON", self.server))?;
        report(path, status.is_success(), &answer)?;
        Ok(status.is_success())
    }

    /// The code to send; `None` leaves it to the manifest.
    fn code_for(&self, path: &Path, archive: &[u8]) -> anyhow::Result<Option<WidgetCode>> {
        if self.code.is_some() {
            return Ok(self.code.clone());
        }
        let Report { package, .. } = archive::inspect(Cursor::new(archive), &Limits::default())?;
        // The server names what is wrong with an archive that cannot be read here.
        if package.is_none_or(|package| package.manifest.code.is_some()) {
            return Ok(None);
        }
        let named = if path.is_dir() { path.canonicalize()? } else { path.with_extension("") };
        let name = named.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.parse() {
            Ok(code) => Ok(Some(code)),
            Err(_) => bail!("neither the manifest nor the name `{name}` gives a code; give one with --code"),
        }
    }
}

fn report(path: &Path, accepted: bool, answer: &Answer) -> anyhow::Result<()> {
    let path = path.display();
    for finding in &answer.findings {
        complain(&describe(finding, &path.to_string()));
    }
    if !accepted {
        complain(&format!("{path}: refused: {}", answer.detail));
        return Ok(());
    }
    let what = if answer.already_published { "was published before" } else { "published" };
    let current = if answer.is_current { "" } else { "; not current, because a higher version is there" };
    say(&format!("{path}: {what}: {} {} ({}){current}", answer.code, answer.version, answer.visibility))
}

/// `warning[manifest.bom]: widget.zip: manifest.json:1:1 (settings.login): what and what to do`
fn describe(finding: &serde_json::Value, path: &str) -> String {
    let text = |pointer: &str| finding.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    let number = |pointer: &str| finding.pointer(pointer).and_then(serde_json::Value::as_u64);
    let mut place = path.to_owned();
    if !text("/place/entry").is_empty() {
        place = format!("{place}: {}", text("/place/entry"));
    }
    if let (Some(line), Some(column)) = (number("/place/line"), number("/place/column")) {
        place = format!("{place}:{line}:{column}");
    }
    if !text("/place/path").is_empty() {
        place = format!("{place} ({})", text("/place/path"));
    }
    format!("{}[{}]: {place}: {}", text("/severity"), text("/code"), text("/message"))
}

/// Packs a widget's folder; files whose names begin with a dot stay out.
fn pack(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    Ok(archive::pack(&files)?)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().into_string().ok().with_context(|| format!("{} is not UTF-8", path.display()))?;
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Follows no links: a link could bring in any file of this machine.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, &name, files)?;
        } else if kind.is_file() {
            files.push((name, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
        }
    }
    Ok(())
}
