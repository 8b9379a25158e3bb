//! The command line: one file per command; `remote`, `folder`, `findings`, `excerpt`, `plan` and `table` are what several share.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::app;
use crate::config::{self, Config, Loaded, Sources};
use crate::database::{self, Pool};

mod audit;
mod bot;
mod demo;
mod excerpt;
mod findings;
mod folder;
mod healthcheck;
mod installs;
mod keys;
mod list;
mod migrate;
mod openapi;
mod plan;
mod progress;
mod publish;
mod remote;
mod serve;
mod settings;
mod table;
mod token;
mod validate;
mod versions;
mod yank;

/// A self-hosted registry of CRM widgets that speaks the Widgets section of the amoCRM/Kommo API v4.
///
/// `widget-registry serve --demo` starts a service with sample widgets and prints commands to try it with.
#[derive(Debug, Parser)]
#[command(name = "widget-registry", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Token(token::Token),
    Validate(validate::Validate),
    Publish(publish::Publish),
    List(list::List),
    Versions(versions::Versions),
    Yank(yank::Yank),
    Installs(installs::Installs),
    Bot(bot::Bot),
    Keys(keys::Keys),
    Audit(audit::Audit),
    Migrate(migrate::Migrate),
    Healthcheck(healthcheck::Healthcheck),
    Openapi(openapi::Openapi),
    Config(settings::Show),
}

/// Where settings come from, for every command that reads them. Each flag wins over its environment variable, which wins over the
/// configuration file.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// A TOML file with settings; the names are those of `widget-registry config`
    #[arg(long, value_name = "FILE", env = "WIDGET_REGISTRY_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of keys, lock and embedded database [default: /var/lib/widget-registry for root, else in the user's data folder]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// The `iss` claim of tokens [default: widget-registry]
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// What the log shows: error, warn, info, debug, trace, or module=level pairs, parted by commas [default: info for this program]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How the log looks: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Where to listen, and how requests are answered.
#[derive(Debug, Args)]
struct ListenArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What links begin with, such as `https://widgets.example.com` [default: the host that the client used]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// How old installs of an external database may be shown, such as 250ms [default: each read asks the database]
    #[arg(long, value_name = "TIME")]
    stale_ok: Option<String>,
}

/// Which database to use.
#[derive(Debug, Args)]
struct DatabaseArgs {
    /// URL of a PostgreSQL 14 or newer, such as `postgres://user:password@host/database`; `DATABASE_URL` counts too. Without it an
    /// embedded PostgreSQL is run in the data directory
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Folder of the programs postgres and initdb, when they are not where they usually are
    #[arg(long, value_name = "DIR")]
    postgres_bin: Option<String>,
}

impl SettingsArgs {
    fn load(&self, further: &[(&'static str, &Option<String>)]) -> anyhow::Result<Loaded> {
        let own = [
            ("data_dir", &self.data_dir),
            ("issuer", &self.issuer),
            ("log", &self.log),
            ("log_format", &self.log_format),
        ];
        let flags: BTreeMap<_, _> =
            own.iter().chain(further).filter_map(|(name, value)| Some((*name, (*value).clone()?))).collect();
        let environment = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let file = self.config.as_deref().map(config::read_file).transpose()?.unwrap_or_default();
        Ok(Config::read(Sources { flags, environment: environment.collect(), file }))
    }
}

impl ListenArgs {
    fn flags(&self) -> [(&'static str, &Option<String>); 3] {
        [("listen", &self.listen), ("public_url", &self.public_url), ("stale_ok", &self.stale_ok)]
    }
}

impl DatabaseArgs {
    fn flags(&self) -> [(&'static str, &Option<String>); 2] {
        [("database_url", &self.database_url), ("postgres_bin", &self.postgres_bin)]
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Validate(command) => command.run(),
        Command::Publish(command) => command.run(),
        Command::List(command) => command.run(),
        Command::Versions(command) => command.run(),
        Command::Yank(command) => command.run(),
        Command::Installs(command) => command.run(),
        Command::Bot(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Healthcheck(command) => command.run(),
        Command::Openapi(command) => command.run(),
        Command::Config(command) => command.run(),
    };
    outcome.unwrap_or_else(|error| {
        complain(&format!("error: {}", causes(&error)));
        ExitCode::FAILURE
    })
}

/// Works with the database, whether the service runs or not.
fn with_database<T>(config: &Config, work: impl AsyncFnOnce(&Pool) -> anyhow::Result<T>) -> anyhow::Result<T> {
    app::block_on(async {
        let opened = database::open(config).await?;
        let outcome = work(&opened.pool).await;
        let closed = opened.close().await;
        let value = outcome?;
        closed?;
        Ok(value)
    })
}

/// The error and its causes; those that an error before them has already told are left out.
fn causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            told if told.contains(&cause) => text,
            _ => format!("{text}: {cause}"),
        }
    })
}

/// Writes a line to standard output and makes sure that it is there.
fn say(line: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("cannot write to standard output")
}

/// Writes a line to standard error. When even that fails there is nobody left to tell.
fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
