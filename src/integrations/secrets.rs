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
use crate::sealing::{DataKey, Fault, Place, Sealed, Sealing};

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

/// Gives one of the owner's integrations a new secret and keeps the one before valid for some seconds; `None` when the owner has none
/// of that client id.
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
    // Makes the key ready that the present one is sealed with: in the transaction no further connection is waited for.
    valid(pool, sealing, client).await?;
    let mut transaction = pool.begin_for(owner.account).await?;
    let Some(before) = store::lock_owned(&mut transaction, owner, client).await? else { return Ok(None) };
    let old = match open(sealing, client, NEWEST, before.secret, before.is_sealed).await? {
        Some(old) => Some(seal(sealing, &key, client, OLD, &old)?),
        None => None,
    };
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
/// were sealed.
///
/// # Errors
///
/// When the database fails, a key is missing, or a secret does not open; then nothing was changed.
pub async fn reseal(pool: &Pool, sealing: &Sealing, client: Uuid, owner: AccountId) -> Result<(), Fault> {
    let key = sealing.newest(owner).await?;
    let mut transaction = pool.begin_for(owner).await?;
    let Some(stored) = store::lock_secrets(&mut transaction, client).await? else { return Ok(()) };
    if is_under(&stored, &key) {
        return Ok(());
    }
    let mut sealed = [None, None];
    let fields = [(NEWEST, stored.secret), (OLD, stored.old_secret)];
    for (to, (field, bytes)) in sealed.iter_mut().zip(fields) {
        if let Some(secret) = open(sealing, client, field, bytes, stored.is_sealed).await? {
            *to = Some(seal(sealing, &key, client, field, &secret)?);
        }
    }
    let [secret, old] = &sealed;
    let bytes = |sealed: &'_ Option<Sealed>| sealed.as_ref().map(|sealed| sealed.bytes().to_vec());
    store::replace_secrets(&mut transaction, client, bytes(secret), bytes(old)).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(())
}

fn is_under(stored: &StoredSecrets, key: &DataKey) -> bool {
    let under =
        |bytes: &Vec<u8>| Sealed::parse(bytes.clone()).and_then(|sealed| sealed.key()) == Some((key.account, key.id));
    stored.is_sealed && stored.secret.iter().chain(&stored.old_secret).all(under)
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
        return text(&bytes).map(Some);
    }
    let sealed = Sealed::parse(bytes).ok_or_else(|| place.fault())?;
    text(sealing.open(&place, &sealed).await?.expose_secret()).map(Some)
}
