//! Webhook secrets, sealed on their way into the database and opened on their way out.

use std::time::Duration;

use super::store::{self, StoredSecrets, Validity};
use super::{Secrets, WebhookSecret};
use crate::audit::{self, Actor, Change};
use crate::auth::AccountId;
use crate::database::{Failure, Pool};
use crate::sealing::{DataKey, Fault, Place, Sealed, Sealing, replaced};

/// The fields of a row that hold a secret. Each is sealed for its own, so that an old secret cannot be put in the place of the present.
const PRESENT: &str = "secret";
const PREVIOUS: &str = "previous";

fn place(account: AccountId, field: &str) -> Place {
    Place::new("webhook_secrets", &[&account, &field])
}

/// Puts a new secret in the place of the account's present one, which stays in force for `keep`, unless it does not open.
///
/// # Errors
///
/// When the database fails, a key is missing, or there is no randomness.
pub async fn replace(
    (pool, sealing): (&Pool, &Sealing),
    account: AccountId,
    secret: &WebhookSecret,
    keep: Duration,
    actor: &Actor,
) -> Result<Validity, Fault> {
    let key = sealing.newest(account).await?;
    let sealed = seal(sealing, &key, PRESENT, secret)?;
    // Makes the keys ready that the present ones are sealed with: in the transaction no further connection is waited for.
    if let Some(before) = store::in_force(pool, account).await? {
        sealing.prepare(before.keys()).await?;
    }
    let mut transaction = pool.begin_for(account).await?;
    let validity = if let Some(before) = store::lock(&mut transaction, account).await? {
        let before = replaced(open(sealing, account, PRESENT, before.secret, before.is_sealed).await.map(Some))?;
        let previous = before.map(|before| seal(sealing, &key, PREVIOUS, &before)).transpose()?;
        let previous = previous.as_ref().map(Sealed::bytes);
        store::replace(&mut transaction, account, sealed.bytes(), previous, keep).await?
    } else {
        let Some(made) = store::create(&mut transaction, account, sealed.bytes()).await? else {
            // Somebody else made the first one meanwhile; what is written now is the second. Nobody holds a connection while waiting for
            // another.
            drop(transaction);
            return Box::pin(replace((pool, sealing), account, secret, keep, actor)).await;
        };
        made
    };
    let change = Change::WebhookSecretReplaced { keep_old_seconds: keep.as_secs() };
    audit::record(&mut transaction, account, actor, &change).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(validity)
}

/// The account's secrets that are in force; `None` when it has none.
///
/// # Errors
///
/// When the database fails, a key is missing, or a secret does not open.
pub async fn in_force(pool: &Pool, sealing: &Sealing, account: AccountId) -> Result<Option<Secrets>, Fault> {
    let Some(stored) = store::in_force(pool, account).await? else { return Ok(None) };
    open_both(sealing, account, stored).await.map(Some)
}

/// One transaction: seals the account's secrets with its newest key, unless they are. Returns the faults of those that do not open, which
/// stay as they are.
///
/// # Errors
///
/// When the database fails or a key is missing; then nothing was changed.
pub async fn reseal(pool: &Pool, sealing: &Sealing, account: AccountId) -> Result<Vec<Fault>, Fault> {
    let key = sealing.newest(account).await?;
    let mut transaction = pool.begin_for(account).await?;
    let Some(mut stored) = store::lock(&mut transaction, account).await? else { return Ok(Vec::new()) };
    if is_under(&stored, &key) {
        return Ok(Vec::new());
    }
    if !sealing.has(&stored.keys()) {
        // Keys come over a connection of their own, and nobody holds one while waiting for another.
        drop(transaction);
        sealing.prepare(stored.keys()).await?;
        transaction = pool.begin_for(account).await?;
        let Some(now) = store::lock(&mut transaction, account).await? else { return Ok(Vec::new()) };
        stored = now;
    }
    let mut faults = Vec::new();
    let mut anew =
        async |field, bytes: Vec<u8>| match open(sealing, account, field, bytes.clone(), stored.is_sealed).await {
            Ok(secret) => Ok(seal(sealing, &key, field, &secret)?.bytes().to_vec()),
            Err(fault) if fault.is_of_a_value() => {
                faults.push(fault);
                Ok(bytes)
            }
            Err(fault) => Err(fault),
        };
    let secret = anew(PRESENT, stored.secret).await?;
    let previous = match stored.previous {
        Some(previous) => Some(anew(PREVIOUS, previous).await?),
        None => None,
    };
    // A row tells of both at once whether they are sealed.
    if stored.is_sealed || faults.is_empty() {
        store::replace_same(&mut transaction, account, &secret, previous.as_deref()).await?;
        transaction.commit().await.map_err(Failure::from)?;
    }
    Ok(faults)
}

fn is_under(stored: &StoredSecrets, key: &DataKey) -> bool {
    stored.is_sealed && std::iter::once(&stored.secret).chain(&stored.previous).all(|bytes| key.has_sealed(bytes))
}

fn seal(sealing: &Sealing, key: &DataKey, field: &str, secret: &WebhookSecret) -> Result<Sealed, Fault> {
    key.seal(&place(key.account, field), secret.bytes(), sealing.secrets())
}

async fn open_both(sealing: &Sealing, account: AccountId, stored: StoredSecrets) -> Result<Secrets, Fault> {
    let StoredSecrets { secret, previous, is_sealed } = stored;
    let present = open(sealing, account, PRESENT, secret, is_sealed).await?;
    let previous = match previous {
        Some(previous) => Some(open(sealing, account, PREVIOUS, previous, is_sealed).await?),
        None => None,
    };
    Ok(Secrets { present, previous })
}

/// A secret as it was before it was stored; one of a row that is older than sealing is as it was.
async fn open(
    sealing: &Sealing,
    account: AccountId,
    field: &str,
    stored: Vec<u8>,
    is_sealed: bool,
) -> Result<WebhookSecret, Fault> {
    let place = place(account, field);
    if !is_sealed {
        sealing.admit_unsealed(&place)?;
        return Ok(WebhookSecret::of_bytes(stored));
    }
    let sealed = Sealed::parse(stored).ok_or_else(|| place.fault())?;
    Ok(WebhookSecret::of_secret(sealing.open(&place, &sealed).await?))
}
