//! `serve`: starts the service.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::{DatabaseArgs, ListenArgs, SettingsArgs, demo, say};
use crate::app::{self, App};
use crate::outgoing::Policy;
use crate::sources::{Clock, Identifiers, Secrets};
use crate::telemetry;

/// Starts the service
///
/// Prints `listening on http://HOST:PORT` on standard output when requests are answered; the log goes to standard error. SIGTERM or
/// Ctrl-C lets running requests end, stops the embedded database, and ends with exit code 0. SIGHUP has the keys of tokens read anew, which
/// also happens by itself when their files change.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    listen: ListenArgs,
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
        let flags = [self.listen.flags().as_slice(), &self.database.flags()].concat();
        let config = self.settings.load(&flags)?.config?;
        telemetry::start(&config);
        warn_of(config.outgoing);
        app::block_on(async {
            let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
            let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
            let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
            let mut signalled = async || {
                tokio::select! {
                    _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                    _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                }
            };
            // A start that is interrupted is given up, and with it the child that it may have begun.
            let app = tokio::select! {
                app = App::start(config, Clock::system(), Identifiers::random(), Secrets::random()) => app?,
                () = signalled() => return Ok(ExitCode::SUCCESS),
            };
            let samples =
                if self.demo { Some(demo::prepare(&app).await.context("cannot prepare the samples")?) } else { None };
            say(&format!("listening on http://{}", app.address))?;
            if let Some(samples) = samples {
                say(&samples)?;
            }
            let keyring = app.shared.keyring.clone();
            let reloads = async {
                while hangup.recv().await.is_some() {
                    tracing::info!("SIGHUP: reading the keys of tokens anew");
                    keyring.reload();
                }
                std::future::pending::<()>().await;
            };
            let (first, second) = (Notify::new(), Notify::new());
            let running = app.run_until(first.notified(), second.notified());
            let signals = async {
                signalled().await;
                first.notify_one();
                signalled().await;
                second.notify_one();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                ended = running => ended?,
                () = signals => {}
                () = reloads => {}
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// What is open that should be closed where others can reach the service.
fn warn_of(outgoing: Policy) {
    if outgoing.loopback {
        tracing::warn!(
            "outgoing.loopback is on: whoever may open continuations can have this machine's own services called"
        );
    }
    if outgoing.http {
        tracing::warn!("outgoing.http is on: what widgets and engines are sent can be read and changed on the way");
    }
}
