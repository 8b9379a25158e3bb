//! The keys of tokens while the service runs: read anew when their files change, and completed by sets that are fetched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use jsonwebtoken::decode_header;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::checked::Checked;
use super::jwks::{PublicKey, PublicKeySet};
use super::keys::{self, KeyError, KeySource, VerificationKey, Verifier};
use super::retired::{self, Retired};
use super::signing::{SigningKey, SigningKeyError};
use crate::digest::Sha256;
use crate::sources::Clock;

/// Time between two fetches because of keys that nobody knows.
const BETWEEN_QUESTIONS: Duration = Duration::from_mins(1);

/// Time that a token with an unknown key waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tokens that wait for a fetch at once.
const MOST_WAITING: usize = 32;

/// Seconds that fetched keys count without being fetched again: a day.
const STALE: i64 = 24 * 60 * 60;

/// Keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The signing key, or one that it replaced.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// A verification key.
    #[error(transparent)]
    Verification(#[from] KeyError),
}

/// The keys at one time.
#[derive(Debug)]
pub struct Keys {
    /// Checks tokens.
    pub verifier: Verifier,
    /// Those that it has checked.
    pub checked: Arc<Checked>,
    /// Signs ours.
    pub signing: Arc<SigningKey>,
    retired: Vec<Retired>,
}

/// The keys, for as long as the service runs. They are swapped as a whole: whoever has taken them goes on with what they took.
#[derive(Debug)]
pub struct Keyring {
    files: Files,
    clock: Clock,
    now: ArcSwap<Keys>,
    // Held while keys are read and swapped.
    state: Mutex<State>,
    failed: AtomicBool,
    questions: Mutex<Questions>,
    waiting: Semaphore,
    asked: watch::Sender<()>,
    answered: watch::Sender<()>,
}

#[derive(Debug)]
struct Files {
    issuer: String,
    signing: PathBuf,
    sources: Vec<KeySource>,
}

#[derive(Debug)]
struct State {
    /// The files as they were just before they were read last.
    stamps: Vec<Option<Stamp>>,
    /// What they held when they were last usable.
    local: Local,
    /// The keys of each fetched set.
    fetched: BTreeMap<String, Fetched>,
    /// Why the files could not be used when they were read last.
    failed: Option<String>,
    /// Tokens that these keys have checked.
    checked: Arc<Checked>,
}

#[derive(Debug)]
struct Fetched {
    /// The text that they were read from.
    text: Sha256,
    keys: Vec<VerificationKey>,
}

#[derive(Debug)]
struct Local {
    verifier: Verifier,
    signing: Arc<SigningKey>,
    retired: Vec<Retired>,
}

/// What changes when a file is written or another takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64, u64),
    changed: (i64, i64),
    modified: (i64, i64),
}

#[derive(Debug, Default)]
struct Questions {
    last: Option<Instant>,
    open: bool,
}

impl Keyring {
    /// Reads every key.
    ///
    /// # Errors
    ///
    /// When one cannot be used.
    pub fn open(issuer: String, signing: PathBuf, sources: Vec<KeySource>, clock: Clock) -> Result<Self, KeyringError> {
        let files = Files { issuer, signing, sources };
        let stamps = files.stamps();
        let local = files.load(&clock)?;
        let state = State { stamps, local, fetched: BTreeMap::new(), failed: None, checked: Arc::default() };
        Ok(Self {
            files,
            now: ArcSwap::from_pointee(state.keys()),
            clock,
            state: Mutex::new(state),
            failed: AtomicBool::new(false),
            questions: Mutex::default(),
            waiting: Semaphore::new(MOST_WAITING),
            asked: watch::Sender::new(()),
            answered: watch::Sender::new(()),
        })
    }

    /// The keys as they are now.
    #[must_use]
    pub fn keys(&self) -> Guard<Arc<Keys>> {
        self.now.load()
    }

    /// Our own public keys: the one that signs, and those before it whose tokens may still be valid.
    #[must_use]
    pub fn public(&self) -> PublicKeySet {
        let (keys, now) = (self.keys(), self.clock.unix());
        let signing = PublicKey::new(keys.signing.kid(), keys.signing.public());
        let retired = keys.retired.iter().filter(|key| key.until > now).map(Retired::public_key);
        PublicKeySet { keys: std::iter::once(signing).chain(retired).collect() }
    }

    /// The addresses of key sets, which somebody has to fetch.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let url = |source: &KeySource| match source {
            KeySource::Url(url) => Some(url.clone()),
            KeySource::File { .. } | KeySource::Jwks(_) => None,
        };
        self.files.sources.iter().filter_map(url).collect()
    }

    /// Whether the files as they are now cannot be used, so that older keys are in force.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reads the files anew. Those that cannot be used change nothing; the log tells why. Whether the keys were swapped.
    pub fn reload(&self) -> bool {
        self.reload_in(&mut lock(&self.state))
    }

    /// Reads the files anew when one of them has changed, or when they could not be used the last time: what kept us from it may have passed.
    /// Whether the keys were swapped.
    pub fn reload_if_changed(&self) -> bool {
        let mut state = lock(&self.state);
        if state.failed.is_none() && state.stamps == self.files.stamps() { false } else { self.reload_in(&mut state) }
    }

    fn reload_in(&self, state: &mut State) -> bool {
        // Taken before the files are read: what changes while they are is read next time.
        state.stamps = self.files.stamps();
        let loaded = self.files.load(&self.clock);
        self.failed.store(loaded.is_err(), Ordering::Relaxed);
        match loaded {
            Ok(local) => {
                tracing::info!(
                    signs = local.signing.kid(),
                    retired = local.retired.len(),
                    "the keys of tokens were read"
                );
                state.local = local;
                state.failed = None;
                state.checked = Arc::default();
                self.swap(state);
                true
            }
            Err(error) => {
                let why = Some(error.to_string());
                // Once for each reason, however often it is tried.
                if state.failed != why {
                    tracing::error!(%error, "the keys of tokens cannot be used; those before stay in force");
                    state.failed = why;
                }
                false
            }
        }
    }

    /// Takes the text of a set that was fetched; its keys replace those of the same address and count for a day.
    ///
    /// # Errors
    ///
    /// When it is no set, or no key of it can be used; then those before go on counting until their day is over.
    pub fn fetched(&self, url: &str, text: &[u8]) -> Result<(), KeyError> {
        let mut keys = keys::fetched(text, url)?;
        let until = self.clock.unix().saturating_add(STALE);
        for key in &mut keys {
            key.until = Some(until);
        }
        let text = Sha256::of(&[text]);
        let mut state = lock(&self.state);
        let before = state.fetched.insert(url.to_owned(), Fetched { text, keys });
        // The same keys have checked the same tokens: only their day begins anew.
        if before.is_none_or(|before| before.text != text) {
            state.checked = Arc::default();
        }
        self.swap(&state);
        Ok(())
    }

    fn swap(&self, state: &State) {
        self.now.store(Arc::new(state.keys()));
    }

    /// For a token whose key nobody knows: looks whether the files have changed, and has the sets fetched, at most once a minute. Whether
    /// there may be more keys now.
    pub async fn look_again(&self, token: &[u8]) -> bool {
        let Ok(header) = decode_header(token) else { return false };
        // Every key was tried on a token that names none.
        let Some(kid) = header.kid else { return false };
        let has = |keys: &Keys| keys.verifier.has(&kid, self.clock.unix());
        // Somebody else may have brought it while this token was checked, or while we waited for them.
        if has(&self.keys()) {
            return true;
        }
        self.reload_if_changed();
        if !has(&self.keys()) {
            self.ask().await;
        }
        // Also when nothing was asked for: what others had asked for may have come between the two looks.
        has(&self.keys())
    }

    /// Has the sets fetched, and waits for it, unless that was done within the last minute.
    async fn ask(&self) {
        // However slow the others are, strangers with made-up keys hold few requests back.
        let Ok(_place) = self.waiting.try_acquire() else { return };
        let mut answered = self.answered.subscribe();
        {
            let mut questions = lock(&self.questions);
            let recent = questions.last.is_some_and(|last| last.elapsed() < BETWEEN_QUESTIONS);
            if self.urls().is_empty() || recent && !questions.open {
                return;
            }
            if !recent {
                *questions = Questions { last: Some(Instant::now()), open: true };
                self.asked.send_replace(());
            }
        }
        // When no answer comes in time, the keys are as they were.
        let _ = tokio::time::timeout(PATIENCE, answered.changed()).await;
    }

    /// Hears when the sets are to be fetched.
    #[must_use]
    pub fn questions(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// Notes that every set was just fetched, or could not be.
    pub fn answer(&self) {
        lock(&self.questions).open = false;
        self.answered.send_replace(());
    }
}

impl State {
    fn keys(&self) -> Keys {
        let verifier =
            self.fetched.values().fold(self.local.verifier.clone(), |verifier, set| verifier.with(&set.keys));
        Keys {
            verifier,
            checked: self.checked.clone(),
            signing: self.local.signing.clone(),
            retired: self.local.retired.clone(),
        }
    }
}

impl Files {
    fn load(&self, clock: &Clock) -> Result<Local, KeyringError> {
        // In this order: a key is written down as retired before another takes its place.
        let signing = SigningKey::load(&self.signing)?;
        let mut retired = retired::load(&self.signing, clock.unix())?;
        retired.retain(|key| key.kid() != signing.kid());
        let own = std::iter::once(signing.verification_key());
        let own = own.chain(retired.iter().map(Retired::verification_key)).collect();
        let verifier = Verifier::new(self.issuer.clone(), own, &self.sources)?;
        Ok(Local { verifier, signing: Arc::new(signing), retired })
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        let retired = retired::folder(&self.signing);
        let sources = self.sources.iter().filter_map(|source| match source {
            KeySource::File { path, .. } | KeySource::Jwks(path) => Some(path.as_path()),
            KeySource::Url(_) => None,
        });
        [self.signing.as_path(), &retired].into_iter().chain(sources).map(stamp).collect()
    }
}

/// `None` for a file that cannot be looked at.
fn stamp(path: &Path) -> Option<Stamp> {
    let of = fs::metadata(path).ok()?;
    Some(Stamp {
        file: (of.dev(), of.ino(), of.size()),
        changed: (of.ctime(), of.ctime_nsec()),
        modified: (of.mtime(), of.mtime_nsec()),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
