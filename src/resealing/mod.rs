//! Sealing anew what the features have stored: rows that are older than sealing, and everything when an account gets a new key.

use std::time::Duration;

use uuid::Uuid;

use crate::audit::{self, Actor, Chain, Change};
use crate::auth::AccountId;
use crate::background::Stop;
use crate::database::{Connection, Failure, Pool};
use crate::delivery::secret;
use crate::sealing::rotation::{self, Rotation, RotationError};
use crate::sealing::{Era, Fault, KeyId, Sealing, Source, store as keys};
use crate::{installs, integrations};

/// Rows that are looked for at a time.
const BATCH: i64 = 200;
/// Time until rows that could not be sealed are tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// Settles whether rows may be older than sealing, before the first request: where nothing says that none is any more, and there is none,
/// none will come.
///
/// # Errors
///
/// When the database fails.
pub async fn begin(pool: &Pool, sealing: &Sealing) -> Result<(), Failure> {
    let is_there = async || {
        Ok::<_, Failure>(
            installs::store::account_with_unsealed(pool, 0).await?.is_some()
                || secret::store::account_with_unsealed(pool, 0).await?.is_some()
                || !integrations::store::with_secrets(pool, true, Uuid::nil(), 1).await?.is_empty(),
        )
    };
    if sealing.era() == Era::Mixed && !is_there().await? {
        sealing.all_is_sealed();
    }
    Ok(())
}

/// Seals rows that are older than sealing, until there are none, and writes that down. Others may do the same at once: who comes second
/// finds nothing to do. A row that comes later and says that it is older is refused, and told of every minute.
pub async fn seal_old(pool: Pool, sealing: Sealing, mut stop: Stop) {
    loop {
        let failed = match seal_old_once(&pool, &sealing, || stop.is_asked()).await {
            Ok(faults) if faults.is_empty() => return,
            Ok(faults) => format!("{} value(s)", faults.len()),
            Err(error) => error.to_string(),
        };
        tracing::warn!(failed, "old rows are not sealed yet; they are tried again");
        if stop.within(AGAIN).await {
            return;
        }
    }
}

/// Walks once through all rows that are older than sealing; returns the faults of those that could not be sealed. When there is none left,
/// that is noted. Ends early when it is asked to stop.
///
/// # Errors
///
/// When the database fails, or a key is missing; what was done stays done.
pub async fn seal_old_once(pool: &Pool, sealing: &Sealing, is_stopped: impl Fn() -> bool) -> Result<Vec<Fault>, Fault> {
    let mut faults = Vec::new();
    let mut after = 0;
    while let Some(account) = installs::store::account_with_unsealed(pool, after).await? {
        after = account.get();
        let mut widget = 0;
        loop {
            if is_stopped() {
                return Ok(faults);
            }
            let done = installs::reseal::some(pool, sealing, account, true, widget).await?;
            told(done.faults, &mut faults);
            let Some(last) = done.last else { break };
            widget = last.0;
        }
    }
    after = 0;
    while let Some(account) = secret::store::account_with_unsealed(pool, after).await? {
        if is_stopped() {
            return Ok(faults);
        }
        after = account.get();
        told(secret::sealed::reseal(pool, sealing, account).await?, &mut faults);
    }
    integrations_anew(pool, sealing, true, &is_stopped, &mut faults).await?;
    if faults.is_empty() && !is_stopped() {
        sealing.all_is_sealed();
    }
    if sealing.era() == Era::AllSealed {
        rotation::note_era(pool, sealing, &is_stopped).await?;
    }
    Ok(faults)
}

/// Turns to another key-encryption key, or goes on with that: wraps the data keys anew and, when that is asked for, gives each account a
/// new data key and seals its values with it. Servers may run meanwhile. What was done is told at its end. What does not open stays as it
/// is, and keeps the rotation neither from the rest nor from its end.
///
/// # Errors
///
/// When there is no key to turn to, or the database fails. What was done stays done, and who comes next goes on.
pub async fn rotate(pool: &Pool, sealing: &Sealing, reencrypt: bool) -> Result<Rotated, RotationError> {
    let note = async |connection: &mut Connection, key: &KeyId| note(connection, &rotated(key)).await;
    let rotation = rotation::begin(pool, sealing, reencrypt, note).await?;
    let mut faults = Vec::new();
    let rewrapped = rotation::rewrap(pool, sealing, &rotation, &mut faults).await?;
    let mut accounts = 0;
    if rotation.reencrypts {
        accounts = accounts_anew(pool, sealing, &rotation, &mut faults).await?;
        integrations_anew(pool, sealing, false, || false, &mut faults).await?;
    }
    rotation::finish(pool, &rotation).await?;
    Ok(Rotated { rotation, rewrapped, accounts, faults })
}

/// Gives up a key that nothing needs.
///
/// # Errors
///
/// As [`rotation::remove`].
pub async fn remove(pool: &Pool, source: &Source, id: &KeyId) -> Result<(), RotationError> {
    let removed = Change::KeyRemoved { ring: RING, key: id.as_str() };
    rotation::remove(pool, source, id, async |connection, _| note(connection, &removed).await).await
}

/// The ring of keys, as the audit log names it.
const RING: &str = "encryption";

fn rotated(key: &KeyId) -> Change<'_> {
    Change::KeyRotated { ring: RING, key: key.as_str() }
}

/// Only the command line changes keys.
async fn note(connection: &mut Connection, change: &Change<'_>) -> Result<(), Failure> {
    audit::record(connection, Chain::Registry, &Actor::command_line(), change).await
}

/// What a rotation has done.
#[derive(Debug)]
pub struct Rotated {
    /// The rotation.
    pub rotation: Rotation,
    /// Data keys that were wrapped anew.
    pub rewrapped: usize,
    /// Accounts whose values were encrypted anew.
    pub accounts: usize,
    /// What does not open: each names its table, its row and its field.
    pub faults: Vec<Fault>,
}

/// Seals everything of every account with a data key that is younger than the rotation; returns how many accounts there were.
async fn accounts_anew(
    pool: &Pool,
    sealing: &Sealing,
    rotation: &Rotation,
    faults: &mut Vec<Fault>,
) -> Result<usize, Fault> {
    let (mut done, mut after) = (0, 0);
    loop {
        let accounts = keys::accounts(pool, after, BATCH).await?;
        let Some(last) = accounts.last() else { return Ok(done) };
        after = last.get();
        for account in accounts {
            account_anew(pool, sealing, account, rotation, faults).await?;
            done += 1;
        }
    }
}

async fn account_anew(
    pool: &Pool,
    sealing: &Sealing,
    account: AccountId,
    rotation: &Rotation,
    faults: &mut Vec<Fault>,
) -> Result<(), Fault> {
    sealing.renew(account, rotation.since).await?;
    let mut widget = 0;
    loop {
        let done = installs::reseal::some(pool, sealing, account, false, widget).await?;
        told(done.faults, faults);
        let Some(last) = done.last else { break };
        widget = last.0;
    }
    told(secret::sealed::reseal(pool, sealing, account).await?, faults);
    Ok(())
}

/// Seals the secrets of all integrations, or of those that never were, with the newest keys of their owners.
async fn integrations_anew(
    pool: &Pool,
    sealing: &Sealing,
    only_unsealed: bool,
    is_stopped: impl Fn() -> bool,
    faults: &mut Vec<Fault>,
) -> Result<(), Fault> {
    let mut after = Uuid::nil();
    loop {
        let found = integrations::store::with_secrets(pool, only_unsealed, after, BATCH).await?;
        let Some((last, _)) = found.last() else { return Ok(()) };
        after = *last;
        for (client, owner) in found {
            if is_stopped() {
                return Ok(());
            }
            told(integrations::secrets::reseal(pool, sealing, client, owner).await?, faults);
        }
    }
}

/// Tells in the log what does not open, and adds it to the rest of that.
fn told(of_these: Vec<Fault>, faults: &mut Vec<Fault>) {
    for fault in &of_these {
        tracing::error!(%fault, "what is secret cannot be sealed anew");
    }
    faults.extend(of_these);
}
