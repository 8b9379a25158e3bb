//! `openapi`: prints the OpenAPI document.

use std::process::ExitCode;

use clap::Args;

use super::say;
use crate::openapi;

/// Prints the OpenAPI document of the service
#[derive(Debug, Args)]
pub(super) struct Openapi {}

impl Openapi {
    #[expect(clippy::unused_self, reason = "every command runs alike")]
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        say(&openapi::text()?)?;
        Ok(ExitCode::SUCCESS)
    }
}
