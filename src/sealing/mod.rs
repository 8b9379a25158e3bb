//! What is secret stands sealed in the database: encrypted with a data key of its account, which is wrapped by a key-encryption key that
//! is kept outside. Knows no feature: what is sealed, and where it stands, is told by [`Place`].

mod cache;
pub mod envelope;
mod key_id;
pub mod ring;
pub mod rotation;
pub mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use envelope::{DataKey, KeyEncryptionKey, Place, Sealed};
pub use key_id::KeyId;
pub use ring::{Ring, RingError, Source};
use secrecy::SecretSlice;
use time::OffsetDateTime;

use self::cache::{Cache, Wanted};
use self::store::{Known, Wrapped};
use crate::auth::AccountId;
use crate::config::EncryptionKeys;
use crate::data_dir::DataDirError;
use crate::database::{Failure, Pool};
use crate::sources::{Clock, NoRandomness, Secrets};

/// Seconds after which a server looks whether an account has a newer data key.
pub const NEWEST_COUNTS: i64 = 60;

/// Why a value cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
    /// A stored value does not open: it was changed, or moved from another place.
    #[error("{table}, row {row}: a sealed value does not open; it was changed, or moved from elsewhere")]
    Unopened {
        /// The table.
        table: &'static str,
        /// The row's key and the field.
        row: String,
    },
    /// The ring lacks a key.
    #[error("the encryption key {id} is needed and not in {place}")]
    Missing {
        /// The key's id.
        id: KeyId,
        /// Where it is looked for.
        place: String,
    },
    /// The ring cannot be read.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// There is no randomness.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The cryptographic library refused, or a thread was lost.
    #[error("a key could not be made ready")]
    Refused,
}

/// Why the service does not start with its encryption keys.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database is one of your own, and no keys are configured.
    #[error(
        "no encryption key is configured, and secrets are not stored without one: make one with `openssl rand -base64 32` and give it \
         as WIDGET_REGISTRY_ENCRYPTION_KEYS, or name a folder by encryption_key_dir and make one there with `widget-registry keys new`; \
         keep a copy apart from the database's backups"
    )]
    NoKey,
    /// The ring cannot be read.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// The database needs a key that the ring lacks.
    #[error(
        "the database needs the encryption key {id}, which is not in {place}: put it there again; without it what was sealed with it \
         is lost"
    )]
    Missing {
        /// The key's id.
        id: KeyId,
        /// Where it was looked for.
        place: String,
    },
    /// A key does not open what it is said to have wrapped.
    #[error(
        "the encryption key {id} does not open the data keys that the database says it has wrapped: the database was changed"
    )]
    Wrong {
        /// The key's id.
        id: KeyId,
    },
    /// There is no data directory to look in.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

impl Source {
    /// Where the configuration says that the keys are. Without a word on it the database decides: with the embedded one, in the data
    /// directory.
    ///
    /// # Errors
    ///
    /// [`StartError::NoKey`] when nobody says it, and the database is not the embedded one; when there is no data directory.
    pub fn of(
        keys: Option<&EncryptionKeys>,
        is_embedded: bool,
        keys_dir: impl FnOnce() -> Result<PathBuf, DataDirError>,
    ) -> Result<Self, StartError> {
        match keys {
            Some(EncryptionKeys::Folder(folder)) => Ok(Self::Folder { folder: folder.clone(), own: false }),
            Some(EncryptionKeys::Given(keys)) => Ok(Self::Given(keys.clone())),
            None if is_embedded => Ok(Self::Folder { folder: keys_dir()?.join("encryption"), own: true }),
            None => Err(StartError::NoKey),
        }
    }
}

/// Seals and opens; clones share everything.
#[derive(Clone)]
pub struct Sealing(Arc<Inner>);

struct Inner {
    pool: Pool,
    source: Source,
    ring: RwLock<Arc<Ring>>,
    keys: Mutex<Cache>,
    secrets: Secrets,
    clock: Clock,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}

impl Sealing {
    /// Holds a ring against the database: every key that it needs must be there, and open what it has wrapped. The first ring that comes
    /// gives the first key.
    ///
    /// # Errors
    ///
    /// When a key is missing or wrong.
    pub async fn start(
        pool: Pool,
        source: Source,
        ring: Ring,
        secrets: Secrets,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let mut transaction = pool.begin_across_accounts().await?;
        store::lock_keys(&mut transaction).await?;
        let known = store::known_keys(&mut transaction).await?;
        if let (true, Some(first)) = (known.is_empty(), ring.last()) {
            store::activate(&mut transaction, &first.id, false, true).await?;
        }
        let active = known.last().map(|known| &known.id);
        for Known { id, .. } in &known {
            let wrapped = store::any_wrapped(&mut transaction, id).await?;
            match (ring.get(id), wrapped) {
                (None, wrapped) if wrapped.is_some() || active == Some(id) => {
                    return Err(StartError::Missing { id: id.clone(), place: source.to_string() });
                }
                (Some(key), Some(data_key)) => {
                    key.open(data_key.account, data_key.id, &data_key.bytes)
                        .map_err(|_| StartError::Wrong { id: id.clone() })?;
                }
                _ => {}
            }
        }
        transaction.commit().await.map_err(Failure::from)?;
        let ring = RwLock::new(Arc::new(ring));
        Ok(Self(Arc::new(Inner { pool, source, ring, keys: Mutex::default(), secrets, clock })))
    }

    /// Where the ring is read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// The source of randomness.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// Seals a value with the account's newest data key, for the place where it will stand; the bytes to store.
    ///
    /// # Errors
    ///
    /// When the database fails, a key is missing, or there is no randomness.
    pub async fn seal(&self, account: AccountId, place: &Place, value: &[u8]) -> Result<Sealed, Fault> {
        self.newest(account).await?.seal(place, value, &self.0.secrets)
    }

    /// Opens what is stored at a place.
    ///
    /// # Errors
    ///
    /// When it was sealed for another place or changed; when the database fails or a key is missing.
    pub async fn open(&self, place: &Place, sealed: &Sealed) -> Result<SecretSlice<u8>, Fault> {
        let (account, id) = sealed.key().ok_or_else(|| place.fault())?;
        // A number that the account has no key of is one that somebody wrote there.
        let key = self.numbered(account, id).await?.ok_or_else(|| place.fault())?;
        key.open(place, sealed)
    }

    /// Whether the key that seals the account's values now is at hand, so that sealing needs no connection.
    #[must_use]
    pub fn is_ready_for(&self, account: AccountId) -> bool {
        self.kept(Wanted::Newest(account)).is_some()
    }

    /// Whether these keys are at hand, so that opening what they sealed needs no connection.
    #[must_use]
    pub fn has(&self, keys: &[(AccountId, i32)]) -> bool {
        keys.iter().all(|(account, id)| self.kept(Wanted::Numbered(*account, *id)).is_some())
    }

    /// The key that seals the account's values now; made when the account has none.
    ///
    /// # Errors
    ///
    /// When the database fails, a key is missing, or there is no randomness.
    pub async fn newest(&self, account: AccountId) -> Result<Arc<DataKey>, Fault> {
        if let Some(key) = self.kept(Wanted::Newest(account)) {
            return Ok(key);
        }
        let wrapped = match store::newest(&self.0.pool, account).await? {
            Some(wrapped) => wrapped,
            None => self.make(account, 1).await?,
        };
        self.take_for_newest(&wrapped).await
    }

    /// Makes a new data key for an account whose newest is older than that; from now on it seals here, and elsewhere within a minute.
    ///
    /// # Errors
    ///
    /// When the database fails, a key is missing, or there is no randomness.
    pub async fn renew(&self, account: AccountId, before: OffsetDateTime) -> Result<(), Fault> {
        let wrapped = match store::newest(&self.0.pool, account).await? {
            Some(newest) if newest.created_at < before => self.make(account, newest.id + 1).await?,
            Some(newest) => newest,
            None => self.make(account, 1).await?,
        };
        self.take_for_newest(&wrapped).await?;
        Ok(())
    }

    async fn take_for_newest(&self, wrapped: &Wrapped) -> Result<Arc<DataKey>, Fault> {
        let key = Arc::new(self.unwrap(wrapped).await?);
        self.keep(&key);
        let until = self.0.clock.unix().saturating_add(NEWEST_COUNTS);
        self.lock().put(Wanted::Newest(wrapped.account), key.clone(), Some(until));
        Ok(key)
    }

    /// Makes a data key for the account, unless somebody was faster; the one of this number in any case.
    async fn make(&self, account: AccountId, id: i32) -> Result<Wrapped, Fault> {
        let mut transaction = self.0.pool.begin_for(account).await?;
        // So that nobody gives up the active key before what it wraps is there.
        store::keep_keys(&mut transaction).await?;
        let active = store::known_keys(&mut transaction).await?.pop();
        let Known { id: active, .. } = active.ok_or(Fault::Refused)?;
        let ring = self.ring_with(&active).await?;
        let wrapped = ring.get(&active).ok_or(Fault::Refused)?.make(account, id, &self.0.secrets)?;
        store::add(&mut transaction, account, id, &active, &wrapped).await?;
        transaction.commit().await.map_err(Failure::from)?;
        store::find(&self.0.pool, account, id).await?.ok_or(Fault::Refused)
    }

    /// Makes data keys ready that are about to be used, all that are missing by one statement.
    ///
    /// # Errors
    ///
    /// When the database fails, or a key-encryption key is missing.
    pub async fn prepare(&self, keys: impl IntoIterator<Item = (AccountId, i32)>) -> Result<(), Fault> {
        let mut missing: Vec<_> = keys.into_iter().collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|(account, id)| self.kept(Wanted::Numbered(*account, *id)).is_none());
        if missing.is_empty() {
            return Ok(());
        }
        for wrapped in store::find_all(&self.0.pool, &missing).await? {
            let key = Arc::new(self.unwrap(&wrapped).await?);
            self.keep(&key);
        }
        Ok(())
    }

    /// A data key by its number; `None` when the account has none of that number.
    ///
    /// # Errors
    ///
    /// When the database fails, or a key-encryption key is missing.
    pub async fn numbered(&self, account: AccountId, id: i32) -> Result<Option<Arc<DataKey>>, Fault> {
        if let Some(key) = self.kept(Wanted::Numbered(account, id)) {
            return Ok(Some(key));
        }
        let Some(wrapped) = store::find(&self.0.pool, account, id).await? else { return Ok(None) };
        let key = Arc::new(self.unwrap(&wrapped).await?);
        self.keep(&key);
        Ok(Some(key))
    }

    async fn unwrap(&self, wrapped: &Wrapped) -> Result<DataKey, Fault> {
        let ring = self.ring_with(&wrapped.kek).await?;
        let key = ring.get(&wrapped.kek).ok_or(Fault::Refused)?;
        key.open(wrapped.account, wrapped.id, &wrapped.bytes)
    }

    /// A ring that has this key: the one at hand, else the one that is there now. So a running server learns of a new key when it
    /// first meets it.
    ///
    /// # Errors
    ///
    /// When the ring cannot be read, or lacks the key.
    pub async fn ring_with(&self, id: &KeyId) -> Result<Arc<Ring>, Fault> {
        let at_hand = self.0.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        if at_hand.get(id).is_some() {
            return Ok(at_hand);
        }
        let source = self.0.source.clone();
        let read = tokio::task::spawn_blocking(move || source.load()).await.map_err(|_| Fault::Refused)??;
        let ring = Arc::new(read);
        if ring.get(id).is_none() {
            return Err(Fault::Missing { id: id.clone(), place: self.0.source.to_string() });
        }
        tracing::info!(key = %id, "an encryption key was read that is new here");
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring.clone();
        Ok(ring)
    }

    fn kept(&self, wanted: Wanted) -> Option<Arc<DataKey>> {
        self.lock().get(wanted, self.0.clock.unix())
    }

    fn keep(&self, key: &Arc<DataKey>) {
        self.lock().put(Wanted::Numbered(key.account, key.id), key.clone(), None);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
