//! Holding the encryption keys against the database before the service starts.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use quick_cache::sync::Cache;

use super::store::{self, Known, Wrapped};
use super::{Era, Inner, KeyEncryptionKey, KeyId, READY, Ring, RingError, Sealing, Source};
use crate::auth::AccountId;
use crate::config::EncryptionKeys;
use crate::data_dir::DataDirError;
use crate::database::{Failure, Pool};
use crate::sources::{Clock, Secrets};

/// Data keys of each encryption key that are opened at the start.
const SAMPLE: i64 = 200;

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
    /// A key opens nothing of what it is said to have wrapped.
    #[error(
        "the encryption key {id} does not open the data keys that the database says it has wrapped, the first of them number {number} of \
         account {account}: the database was changed"
    )]
    Wrong {
        /// The key's id.
        id: KeyId,
        /// Whose the first of them is.
        account: AccountId,
        /// Its number in the account.
        number: i32,
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

impl Sealing {
    /// Holds a ring against the database: every key that it needs must be there, and open what it has wrapped. A data key that does not
    /// open beside others that do is damaged, which is told and keeps nothing else from working. The first ring that comes gives the
    /// first key.
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
            let sample = store::some_wrapped(&mut transaction, id, SAMPLE).await?;
            match ring.get(id) {
                Some(key) => judge(key, &ring, &sample)?,
                None if !sample.is_empty() || active == Some(id) => {
                    return Err(StartError::Missing { id: id.clone(), place: source.to_string() });
                }
                None => {}
            }
        }
        let all_sealed = store::says(&mut transaction, Era::AllSealed).await?;
        transaction.commit().await.map_err(Failure::from)?;
        let ring = RwLock::new(Arc::new(ring));
        Ok(Self(Arc::new(Inner {
            pool,
            source,
            ring,
            keys: Cache::new(READY),
            secrets,
            clock,
            all_sealed: AtomicBool::new(all_sealed),
        })))
    }
}

/// Whether a key is the one that has wrapped these: it is when it opens one of them. A single one that no key of the ring opens is taken
/// for damaged, for a key is known by an id that is made from it.
fn judge(key: &KeyEncryptionKey, ring: &Ring, sample: &[Wrapped]) -> Result<(), StartError> {
    let is_opened_by =
        |key: &KeyEncryptionKey, wrapped: &Wrapped| key.open(wrapped.account, wrapped.id, &wrapped.bytes).is_ok();
    let damaged: Vec<_> = sample.iter().filter(|wrapped| !is_opened_by(key, wrapped)).collect();
    let is_of_another =
        |wrapped: &Wrapped| ring.ids().filter_map(|id| ring.get(id)).any(|key| is_opened_by(key, wrapped));
    if let [first, rest @ ..] = damaged.as_slice()
        && damaged.len() == sample.len()
        && (!rest.is_empty() || is_of_another(first))
    {
        return Err(StartError::Wrong { id: key.id.clone(), account: first.account, number: first.id });
    }
    for wrapped in damaged {
        tracing::error!(
            account = %wrapped.account,
            number = wrapped.id,
            key = %key.id,
            "a data key does not open, and nothing does that it has sealed: it was changed in the database; put it back from a backup"
        );
    }
    Ok(())
}
