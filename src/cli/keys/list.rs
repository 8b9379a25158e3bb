//! `keys list`

use std::process::ExitCode;

use clap::Args;

use super::Place;
use crate::app::signing_key_path;
use crate::auth::SigningKey;
use crate::cli::say;
use crate::cli::table::aligned;
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::sealing::rotation::{self, Listed};

/// Lists the encryption keys, what they are needed for, and the signing key
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

/// The signing key, when there is one.
fn signing(config: &Config) -> anyhow::Result<Option<[String; 4]>> {
    let path = match &config.signing_key {
        Some(path) => path.clone(),
        None => match DataDir::peek(&config.data_dir) {
            Ok(data_dir) => signing_key_path(&data_dir),
            Err(_) => return Ok(None),
        },
    };
    if !path.exists() {
        return Ok(None);
    }
    let key = SigningKey::load(&path)?.verification_key();
    Ok(Some([key.kid, "signing".to_owned(), "active".to_owned(), String::new()]))
}
