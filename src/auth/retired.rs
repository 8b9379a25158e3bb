//! Changing the signing key. The public half of the one before stays beside it, until the last token that it may have signed has
//! expired.
//!
//! The order is what makes it safe to be killed in the middle: first the old key is written down as retired, then the new one takes its
//! name in one step. Whoever reads reads the other way round, so that no key that was in use is missed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret as _, SecretString};

use super::claims::MOST_LIFETIME;
use super::jwks::PublicKey;
use super::keys::{KeyAlgorithm, VerificationKey};
use super::signing::{SigningKey, SigningKeyError, generate, kid_of};
use crate::sources::Clock;
use crate::whole_file::{self, folder_of};

/// What the drafts of new keys are called before they are whole.
const DRAFT: &str = ".signing-draft-";

/// A change of the signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The id of the key that signs from now on.
    pub new: String,
    /// The id of the key that signed before.
    pub old: String,
    /// Until when tokens of the old one are believed, seconds since 1970.
    pub old_until: i64,
}

/// A key that signs no more.
#[derive(Debug, Clone)]
pub(super) struct Retired {
    kid: String,
    public: Vec<u8>,
    pub(super) until: i64,
}

impl Retired {
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    pub(super) fn verification_key(&self) -> VerificationKey {
        let key = DecodingKey::from_ed_der(&self.public);
        let key = VerificationKey::new(self.kid.clone(), KeyAlgorithm::EdDsa, key);
        // Our tokens name their key, so that however many are retired, others are not tried against each.
        VerificationKey { until: Some(self.until), named_only: true, ..key }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::new(&self.kid, &self.public)
    }
}

/// The folder of the retired keys of a signing key: `signing.retired` beside `signing.pem`.
pub(super) fn folder(signing_key: &Path) -> PathBuf {
    signing_key.with_extension("retired")
}

/// A change of the signing key that is ready to be made. Others who want to change it wait for this one.
#[derive(Debug)]
pub struct Prepared {
    /// What it will be.
    pub rotation: Rotation,
    signing_key: PathBuf,
    old: SigningKey,
    new: SecretString,
    now: i64,
    _lock: File,
}

impl Prepared {
    /// Puts the new key in the place of the one that signs. Servers that run find it by themselves.
    ///
    /// # Errors
    ///
    /// When a file cannot be written; then the present key still signs.
    pub fn finish(self) -> Result<Rotation, SigningKeyError> {
        let failed = |source| SigningKeyError::File { path: self.signing_key.clone(), source };
        let folder = folder(&self.signing_key);
        retire(&folder, &self.old, self.rotation.old_until).map_err(failed)?;
        replace(&self.signing_key, &self.new).map_err(failed)?;
        forget(&folder, self.now).map_err(failed)?;
        Ok(self.rotation)
    }
}

/// [`prepare`] and [`Prepared::finish`] at once.
///
/// # Errors
///
/// As these.
pub fn rotate(signing_key: &Path, keep: Duration, clock: &Clock) -> Result<Rotation, SigningKeyError> {
    prepare(signing_key, keep, clock)?.finish()
}

/// Makes a new key that is to take the place of the one that signs, whose tokens are believed for `keep` and at most as long as any lives.
/// Several programs may do this at once: they wait for each other.
///
/// # Errors
///
/// When the present key cannot be read, or there is no randomness.
pub fn prepare(signing_key: &Path, keep: Duration, clock: &Clock) -> Result<Prepared, SigningKeyError> {
    // Before anything is made in a folder that may be the wrong one.
    SigningKey::load(signing_key)?;
    let failed = |source| SigningKeyError::File { path: signing_key.to_owned(), source };
    let folder = folder(signing_key);
    let lock = lock(&folder).map_err(failed)?;
    // Another program may have changed it while we waited.
    let old = SigningKey::load(signing_key)?;
    let now = clock.unix();
    let keep = i64::try_from(keep.min(MOST_LIFETIME).as_secs()).unwrap_or(i64::MAX);
    let until = now.saturating_add(keep);
    let new = generate().map_err(failed)?;
    let rotation = Rotation { new: new.kid, old: old.kid().to_owned(), old_until: until };
    Ok(Prepared { rotation, signing_key: signing_key.to_owned(), old, new: new.text, now, _lock: lock })
}

/// Takes a retired key away, so that none of its tokens counts any more. Whether there was one. Servers that run notice it by themselves.
///
/// # Errors
///
/// When the files cannot be looked at or removed.
pub fn withdraw(signing_key: &Path, kid: &str) -> Result<bool, SigningKeyError> {
    let failed = |source| SigningKeyError::File { path: signing_key.to_owned(), source };
    let folder = folder(signing_key);
    let lock = lock(&folder).map_err(failed)?;
    let mut found = false;
    for (path, _, _) in files(&folder).map_err(failed)?.into_iter().filter(|(_, other, _)| other == kid) {
        fs::remove_file(path).map_err(failed)?;
        found = true;
    }
    lock.sync_all().map_err(failed)?;
    Ok(found)
}

/// The ids of the retired keys whose tokens still count, and until when they do, in seconds since 1970.
///
/// # Errors
///
/// When a file cannot be read, or is none of these keys.
pub fn retired(signing_key: &Path, clock: &Clock) -> Result<Vec<(String, i64)>, SigningKeyError> {
    Ok(load(signing_key, clock.unix())?.into_iter().map(|key| (key.kid, key.until)).collect())
}

/// The retired keys that still count at `now`, each once.
pub(super) fn load(signing_key: &Path, now: i64) -> Result<Vec<Retired>, SigningKeyError> {
    let folder = folder(signing_key);
    let mut found: BTreeMap<String, Retired> = BTreeMap::new();
    for (path, kid, until) in files(&folder).map_err(|source| SigningKeyError::File { path: folder, source })? {
        let newer = found.get(&kid).is_none_or(|before| before.until < until);
        if until > now && newer {
            let public = read(&path, &kid)?;
            found.insert(kid.clone(), Retired { kid, public, until });
        }
    }
    Ok(found.into_values().collect())
}

fn read(path: &Path, kid: &str) -> Result<Vec<u8>, SigningKeyError> {
    let text = fs::read(path).map_err(|source| SigningKeyError::File { path: path.to_owned(), source })?;
    let public = pem::parse(&text).map(pem::Pem::into_contents);
    match public {
        Ok(public) if public.len() == 32 && kid_of(&public) == kid => Ok(public),
        _ => Err(SigningKeyError::Retired { path: path.to_owned() }),
    }
}

/// Path, id and end of each retired key: files are called `ID.END.pem`, others are none.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, String, i64)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parts: Vec<&str> = name.split('.').collect();
        if let [kid, until, "pem"] = parts.as_slice()
            && let Ok(until) = until.parse()
        {
            let kid = (*kid).to_owned();
            files.push((path, kid, until));
        }
    }
    Ok(files)
}

/// The folder itself is the lock; the kernel gives it back whatever ends us.
fn lock(folder: &Path) -> io::Result<File> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = File::open(folder)?;
    lock.lock()?;
    Ok(lock)
}

fn retire(folder: &Path, key: &SigningKey, until: i64) -> io::Result<()> {
    let text = pem::encode(&pem::Pem::new("ED25519 PUBLIC KEY", key.public()));
    whole_file::replace(&folder.join(format!("{}.{until}.pem", key.kid())), text.as_bytes(), DRAFT)?;
    // A change that broke off before may have told another end of the same key: the last word counts.
    for (path, kid, other) in files(folder)? {
        if kid == key.kid() && other != until {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn replace(signing_key: &Path, new: &SecretString) -> io::Result<()> {
    // Drafts of programs that were killed.
    for entry in fs::read_dir(folder_of(signing_key))? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(DRAFT)) {
            fs::remove_file(entry.path())?;
        }
    }
    whole_file::replace(signing_key, new.expose_secret().as_bytes(), DRAFT)
}

/// Removes the keys whose time is over.
fn forget(folder: &Path, now: i64) -> io::Result<()> {
    for (path, _, until) in files(folder)? {
        if until <= now {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use time::OffsetDateTime;

    use super::*;

    fn at(seconds: i64) -> Clock {
        Clock::new(move || OffsetDateTime::from_unix_timestamp(seconds).unwrap())
    }

    fn kids(path: &Path, now: i64) -> Vec<(String, i64)> {
        load(path, now).unwrap().into_iter().map(|key| (key.kid, key.until)).collect()
    }

    #[test]
    fn the_old_key_counts_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        let rotation = rotate(&path, Duration::from_secs(100), &at(1_000)).unwrap();
        assert_eq!((rotation.old.as_str(), rotation.old_until), (first.kid(), 1_100));
        assert_eq!(SigningKey::load(&path).unwrap().kid(), rotation.new);
        assert_eq!(kids(&path, 1_099), [(first.kid().to_owned(), 1_100)]);
        assert_eq!(kids(&path, 1_100), []);
        // No longer than a token may live, and what is over is removed.
        let second = rotate(&path, Duration::from_hours(24 * 1_000), &at(2_000)).unwrap();
        assert_eq!(kids(&path, 2_000), [(rotation.new, 2_000 + i64::try_from(MOST_LIFETIME.as_secs()).unwrap())]);
        assert_eq!(fs::read_dir(folder(&path)).unwrap().count(), 1);
        assert_ne!(second.new, second.old);
    }

    #[test]
    fn a_change_that_broke_off_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        // Killed after the old key was written down, and once more with half a draft of the new one.
        let held = lock(&folder(&path)).unwrap();
        retire(&folder(&path), &first, 5_000).unwrap();
        drop(held);
        fs::write(dir.path().join(format!("{DRAFT}half")), "-----BEGIN PRIV").unwrap();
        assert_eq!(SigningKey::load(&path).unwrap().kid(), first.kid());
        rotate(&path, Duration::from_secs(100), &at(1_000)).unwrap();
        assert_eq!(kids(&path, 1_000), [(first.kid().to_owned(), 1_100)]);
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn one_that_is_withdrawn_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        SigningKey::load_or_create(&path).unwrap();
        let keep = Duration::from_secs(100);
        let (first, second) = (rotate(&path, keep, &at(1_000)).unwrap(), rotate(&path, keep, &at(1_000)).unwrap());
        assert!(withdraw(&path, &first.old).unwrap());
        assert_eq!(kids(&path, 1_000), [(second.old, 1_100)]);
        assert!(!withdraw(&path, &first.old).unwrap() && !withdraw(&path, &second.new).unwrap());
        assert_eq!(SigningKey::load(&path).unwrap().kid(), second.new);
    }

    #[test]
    fn what_is_only_prepared_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        let prepared = prepare(&path, Duration::from_secs(100), &at(1_000)).unwrap();
        assert_eq!((SigningKey::load(&path).unwrap().kid(), kids(&path, 1_000).len()), (first.kid(), 0));
        let told = prepared.rotation.clone();
        assert_eq!(prepared.finish().unwrap(), told);
        assert_eq!(SigningKey::load(&path).unwrap().kid(), told.new);
    }

    #[test]
    fn several_at_once_lose_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        let first = SigningKey::load_or_create(&path).unwrap().kid().to_owned();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || rotate(&path, Duration::from_secs(100), &at(1_000)).unwrap())
            })
            .collect();
        let mut all: Vec<String> = threads.into_iter().map(|thread| thread.join().unwrap().new).collect();
        all.push(first);
        all.sort();
        let mut known: Vec<String> = kids(&path, 1_000).into_iter().map(|(kid, _)| kid).collect();
        known.push(SigningKey::load(&path).unwrap().kid().to_owned());
        known.sort();
        assert_eq!(known, all);
    }

    #[test]
    fn what_is_no_retired_key_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        fs::create_dir(folder(&path)).unwrap();
        fs::write(folder(&path).join("README"), "").unwrap();
        assert_eq!(kids(&path, 0), []);
        fs::write(folder(&path).join("0123456789abcdef.99.pem"), "garbage").unwrap();
        assert!(matches!(load(&path, 0), Err(SigningKeyError::Retired { .. })));
    }
}
