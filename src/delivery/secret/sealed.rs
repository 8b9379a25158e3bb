//! Webhook secrets, sealed on their way into the database and opened on their way out.

use std::time::Duration;

use super::store::{self, StoredSecrets, Validity};
use super::{Secrets, WebhookSecret};
use crate::audit::{self, Actor, Change};
use crate::auth::AccountId;
use crate::database::{Failure, Pool};
use crate::sealing::{DataKey, Fault, Place, Sealed, Sealing};

/// The fields of a row that hold a secret. Each is sealed for its own, so that an old secret cannot be put in the place of the present.
const PRESENT: &str = "secret";
const PREVIOUS: &str = "previous";

fn place(account: AccountId, field: &str) -> Place {
    Place::new("webhook_secrets", &[&account, &field])
}

/// Puts a new secret in the place of the account's present one, which stays in force for `keep`.
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
    // Makes the key ready that the present one is sealed with: in the transaction no further connection is waited for.
    in_force(pool, sealing, account).await?;
    let mut transaction = pool.begin_for(account).await?;
    let validity = if let Some(before) = store::lock(&mut transaction, account).await? {
        let before = open(sealing, account, PRESENT, before.secret, before.is_sealed).await?;
        let previous = seal(sealing, &key, PREVIOUS, &before)?;
        store::replace(&mut transaction, account, sealed.bytes(), previous.bytes(), keep).await?
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

/// One transaction: seals the account's secrets with its newest key, unless they are.
///
/// # Errors
///
/// When the database fails, a key is missing, or a secret does not open; then nothing was changed.
pub async fn reseal(pool: &Pool, sealing: &Sealing, account: AccountId) -> Result<(), Fault> {
    let key = sealing.newest(account).await?;
    let mut transaction = pool.begin_for(account).await?;
    let Some(stored) = store::lock(&mut transaction, account).await? else { return Ok(()) };
    if is_under(&stored, &key) {
        return Ok(());
    }
    let Secrets { present, previous } = open_both(sealing, account, stored).await?;
    let secret = seal(sealing, &key, PRESENT, &present)?;
    let previous = previous.map(|previous| seal(sealing, &key, PREVIOUS, &previous)).transpose()?;
    let previous = previous.as_ref().map(Sealed::bytes);
    store::replace_same(&mut transaction, account, secret.bytes(), previous).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(())
}

fn is_under(stored: &StoredSecrets, key: &DataKey) -> bool {
    let under =
        |bytes: &Vec<u8>| Sealed::parse(bytes.clone()).and_then(|sealed| sealed.key()) == Some((key.account, key.id));
    stored.is_sealed && std::iter::once(&stored.secret).chain(&stored.previous).all(under)
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
    if !is_sealed {
        return Ok(WebhookSecret::of_bytes(stored));
    }
    let place = place(account, field);
    let sealed = Sealed::parse(stored).ok_or_else(|| place.fault())?;
    Ok(WebhookSecret::of_secret(sealing.open(&place, &sealed).await?))
}
