//! The folder that holds everything a registry keeps on this machine: its keys, its embedded database, its lock.
//!
//! The folder can be entered by every user (0755), because PostgreSQL runs as another user when the registry runs as
//! root. Secrets live in `keys/`, which only the owner can enter (0700).

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What a socket's path may measure, in bytes. The strictest system allows 104 with the closing zero byte.
const SOCKET_PATH_LIMIT: usize = 90;

/// The name that PostgreSQL gives to its socket on the default port, with the slash before it.
const SOCKET_NAME: &str = "/.s.PGSQL.5432";

/// The folder of one registry. Made by [`DataDir::open`], it also holds the folder's lock until it is dropped or the
/// process dies, whatever the cause.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Present in the owner. The kernel drops the lock with the process.
    lock: Option<File>,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process holds the lock.
    #[error(
        "the data directory {} is in use by another running copy{}: stop that one first, or give this one a directory of its own",
        .path.display(),
        .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that holds the lock, when it has written its number.
        pid: Option<u32>,
    },
    /// [`DataDir::peek`] found nothing.
    #[error("there is no data directory at {}: start the server once, or name the directory that it uses", .path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
    /// Neither `XDG_DATA_HOME` nor `HOME` says where a user's data belongs.
    #[error(
        "no place for the data directory: neither XDG_DATA_HOME nor HOME is set to an absolute path; name a directory"
    )]
    NoHome,
    /// The system refused a file or folder.
    #[error("cannot {action} {}: check who may write there and whether the disk is full, or name another data directory", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl DataDir {
    /// Makes the folder if there is none (0755) and takes its lock. Waits half a second at most: a killed owner's child
    /// may share the lock for as long as it takes to start a program.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] while another process has it open, [`DataDirError::Io`] when the system refuses.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        create_open_to_all(path)?;
        let path = fs::canonicalize(path).map_err(io("find", path))?;
        let lock = take_lock(&path)?;
        let keys = path.join("keys");
        match DirBuilder::new().mode(0o700).create(&keys) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io("make", &keys)(error)),
            _ => fs::set_permissions(&keys, Permissions::from_mode(0o700)).map_err(io("protect", &keys))?,
        }
        Ok(Self { path, lock: Some(lock) })
    }

    /// Names the places in the folder of a registry that may be running: nothing is made and no lock is taken.
    ///
    /// # Errors
    /// [`DataDirError::Missing`] when there is no such folder.
    pub fn peek(path: &Path) -> Result<Self, DataDirError> {
        match fs::canonicalize(path) {
            Ok(path) if path.is_dir() => Ok(Self { path, lock: None }),
            Ok(path) => Err(DataDirError::Missing { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(DataDirError::Missing { path: path.to_owned() })
            }
            Err(error) => Err(io("find", path)(error)),
        }
    }

    /// Where the data directory is when nobody says: `/var/lib/widget-registry` for root, whose home other users
    /// cannot enter; for others the place that the XDG base directory specification gives. It ignores relative paths,
    /// and so does this.
    ///
    /// # Errors
    /// [`DataDirError::NoHome`] when neither variable is of use.
    pub fn default_path(
        root: bool,
        xdg_data_home: Option<OsString>,
        home: Option<OsString>,
    ) -> Result<PathBuf, DataDirError> {
        if root {
            return Ok(PathBuf::from("/var/lib/widget-registry"));
        }
        let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
        absolute(xdg_data_home)
            .or_else(|| absolute(home).map(|home| home.join(".local/share")))
            .map(|base| base.join("widget-registry"))
            .ok_or(DataDirError::NoHome)
    }

    /// The folder itself, absolute and without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of secrets, which only its owner can enter.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// The data directory of the embedded database.
    #[must_use]
    pub fn cluster_dir(&self) -> PathBuf {
        self.path.join("postgres")
    }

    /// What the embedded database writes while it runs.
    #[must_use]
    pub fn database_log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The folder of the embedded database's socket: in the data directory, or where that makes the socket's path too
    /// long for the system, a short one named after a hash of the data directory.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        // Root's runtime folder is closed to the user that PostgreSQL runs as.
        let runtime = if nix::unistd::geteuid().is_root() { None } else { std::env::var_os("XDG_RUNTIME_DIR") };
        socket_dir(&self.path, &[runtime.map(PathBuf::from), Some(std::env::temp_dir()), Some(PathBuf::from("/tmp"))])
    }
}

impl Drop for DataDir {
    /// Gives the lock back at once: a child that another thread is just starting still shares the file.
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // Closing the file does the same a moment later.
            let _ = lock.unlock();
        }
    }
}

fn socket_dir(data_dir: &Path, bases: &[Option<PathBuf>]) -> PathBuf {
    // The database driver takes UTF-8 alone.
    let fits = |path: &PathBuf| path.to_str().is_some_and(|path| path.len() + SOCKET_NAME.len() < SOCKET_PATH_LIMIT);
    let inside = data_dir.join("socket");
    if fits(&inside) {
        return inside;
    }
    let name = format!("widget-registry-{:016x}", fnv1a(data_dir.as_os_str().as_bytes()));
    let candidates = bases.iter().flatten().filter(|base| base.is_absolute() && base.is_dir());
    candidates.map(|base| base.join(&name)).find(fits).unwrap_or(inside)
}

/// FNV-1a with 64 bits: unlike the standard library's hash it promises the same result for ever.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Makes `path` and the folders above it that are missing. The mode is set afterwards, because a strict umask would
/// lock out the user that PostgreSQL runs as. Folders that exist keep their mode.
fn create_open_to_all(path: &Path) -> Result<(), DataDirError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io("make", folder)(error)),
            _ => fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(io("open", folder))?,
        }
    }
    Ok(())
}

/// Tries to lock a file for half a second.
fn lock_patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..25 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(20)),
            done => return done,
        }
    }
    file.try_lock()
}

/// Locks `lock` in `path` and writes our process number into it, for the message of whoever comes second.
fn take_lock(path: &Path) -> Result<File, DataDirError> {
    let name = path.join("lock");
    let refused = io("lock", &name);
    let mut file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(&name)
    {
        Ok(file) => file,
        Err(error) => return Err(refused(error)),
    };
    match lock_patiently(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Without the number the message is still right.
            let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(DataDirError::InUse { path: path.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(refused(error)),
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(refused)?;
    Ok(file)
}

fn io(action: &'static str, path: &Path) -> impl Fn(io::Error) -> DataDirError {
    move |source| DataDirError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_data_directory_holds_its_socket() {
        assert_eq!(
            socket_dir(Path::new("/var/lib/widget-registry"), &[]),
            Path::new("/var/lib/widget-registry/socket")
        );
    }

    #[test]
    fn a_long_one_gets_a_short_folder_of_its_own() {
        let long = PathBuf::from(format!("/{}", "d".repeat(80)));
        let other = PathBuf::from(format!("/{}", "e".repeat(80)));
        let bases = [Some(PathBuf::from("/no such folder")), Some(PathBuf::from("/tmp"))];
        let chosen = socket_dir(&long, &bases);
        assert!(chosen.starts_with("/tmp"), "{}", chosen.display());
        assert_eq!(chosen, socket_dir(&long, &bases));
        assert_ne!(chosen, socket_dir(&other, &bases));
        assert!(chosen.as_os_str().len() + SOCKET_NAME.len() < SOCKET_PATH_LIMIT);
    }

    #[test]
    fn the_default_follows_the_xdg_specification() {
        let path = |xdg: Option<&str>, home: Option<&str>| {
            DataDir::default_path(false, xdg.map(OsString::from), home.map(OsString::from))
        };
        assert_eq!(path(Some("/data"), Some("/home/u")).unwrap(), Path::new("/data/widget-registry"));
        assert_eq!(path(Some("relative"), Some("/home/u")).unwrap(), Path::new("/home/u/.local/share/widget-registry"));
        assert!(matches!(path(None, None), Err(DataDirError::NoHome)));
        assert_eq!(DataDir::default_path(true, None, None).unwrap(), Path::new("/var/lib/widget-registry"));
    }
}
