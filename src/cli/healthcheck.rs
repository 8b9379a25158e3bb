//! `healthcheck`: probes a running server.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::complain;
use crate::app;

/// Asks a running server whether it can answer requests; exit code 0 when it can, 1 when not
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "WIDGET_REGISTRY_SERVER", value_parser = NonEmptyStringValueParser::new())]
    server: String,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Healthcheck {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        app::block_on(async {
            let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(self.timeout)).build()?;
            let url = format!("{}/registry/v1/health/ready", self.server.trim_end_matches('/'));
            let answer = client.get(&url).send().await.with_context(|| format!("{} does not answer", self.server))?;
            if answer.status().is_success() {
                return Ok(ExitCode::SUCCESS);
            }
            complain(&format!("{} is not ready: {}", self.server, answer.status()));
            Ok(ExitCode::FAILURE)
        })
    }
}
