//! `keys list`

use std::process::ExitCode;

use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Place;
use crate::app::signing_key_path;
use crate::auth::{self, SigningKey};
use crate::cli::say;
use crate::cli::table::aligned;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::sealing::rotation::{self, Listed};
use crate::sources::Clock;

/// Lists the encryption keys, what they are needed for, and the signing keys whose tokens are valid
///
/// A key that wraps no data key and is not active can be given up with `keys remove`. One that is missing must be put back: the service
/// does not start without it.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.place.with_database(async |ground| {
            let mut rows = vec![["KEY", "FOR", "STATE", "DATA KEYS"].map(str::to_owned)];
            rows.extend(signing(ground.config)?);
            rows.extend(rotation::list(ground.pool, &ground.source).await?.iter().map(row));
            aligned(&rows).iter().try_for_each(|line| say(line))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn row(listed: &Listed) -> [String; 4] {
    let state = match listed {
        Listed { is_there: false, data_keys: 0, is_active: false, .. } => "gone",
        Listed { is_there: false, .. } => "missing",
        Listed { is_active: true, .. } => "active",
        Listed { is_known: false, .. } => "prepared",
        Listed { data_keys: 0, .. } => "not needed",
        Listed { .. } => "needed",
    };
    [listed.id.to_string(), "encryption".to_owned(), state.to_owned(), listed.data_keys.to_string()]
}

/// The signing key, when there is one, and those before it whose tokens are still valid.
fn signing(config: &Config) -> anyhow::Result<Vec<[String; 4]>> {
    let path = match &config.signing_key {
        Some(path) => path.clone(),
        None => match DataDir::peek(&config.data_dir) {
            Ok(data_dir) => signing_key_path(&data_dir),
            Err(_) => return Ok(Vec::new()),
        },
    };
    if !path.exists() {
        return Ok(Vec::new());
    }
    let row = |kid: String, state: String| [kid, "signing".to_owned(), state, String::new()];
    let mut rows = vec![row(SigningKey::load(&path)?.verification_key().kid, "active".to_owned())];
    for (kid, until) in auth::retired(&path, &Clock::system())? {
        let until = OffsetDateTime::from_unix_timestamp(until)?.format(&Rfc3339)?;
        rows.push(row(kid, format!("valid until {until}")));
    }
    Ok(rows)
}
