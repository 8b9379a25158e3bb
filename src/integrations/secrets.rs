//! The secrets of integrations, sealed on their way into the database and opened on their way out.

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::ValidSecrets;
use super::changes::NewIntegration;
use super::store::{self, Integration, StoredSecrets};
use crate::audit::{self, Actor, Change};
use crate::auth::AccountId;
use crate::catalogue::Owner;
use crate::database::{Failure, Pool};
use crate::sealing::{DataKey, Fault, Place, Sealed, Sealing, replaced};

/// The fields of a row that hold a secret. Each is sealed for its own, so that an old secret cannot be put in the place of the newest.
const NEWEST: &str = "secret";
const OLD: &str = "old_secret";

fn place(client: Uuid, field: &str) -> Place {
    Place::new("integrations", &[&client, &field])
}

/// Writes a new integration; `None` when its client id is taken.
///
/// # Errors
///
/// When the database fails, a key is missing, or there is no randomness.
pub async fn create(
    (pool, sealing): (&Pool, &Sealing),
    owner: Owner,
    client: Uuid,
    new: &NewIntegration,
    secret: &SecretString,
    actor: &Actor,
) -> Result<Option<Integration>, Fault> {
    let key = sealing.newest(owner.account).await?;
    let sealed = seal(sealing, &key, client, NEWEST, secret)?;
    Ok(store::create(pool, owner, client, new, sealed.bytes(), actor).await?)
}

/// Gives one of the owner's integrations a new secret and keeps the one before valid for some seconds, unless that does not open; `None`
/// when the owner has none of that client id.
///
/// # Errors
///
/// When the database fails, a key is missing, or there is no randomness.
pub async fn rotate(
    (pool, sealing): (&Pool, &Sealing),
    owner: Owner,
    client: Uuid,
    secret: &SecretString,
    keep_old_seconds: i64,
    actor: &Actor,
) -> Result<Option<Integration>, Fault> {
    // Who owns no such integration leaves nothing behind, not even a key.
    if store::find(pool, owner, client).await?.is_none() {
        return Ok(None);
    }
    let key = sealing.newest(owner.account).await?;
    let sealed = seal(sealing, &key, client, NEWEST, secret)?;
    // Makes the keys ready that the present ones are sealed with: in the transaction no further connection is waited for.
    if let Some(before) = store::valid_secrets(pool, client).await? {
        sealing.prepare(before.keys()).await?;
    }
    let mut transaction = pool.begin_for(owner.account).await?;
    let Some(before) = store::lock_owned(&mut transaction, owner, client).await? else { return Ok(None) };
    let old = replaced(open(sealing, client, NEWEST, before.secret, before.is_sealed).await)?;
    let old = old.map(|old| seal(sealing, &key, client, OLD, &old)).transpose()?;
    let old = old.as_ref().map(Sealed::bytes);
    let rotated = store::rotate(&mut transaction, client, sealed.bytes(), old, keep_old_seconds).await?;
    let change = Change::IntegrationSecretReplaced { client, keep_old_seconds };
    audit::record(&mut transaction, owner.account, actor, &change).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(Some(rotated))
}

/// The secrets of an integration that are valid now, whoever asks; `None` when it has none, or does not exist.
///
/// # Errors
///
/// When the database fails, a key is missing, or a secret does not open.
pub async fn valid(pool: &Pool, sealing: &Sealing, client: Uuid) -> Result<Option<ValidSecrets>, Fault> {
    let Some(stored) = store::valid_secrets(pool, client).await? else { return Ok(None) };
    let newest = open(sealing, client, NEWEST, stored.secret, stored.is_sealed).await?;
    let old = open(sealing, client, OLD, stored.old_secret, stored.is_sealed).await?;
    Ok(newest.map(|newest| ValidSecrets { newest, old }))
}

/// The secret that an integration's messages are signed with: the newest. `None` when it has none, or does not exist.
///
/// # Errors
///
/// As [`valid`].
pub async fn signing(pool: &Pool, sealing: &Sealing, client: Uuid) -> Result<Option<SecretString>, Fault> {
    Ok(valid(pool, sealing, client).await?.map(|secrets| secrets.newest))
}

/// One transaction: seals an integration's secrets with its owner's newest key, unless they are. It may have been handed over since they
/// were sealed. Returns the faults of those that do not open, which stay as they are.
///
/// # Errors
///
/// When the database fails or a key is missing; then nothing was changed.
pub async fn reseal(pool: &Pool, sealing: &Sealing, client: Uuid, owner: AccountId) -> Result<Vec<Fault>, Fault> {
    let key = sealing.newest(owner).await?;
    let mut transaction = pool.begin_for(owner).await?;
    let Some(mut stored) = store::lock_secrets(&mut transaction, client).await? else { return Ok(Vec::new()) };
    if is_under(&stored, &key) {
        return Ok(Vec::new());
    }
    if !sealing.has(&stored.keys()) {
        // Keys come over a connection of their own, and nobody holds one while waiting for another.
        drop(transaction);
        sealing.prepare(stored.keys()).await?;
        transaction = pool.begin_for(owner).await?;
        let Some(now) = store::lock_secrets(&mut transaction, client).await? else { return Ok(Vec::new()) };
        stored = now;
    }
    let (mut sealed, mut faults) = ([None, None], Vec::new());
    let fields = [(NEWEST, stored.secret), (OLD, stored.old_secret)];
    for (to, (field, bytes)) in sealed.iter_mut().zip(fields) {
        *to = match open(sealing, client, field, bytes.clone(), stored.is_sealed).await {
            Ok(Some(secret)) => Some(seal(sealing, &key, client, field, &secret)?.bytes().to_vec()),
            Ok(None) => None,
            Err(fault) if fault.is_of_a_value() => {
                faults.push(fault);
                bytes
            }
            Err(fault) => return Err(fault),
        };
    }
    // A row tells of both at once whether they are sealed.
    if stored.is_sealed || faults.is_empty() {
        let [secret, old] = sealed;
        store::replace_secrets(&mut transaction, client, secret, old).await?;
        transaction.commit().await.map_err(Failure::from)?;
    }
    Ok(faults)
}

fn is_under(stored: &StoredSecrets, key: &DataKey) -> bool {
    stored.is_sealed && stored.secret.iter().chain(&stored.old_secret).all(|bytes| key.has_sealed(bytes))
}

fn seal(sealing: &Sealing, key: &DataKey, client: Uuid, field: &str, secret: &SecretString) -> Result<Sealed, Fault> {
    key.seal(&place(client, field), secret.expose_secret().as_bytes(), sealing.secrets())
}

/// A secret as it was before it was stored; one of a row that is older than sealing is as it was.
async fn open(
    sealing: &Sealing,
    client: Uuid,
    field: &str,
    stored: Option<Vec<u8>>,
    is_sealed: bool,
) -> Result<Option<SecretString>, Fault> {
    let Some(bytes) = stored else { return Ok(None) };
    let place = place(client, field);
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(SecretString::from).map_err(|_| place.fault());
    if !is_sealed {
        sealing.admit_unsealed(&place)?;
        return text(&bytes).map(Some);
    }
    let sealed = Sealed::parse(bytes).ok_or_else(|| place.fault())?;
    text(sealing.open(&place, &sealed).await?.expose_secret()).map(Some)
}
