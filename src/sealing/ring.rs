//! The ring of key-encryption keys, and where it is read from: files of a folder, or the configuration.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;

use super::KeyId;
use super::envelope::KeyEncryptionKey;
use crate::config::ENCRYPTION_KEY;
use crate::sources::{NoRandomness, Secrets};
use crate::whole_file;

/// What the names of key files end with.
const EXTENSION: &str = "key";

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The folder cannot be read or written.
    #[error("cannot read or write the folder of encryption keys {}: {source}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot read or write the encryption key {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read a key.
    #[error("the encryption key {0} can be read by others (mode {mode:o}); run: chmod 400 {0}", .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A key is somebody else's.
    #[error("the encryption key {} belongs to another user (id {owner}); give it to the user that the service runs as", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A file holds something else.
    #[error("{} has {length} bytes; an encryption key has {ENCRYPTION_KEY}", .path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// How many bytes it has; one more than a key has stands for more.
        length: usize,
    },
    /// There is no key.
    #[error("there is no encryption key in {}; `widget-registry keys new` makes one", .folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// The keys are in the configuration, where nothing can be changed from here.
    #[error(
        "the encryption keys are in the setting encryption_keys: add the new one there as the last, or take the old one out"
    )]
    Fixed,
    /// There is no randomness to make one of.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Where the ring is.
#[derive(Debug, Clone)]
pub enum Source {
    /// Files `*.key` of a folder, in the order of their names.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Whether it is the one in the data directory, in which the program makes keys by itself.
        own: bool,
    },
    /// The keys themselves.
    Given(Vec<SecretSlice<u8>>),
}

/// The keys, in their order: a rotation turns to the last.
#[derive(Debug, Default)]
pub struct Ring {
    keys: Vec<KeyEncryptionKey>,
}

impl Ring {
    /// A key by its id.
    #[must_use]
    pub fn get(&self, id: &KeyId) -> Option<&KeyEncryptionKey> {
        self.keys.iter().find(|key| key.id == *id)
    }

    /// The key that a rotation turns to.
    #[must_use]
    pub fn last(&self) -> Option<&KeyEncryptionKey> {
        self.keys.last()
    }

    /// The ids in the order of the keys.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.iter().map(|key| &key.id)
    }
}

impl Source {
    /// Reads the ring. Where the program makes keys by itself, the first is made.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, others can read it, or it is no key; when there is no key at all.
    pub fn load_or_create(&self, secrets: &Secrets) -> Result<Ring, RingError> {
        match self.load() {
            Err(RingError::Empty { .. }) if self.is_own() => {
                self.add(secrets)?;
                self.load()
            }
            loaded => loaded,
        }
    }

    /// Reads the ring.
    ///
    /// # Errors
    ///
    /// As [`Source::load_or_create`].
    pub fn load(&self) -> Result<Ring, RingError> {
        let keys = match self {
            Self::Folder { folder, .. } => {
                let keys: Vec<_> = files(folder)?.iter().map(|path| load(path)).collect::<Result<_, _>>()?;
                if keys.is_empty() {
                    return Err(RingError::Empty { folder: folder.clone() });
                }
                keys
            }
            Self::Given(keys) => keys.iter().filter_map(KeyEncryptionKey::of_bytes).collect(),
        };
        Ok(Ring { keys })
    }

    /// Whether the program makes keys here by itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Folder { own: true, .. })
    }

    /// Makes a key, the last of the ring, and returns its file. When somebody else makes one at the same moment, there is one more.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn add(&self, secrets: &Secrets) -> Result<PathBuf, RingError> {
        let Self::Folder { folder, own } = self else { return Err(RingError::Fixed) };
        let refused = |source| RingError::Folder { folder: folder.clone(), source };
        if *own {
            create(folder).map_err(refused)?;
        }
        let number = |path: &PathBuf| path.file_stem().and_then(|stem| stem.to_str()?.parse::<u32>().ok());
        let mut next = files(folder)?.iter().filter_map(number).max().unwrap_or(0);
        let mut bytes = [0; ENCRYPTION_KEY];
        secrets.fill(&mut bytes)?;
        loop {
            next += 1;
            let path = folder.join(format!("{next:04}.{EXTENSION}"));
            match whole_file::create(&path, &bytes, 0o400) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(RingError::File { path, source }),
                Ok(()) => return Ok(path),
            }
        }
    }

    /// Removes the files of a key, and returns them; of keys that are no files there are none.
    ///
    /// # Errors
    ///
    /// When one cannot be read or removed.
    pub fn remove(&self, id: &KeyId) -> Result<Vec<PathBuf>, RingError> {
        let Self::Folder { folder, .. } = self else { return Ok(Vec::new()) };
        let mut gone = Vec::new();
        for path in files(folder)? {
            if load(&path)?.id == *id {
                fs::remove_file(&path).map_err(|source| RingError::File { path: path.clone(), source })?;
                gone.push(path);
            }
        }
        Ok(gone)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder { folder, .. } => write!(f, "{}", folder.display()),
            Self::Given(_) => f.write_str("the setting encryption_keys"),
        }
    }
}

/// The key files by name. A folder that is not there has none; names that begin with a dot are how orchestrators swap files.
fn files(folder: &Path) -> Result<Vec<PathBuf>, RingError> {
    let refused = |source| RingError::Folder { folder: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refused)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(refused)?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|extension| extension == EXTENSION) && !hidden {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a key whose file nobody else can read.
fn load(path: &Path) -> Result<KeyEncryptionKey, RingError> {
    let refused = |source| RingError::File { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(refused)?;
    let found = file.metadata().map_err(refused)?;
    let (mode, owner) = (found.permissions().mode() & 0o777, found.uid());
    if mode & 0o077 != 0 {
        return Err(RingError::Exposed { path: path.to_owned(), mode });
    }
    if owner != nix::unistd::geteuid().as_raw() {
        return Err(RingError::Foreign { path: path.to_owned(), owner });
    }
    let mut bytes = Vec::with_capacity(ENCRYPTION_KEY + 1);
    let most = u64::try_from(ENCRYPTION_KEY + 1).unwrap_or(u64::MAX);
    let length = file.take(most).read_to_end(&mut bytes).map_err(refused)?;
    let key = KeyEncryptionKey::of_bytes(&SecretSlice::from(bytes)).filter(|_| length == ENCRYPTION_KEY);
    key.ok_or_else(|| RingError::Length { path: path.to_owned(), length })
}

fn create(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
