//! `serve`: starts the service.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{DatabaseArgs, SettingsArgs, demo, say};
use crate::app::{self, App};
use crate::sources::{Clock, Identifiers};
use crate::telemetry;

/// Starts the service
///
/// Prints `listening on http://HOST:PORT` on standard output when requests are answered; the log goes to standard error. SIGTERM or
/// Ctrl-C lets running requests end, stops the embedded database, and ends with exit code 0.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What links begin with, such as `https://widgets.example.com` [default: the host that the client used]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Publish the sample widgets, and print tokens and commands to try
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut flags = vec![("listen", &self.listen), ("public_url", &self.public_url)];
        flags.extend(self.database.flags());
        let config = self.settings.load(&flags)?.config?;
        telemetry::start(&config);
        app::block_on(async {
            let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
            let stop = async move {
                tokio::select! {
                    _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                    _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                }
            };
            let mut stop = std::pin::pin!(stop);
            // A start that is interrupted is given up, and with it the child that it may have begun.
            let app = tokio::select! {
                app = App::start(config, Clock::system(), Identifiers::random()) => app?,
                () = &mut stop => return Ok(ExitCode::SUCCESS),
            };
            let samples =
                if self.demo { Some(demo::prepare(&app).await.context("cannot prepare the samples")?) } else { None };
            say(&format!("listening on http://{}", app.address))?;
            if let Some(samples) = samples {
                say(&samples)?;
            }
            app.run_until(stop).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
