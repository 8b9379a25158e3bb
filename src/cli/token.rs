//! `token`: issues a token.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use uuid::Uuid;

use super::{SettingsArgs, say};
use crate::app::signing_key_path;
use crate::auth::{AccountId, Issue, Role, Scope, SigningKey, UserId};
use crate::config;
use crate::data_dir::DataDir;
use crate::sources::{Clock, Identifiers};

/// Issues a token to standard output, and prints nothing else
///
/// The token is signed with the key in the data directory, which the first `serve` makes; the server may run meanwhile.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The account
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// The user of that account
    #[arg(long, value_name = "ID")]
    user: UserId,
    /// The user's rights in the account: admin or user
    #[arg(long)]
    role: Role,
    /// Client id of the integration that the token is given to
    #[arg(long, value_name = "UUID")]
    client: Option<Uuid>,
    /// What it may do under /registry/v1: publish, publish:public, bots, operator; several parted by commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scope: Vec<Scope>,
    /// How long it lives: 90s, 15m, 24h, 30d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = config::duration)]
    ttl: Duration,
    /// PEM file of the signing key [default: keys/signing.pem in the data directory]
    #[arg(long, value_name = "FILE")]
    signing_key: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let config = self.settings.load(&[("signing_key", &self.signing_key)])?.config?;
        let path = match &config.signing_key {
            Some(path) => path.clone(),
            None => signing_key_path(&DataDir::peek(&config.data_dir)?),
        };
        let issue = Issue {
            account: self.account,
            user: self.user,
            role: self.role,
            client: self.client,
            scopes: self.scope,
            lifetime: self.ttl,
        };
        let token = SigningKey::load(&path)?.issue(&config.issuer, &issue, &Clock::system(), &Identifiers::random())?;
        say(&token)?;
        Ok(ExitCode::SUCCESS)
    }
}
