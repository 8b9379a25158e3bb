//! Turning to another key-encryption key: registered first, then every data key is wrapped with it. What is written down tells how far
//! that has come, so that whoever comes next goes on with it.

use time::OffsetDateTime;

use super::store::{self, Known};
use super::{Era, Fault, KeyId, RingError, Sealing, Source};
use crate::auth::AccountId;
use crate::database::{Connection, Failure, Pool};

/// Accounts that are looked for at a time.
const BATCH: i64 = 200;

/// A rotation that goes on.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The key that it turns to.
    pub key: KeyId,
    /// Since when.
    pub since: OffsetDateTime,
    /// Whether values are encrypted anew, too.
    pub reencrypts: bool,
    /// Whether somebody else has begun it.
    pub is_resumed: bool,
}

/// A key-encryption key, and what it is needed for.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: KeyId,
    /// Whether it wraps new data keys.
    pub is_active: bool,
    /// Whether it is in the ring.
    pub is_there: bool,
    /// Whether the database has been used with it.
    pub is_known: bool,
    /// Data keys that it wraps.
    pub data_keys: i64,
}

/// Why a key is not changed.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// There is no key to turn to.
    #[error(
        "there is no new encryption key in {place}: put one there as the last by name, on every server, and run this again; \
         `widget-registry keys new` makes one"
    )]
    NoNewKey {
        /// Where it is looked for.
        place: String,
    },
    /// A key is still needed.
    #[error("the encryption key {id} wraps {data_keys} data key(s); run `widget-registry keys rotate` first")]
    Needed {
        /// The key's id.
        id: KeyId,
        /// How many it wraps.
        data_keys: i64,
    },
    /// The active key cannot be removed.
    #[error("the encryption key {0} is the active one; run `widget-registry keys rotate` first")]
    Active(KeyId),
    /// Nobody knows the key.
    #[error("there is no encryption key {0}; `widget-registry keys list` shows all")]
    Unknown(KeyId),
    /// The key would stay in the configuration.
    #[error(
        "the encryption key {0} is in the setting encryption_keys: take it out there, on every server, and run this again without it"
    )]
    InSetting(KeyId),
    /// Keys or database fail.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<Failure> for RotationError {
    fn from(failure: Failure) -> Self {
        Self::Fault(failure.into())
    }
}

impl From<RingError> for RotationError {
    fn from(error: RingError) -> Self {
        Self::Fault(error.into())
    }
}

/// Goes on with the rotation that has not come to its end; else begins one: turns to the last key of the ring, or makes one where the
/// program makes keys by itself. One that is begun is noted in the transaction that begins it.
///
/// # Errors
///
/// When there is no key to turn to, or the database fails.
pub async fn begin(
    pool: &Pool,
    sealing: &Sealing,
    reencrypts: bool,
    note: impl AsyncFnOnce(&mut Connection, &KeyId) -> Result<(), Failure>,
) -> Result<Rotation, RotationError> {
    let mut transaction = pool.begin_across_accounts().await?;
    store::lock_keys(&mut transaction).await?;
    let known = store::known_keys(&mut transaction).await?;
    let unfinished = known.last().filter(|active| !active.is_finished);
    let key = match unfinished {
        Some(active) if reencrypts => {
            store::reencrypt_too(&mut transaction, &active.id).await?;
            active.id.clone()
        }
        Some(active) => active.id.clone(),
        None => {
            let next = next_key(sealing, &known)?;
            store::activate(&mut transaction, &next, reencrypts, false).await?;
            note(&mut transaction, &next).await?;
            next
        }
    };
    let active = store::known_keys(&mut transaction).await?.pop();
    let is_resumed = unfinished.is_some();
    transaction.commit().await.map_err(Failure::from)?;
    // The ring at hand may be older than the key.
    sealing.ring_with(&key).await?;
    let Known { id, activated_at, reencrypts, .. } = active.ok_or(Fault::Refused)?;
    Ok(Rotation { key: id, since: activated_at, reencrypts, is_resumed })
}

/// The last key of the ring when the database does not know it yet, else a new one.
fn next_key(sealing: &Sealing, known: &[Known]) -> Result<KeyId, RotationError> {
    let source = sealing.source();
    let unknown = || -> Result<Option<KeyId>, RingError> {
        let last = source.load()?.last().map(|key| key.id.clone());
        Ok(last.filter(|last| known.iter().all(|known| known.id != *last)))
    };
    if let Some(prepared) = unknown()? {
        return Ok(prepared);
    }
    match source {
        Source::Given(_) => return Err(RingError::Fixed.into()),
        Source::Folder { own: false, .. } => {}
        Source::Folder { own: true, .. } => {
            source.add(sealing.secrets())?;
        }
    }
    unknown()?.ok_or_else(|| RotationError::NoNewKey { place: source.to_string() })
}

/// Wraps every data key with the rotation's key that another one wraps, account by account; returns how many. One that does not open stays
/// as it is, under the key that it is said to be under, and its fault is added to the others.
///
/// # Errors
///
/// When the database fails, or a key is missing; what was done stays done.
pub async fn rewrap(
    pool: &Pool,
    sealing: &Sealing,
    rotation: &Rotation,
    faults: &mut Vec<Fault>,
) -> Result<usize, RotationError> {
    let known = store::known_keys(&mut *pool.catalogue().await?).await?;
    let mut count = 0;
    for Known { id, .. } in known.iter().filter(|known| known.id != rotation.key) {
        let mut after = 0;
        loop {
            let accounts = store::accounts_wrapped_with(pool, id, after, BATCH).await?;
            let Some(last) = accounts.last() else { break };
            after = last.get();
            for account in accounts {
                count += rewrap_account(pool, sealing, account, (id, &rotation.key), faults).await?;
            }
        }
    }
    Ok(count)
}

/// One transaction of [`rewrap`].
async fn rewrap_account(
    pool: &Pool,
    sealing: &Sealing,
    account: AccountId,
    (from, to): (&KeyId, &KeyId),
    faults: &mut Vec<Fault>,
) -> Result<usize, Fault> {
    let (old, new) = (sealing.ring_with(from).await?, sealing.ring_with(to).await?);
    let (old, new) = (old.get(from).ok_or(Fault::Refused)?, new.get(to).ok_or(Fault::Refused)?);
    let mut transaction = pool.begin_for(account).await?;
    let data_keys = store::lock_all(&mut transaction, account).await?;
    let mut count = 0;
    for data_key in data_keys.iter().filter(|data_key| data_key.kek == *from) {
        match new.take_over(old, (account, data_key.id, sealing.era()), &data_key.bytes, sealing.secrets()) {
            Ok(wrapped) => {
                store::rewrap(&mut transaction, account, data_key.id, to, &wrapped).await?;
                count += 1;
            }
            Err(fault) if fault.is_of_a_value() => {
                tracing::error!(%fault, key = %from, "a data key cannot be wrapped anew");
                faults.push(fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    transaction.commit().await.map_err(Failure::from)?;
    Ok(count)
}

/// Has every data key say that no row is older than sealing any more, account by account, until that is done or asked to stop. The first
/// one that says it keeps the others' word from being needed.
///
/// # Errors
///
/// When the database fails, or a key is missing; what was done stays done.
pub async fn note_era(pool: &Pool, sealing: &Sealing, is_stopped: impl Fn() -> bool) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let accounts = store::accounts_of(pool, Era::Mixed, after, BATCH).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after = last.get();
        for account in accounts {
            if is_stopped() {
                return Ok(());
            }
            note_era_of(pool, sealing, account).await?;
        }
    }
}

/// One transaction of [`note_era`]. A data key that does not open says nothing.
async fn note_era_of(pool: &Pool, sealing: &Sealing, account: AccountId) -> Result<(), Fault> {
    let mut transaction = pool.begin_for(account).await?;
    let data_keys = store::lock_all(&mut transaction, account).await?;
    for data_key in data_keys.iter().filter(|data_key| Era::of(&data_key.bytes) == Some(Era::Mixed)) {
        let ring = sealing.ring_with(&data_key.kek).await?;
        let key = ring.get(&data_key.kek).ok_or(Fault::Refused)?;
        match key.take_over(key, (account, data_key.id, Era::AllSealed), &data_key.bytes, sealing.secrets()) {
            Ok(wrapped) => store::rewrap(&mut transaction, account, data_key.id, &data_key.kek, &wrapped).await?,
            Err(fault) if fault.is_of_a_value() => tracing::error!(%fault, "a data key does not open"),
            Err(fault) => return Err(fault),
        }
    }
    transaction.commit().await.map_err(Failure::from)?;
    Ok(())
}

/// Notes that a rotation has come to its end.
///
/// # Errors
///
/// When the database fails.
pub async fn finish(pool: &Pool, rotation: &Rotation) -> Result<(), RotationError> {
    let mut transaction = pool.begin_catalogue().await?;
    store::finish(&mut transaction, &rotation.key).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(())
}

/// Every key-encryption key that is in the ring or that the database knows: first the known ones, the active one last, then the others.
///
/// # Errors
///
/// When the ring cannot be read, or the database fails.
pub async fn list(pool: &Pool, source: &Source) -> Result<Vec<Listed>, RotationError> {
    let ring = source.load()?;
    let mut transaction = pool.begin_across_accounts().await?;
    let known = store::known_keys(&mut transaction).await?;
    let mut listed = Vec::new();
    for Known { id, .. } in &known {
        let data_keys = store::count_wrapped(&mut transaction, id).await?;
        let (is_active, is_there) = (known.last().is_some_and(|last| last.id == *id), ring.get(id).is_some());
        listed.push(Listed { id: id.clone(), is_active, is_there, is_known: true, data_keys });
    }
    let others = ring.ids().filter(|id| known.iter().all(|known| known.id != **id));
    let other = |id: &KeyId| Listed { id: id.clone(), is_active: false, is_there: true, is_known: false, data_keys: 0 };
    listed.extend(others.map(other));
    Ok(listed)
}

/// Gives up a key that nothing needs: the database forgets it and notes that in one transaction, and its file goes. One that was given by
/// the configuration has to be taken out there before.
///
/// # Errors
///
/// When it is still needed, or nobody knows it; when the database fails or the file cannot be removed.
pub async fn remove(
    pool: &Pool,
    source: &Source,
    id: &KeyId,
    note: impl AsyncFnOnce(&mut Connection, &KeyId) -> Result<(), Failure>,
) -> Result<(), RotationError> {
    let mut transaction = pool.begin_across_accounts().await?;
    // So that nobody wraps a data key with it meanwhile.
    store::lock_keys(&mut transaction).await?;
    let known = store::known_keys(&mut transaction).await?;
    if known.last().is_some_and(|active| active.id == *id) {
        return Err(RotationError::Active(id.clone()));
    }
    if known.iter().all(|known| known.id != *id) && source.load()?.get(id).is_none() {
        return Err(RotationError::Unknown(id.clone()));
    }
    let data_keys = store::count_wrapped(&mut transaction, id).await?;
    if data_keys > 0 {
        return Err(RotationError::Needed { id: id.clone(), data_keys });
    }
    // What cannot be taken away is told before anything is changed.
    if matches!(source, Source::Given(_)) && source.load()?.get(id).is_some() {
        return Err(RotationError::InSetting(id.clone()));
    }
    store::forget(&mut transaction, id).await?;
    note(&mut transaction, id).await?;
    transaction.commit().await.map_err(Failure::from)?;
    source.remove(id)?;
    Ok(())
}
