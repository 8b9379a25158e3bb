//! What is secret stands sealed in the database: encrypted with a data key of its account, which is wrapped by a key-encryption key that
//! is kept outside. Knows no feature: what is sealed, and where it stands, is told by [`Place`].

pub mod envelope;
mod key_id;
pub mod ring;
pub mod rotation;
mod start;
pub mod store;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

pub use envelope::{DataKey, Era, KeyEncryptionKey, Place, Sealed};
pub use key_id::KeyId;
use quick_cache::sync::Cache;
pub use ring::{Ring, RingError, Source};
use secrecy::SecretSlice;
pub use start::StartError;
use time::OffsetDateTime;

use self::store::{Known, Wrapped};
use crate::auth::AccountId;
use crate::database::{Failure, Pool};
use crate::sources::{Clock, NoRandomness, Secrets};

/// Seconds after which a server looks whether an account has a newer data key, or one again that did not open or was not there.
pub const NEWEST_COUNTS: i64 = 60;
/// Data keys that are kept ready for use, some megabytes.
const READY: usize = 10_000;

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
    /// A stored value says that it is older than sealing, and none is any more: somebody has put it there.
    #[error(
        "{table}, row {row}: is not sealed, and all that is older than sealing was sealed before; it was written past the service"
    )]
    Unsealed {
        /// The table.
        table: &'static str,
        /// The row's key, and the field when only that is not sealed.
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

impl Fault {
    /// Whether it is about one stored value, and says nothing of others.
    #[must_use]
    pub const fn is_of_a_value(&self) -> bool {
        matches!(self, Self::Unopened { .. } | Self::Unsealed { .. })
    }
}

/// What is about to be replaced. When it does not open, that is told and it counts as none, because replacing it is the cure.
///
/// # Errors
///
/// When the database fails or a key is missing.
pub fn replaced<T>(opened: Result<Option<T>, Fault>) -> Result<Option<T>, Fault> {
    match opened {
        Err(fault) if fault.is_of_a_value() => {
            tracing::error!(%fault, "what does not open is replaced");
            Ok(None)
        }
        opened => opened,
    }
}

/// What is looked for: a data key by its number, or the account's newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wanted {
    /// The one of this number.
    Numbered(AccountId, i32),
    /// The newest.
    Newest(AccountId),
}

/// A key, and until when it counts, in seconds since 1970; `None` for ever.
#[derive(Debug, Clone)]
struct Kept {
    /// `None` when there is none, or it does not open: so that this, too, is known without asking.
    key: Option<Arc<DataKey>>,
    until: Option<i64>,
}

/// Seals and opens; clones share everything.
#[derive(Clone)]
pub struct Sealing(Arc<Inner>);

struct Inner {
    pool: Pool,
    source: Source,
    ring: RwLock<Arc<Ring>>,
    keys: Cache<Wanted, Kept>,
    secrets: Secrets,
    clock: Clock,
    /// Whether no row is older than sealing any more; never `false` again.
    all_sealed: AtomicBool,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}

impl Sealing {
    /// Whether rows may be older than sealing: then they count as they are.
    #[must_use]
    pub fn era(&self) -> Era {
        if self.0.all_sealed.load(Ordering::Acquire) { Era::AllSealed } else { Era::Mixed }
    }

    /// From now on every row is sealed, and one that is not is a fault. [`rotation::note_era`] writes that down.
    pub fn all_is_sealed(&self) {
        self.0.all_sealed.store(true, Ordering::Release);
    }

    /// Refuses what is stored at a place without being sealed, unless it may be older than sealing.
    ///
    /// # Errors
    ///
    /// When no row is older any more.
    pub fn admit_unsealed(&self, place: &Place) -> Result<(), Fault> {
        match self.era() {
            Era::Mixed => Ok(()),
            Era::AllSealed => Err(place.unsealed()),
        }
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

    /// Whether these keys are at hand, so that opening what they sealed needs no connection.
    #[must_use]
    pub fn has(&self, keys: &[(AccountId, i32)]) -> bool {
        keys.iter().all(|(account, id)| self.kept(Wanted::Numbered(*account, *id)).is_some())
    }

    /// The key that seals the account's values now; made when the account has none, or its newest does not open.
    ///
    /// # Errors
    ///
    /// When the database fails, a key is missing, or there is no randomness.
    pub async fn newest(&self, account: AccountId) -> Result<Arc<DataKey>, Fault> {
        if let Some(key) = self.kept(Wanted::Newest(account)).and_then(|kept| kept.key) {
            return Ok(key);
        }
        let wrapped = match store::newest(&self.0.pool, account).await? {
            Some(wrapped) => wrapped,
            None => self.make(account, 1).await?,
        };
        self.take_for_newest(wrapped).await
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
        self.take_for_newest(wrapped).await?;
        Ok(())
    }

    /// A key that does not open has sealed its last value: the account gets another one, and can store secrets again.
    async fn take_for_newest(&self, wrapped: Wrapped) -> Result<Arc<DataKey>, Fault> {
        let account = wrapped.account;
        let key = if let Some(key) = self.unwrap(&wrapped).await? {
            key
        } else {
            let next = self.make(account, wrapped.id.saturating_add(1)).await?;
            self.unwrap(&next).await?.ok_or_else(|| next.fault())?
        };
        let until = self.0.clock.unix().saturating_add(NEWEST_COUNTS);
        self.0.keys.insert(Wanted::Newest(account), Kept { key: Some(key.clone()), until: Some(until) });
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
        let wrapped = ring.get(&active).ok_or(Fault::Refused)?.make(account, id, self.era(), &self.0.secrets)?;
        store::add(&mut transaction, account, id, &active, &wrapped).await?;
        transaction.commit().await.map_err(Failure::from)?;
        store::find(&self.0.pool, account, id).await?.ok_or(Fault::Refused)
    }

    /// Makes data keys ready that are about to be used, all that are missing by one statement. One that does not open keeps no other
    /// from being ready.
    ///
    /// # Errors
    ///
    /// When the database fails, or a key-encryption key is missing.
    pub async fn prepare(&self, keys: impl IntoIterator<Item = (AccountId, i32)>) -> Result<(), Fault> {
        let mut missing: Vec<_> = keys.into_iter().collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|key| !self.has(&[*key]));
        if missing.is_empty() {
            return Ok(());
        }
        for wrapped in store::find_all(&self.0.pool, &missing).await? {
            missing.retain(|key| *key != (wrapped.account, wrapped.id));
            self.unwrap(&wrapped).await?;
        }
        for (account, id) in missing {
            self.keep(account, id, None);
        }
        Ok(())
    }

    /// A data key by its number; `None` when the account has none of that number, or it does not open.
    ///
    /// # Errors
    ///
    /// When the database fails, or a key-encryption key is missing.
    pub async fn numbered(&self, account: AccountId, id: i32) -> Result<Option<Arc<DataKey>>, Fault> {
        if let Some(kept) = self.kept(Wanted::Numbered(account, id)) {
            return Ok(kept.key);
        }
        if let Some(wrapped) = store::find(&self.0.pool, account, id).await? {
            return self.unwrap(&wrapped).await;
        }
        self.keep(account, id, None);
        Ok(None)
    }

    /// The data key inside, which is kept ready from now on; `None` when it does not open, which is told.
    async fn unwrap(&self, wrapped: &Wrapped) -> Result<Option<Arc<DataKey>>, Fault> {
        let ring = self.ring_with(&wrapped.kek).await?;
        let key = match ring.get(&wrapped.kek).ok_or(Fault::Refused)?.open(wrapped.account, wrapped.id, &wrapped.bytes)
        {
            Ok(key) => Some(Arc::new(key)),
            Err(fault) => {
                tracing::error!(%fault, key = %wrapped.kek, "a data key does not open: nothing does that it has sealed");
                None
            }
        };
        self.keep(wrapped.account, wrapped.id, key.clone());
        Ok(key)
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

    fn kept(&self, wanted: Wanted) -> Option<Kept> {
        let kept = self.0.keys.get(&wanted)?;
        kept.until.is_none_or(|until| until > self.0.clock.unix()).then_some(kept)
    }

    fn keep(&self, account: AccountId, id: i32, key: Option<Arc<DataKey>>) {
        let until = if key.is_some() { None } else { Some(self.0.clock.unix().saturating_add(NEWEST_COUNTS)) };
        self.0.keys.insert(Wanted::Numbered(account, id), Kept { key, until });
    }
}
