//! `keys rotate`

use std::process::ExitCode;

use clap::Args;

use super::Place;
use crate::cli::{complain, say};
use crate::resealing::{self, Rotated};

/// The exit code of a rotation that has left out what does not open.
const UNOPENED: u8 = 3;

/// Turns to a new encryption key, and wraps the keys of all accounts with it
///
/// Ends with exit code 3 when all was done but for values that do not open, which it names. The service may run meanwhile. In the data directory a new key is made; elsewhere the one that you have put there as the last is
/// taken. When it is broken off, running it again goes on. The old key can be given up afterwards: see `keys list`.
#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Give every account a new key, too, and encrypt all that is secret anew
    #[arg(long)]
    reencrypt: bool,
    #[command(flatten)]
    place: Place,
}

impl Rotate {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let rotated = self.place.with_database(async |ground| {
            let sealing = ground.sealing().await?;
            Ok(resealing::rotate(ground.pool, &sealing, self.reencrypt).await?)
        })?;
        let Rotated { rotation, rewrapped, accounts, faults } = rotated;
        let begun = if rotation.is_resumed { "finished the rotation to" } else { "turned to" };
        let anew = format!("; encrypted the secrets of {accounts} account(s) anew");
        let reencrypted = if rotation.reencrypts { anew.as_str() } else { "" };
        say(&format!(
            "{begun} the encryption key {}: wrapped {rewrapped} data key(s) anew{reencrypted}",
            rotation.key
        ))?;
        if faults.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        faults.iter().try_for_each(|fault| say(&fault.to_string()))?;
        complain(&format!(
            "error: {} value(s) or key(s) do not open and stay as they are, all else is done; put them back from a backup or store them \
             anew",
            faults.len()
        ));
        Ok(ExitCode::from(UNOPENED))
    }
}
