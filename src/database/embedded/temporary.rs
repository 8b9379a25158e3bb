//! A database for tests: fast, private, and gone afterwards, however the tests end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use sqlx::postgres::PgConnectOptions;

use super::{Cluster, Durability, EmbeddedError, Options};

/// What a folder in memory must have free: an empty cluster needs 45 MB, a test suite some hundred.
const NEEDED_BYTES: u64 = 512 * 1024 * 1024;

/// How many connections the tests of one process may hold together.
const MAX_CONNECTIONS: u32 = 200;

/// A cluster in a folder of its own, in memory where there is room. The end of this value and the end of this process,
/// even by `kill -9`, end PostgreSQL and remove the folder.
#[derive(Debug)]
pub struct Temporary {
    // Dropped first: when the cluster's turn comes, PostgreSQL has ended.
    watchdog: Watchdog,
    cluster: Cluster,
}

impl Temporary {
    /// Starts a cluster that nobody else uses. Several may run at once, also of one process.
    ///
    /// # Errors
    /// As [`Cluster::start`], and [`EmbeddedError::Watchdog`].
    pub async fn start() -> Result<Self, EmbeddedError> {
        let watchdog = Watchdog::over_new_folder(&base())?;
        let folder = &watchdog.folder;
        let cluster = Cluster::start(Options {
            cluster_dir: folder.join("data"),
            socket_dir: folder.join("socket"),
            bin_dir: None,
            durability: Durability::Throwaway,
            max_connections: MAX_CONNECTIONS,
            log: folder.join("log"),
        });
        Ok(Self { cluster: cluster.await?, watchdog })
    }

    /// How to connect as superuser to the database `postgres`; see [`Cluster::connect_options`].
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        self.cluster.connect_options()
    }

    /// The folder of the cluster, which vanishes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.watchdog.folder
    }
}

/// A shell that outlives us by the time it takes to clean up. It learns of our end by the end of its standard input,
/// whose other end only this process holds.
#[derive(Debug)]
struct Watchdog {
    folder: PathBuf,
    shell: Child,
    lifeline: Option<ChildStdin>,
}

impl Watchdog {
    /// Lets the watchdog itself make the folder, so that there is none without a watchdog.
    fn over_new_folder(base: &Path) -> Result<Self, EmbeddedError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Another user's process may have died with our number, and its folder may be in the way.
        for _ in 0..100 {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = base.join(format!("widget-registry-{}-{count}", std::process::id()));
            if !folder.exists() {
                return Self::over(folder);
            }
        }
        Err(EmbeddedError::Watchdog)
    }

    fn over(folder: PathBuf) -> Result<Self, EmbeddedError> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", include_str!("watchdog.sh"), "widget-registry-watchdog"]).arg(&folder);
        // A process group of its own: Ctrl-C and the runner of the tests end us, not the watchdog.
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().map_err(|source| EmbeddedError::Spawn { program: "/bin/sh".into(), source })?;
        let lifeline = shell.stdin.take();
        let answer = shell.stdout.take();
        let watchdog = Self { folder, shell, lifeline };
        let mut line = String::new();
        match answer.map(|answer| BufReader::new(answer).read_line(&mut line)) {
            Some(Ok(_)) if line == "made\n" => Ok(watchdog),
            _ => Err(EmbeddedError::Watchdog),
        }
    }
}

impl Drop for Watchdog {
    /// Waits until PostgreSQL and the folder are gone, at most some 30 s.
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // If there is no shell to wait for, there is nothing to clean up either.
        let _ = self.shell.wait();
    }
}

/// Where temporary clusters go: memory, when there is enough, else the folder for temporary files.
fn base() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = statvfs(memory).map_or(0, |found| bytes(found.blocks_available(), found.fragment_size()));
    if free >= NEEDED_BYTES && access(memory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        return memory.to_owned();
    }
    let temp = std::env::temp_dir();
    let temp = fs::canonicalize(&temp).unwrap_or(temp);
    // The socket's path must stay short.
    if temp.as_os_str().len() > 40 { PathBuf::from("/tmp") } else { temp }
}

/// The size of some blocks. Systems count them in integers of different widths.
fn bytes(blocks: impl Into<u64>, block_size: impl Into<u64>) -> u64 {
    blocks.into().saturating_mul(block_size.into())
}
