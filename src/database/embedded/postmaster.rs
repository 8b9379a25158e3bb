//! The PostgreSQL process itself: started, watched and ended.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::error::EmbeddedError;
use super::log::Log;
use super::orphan::STAGES;
use super::pid_file::PidFile;
use super::run_as::RunAs;
use super::{Durability, Site};

/// How often `postmaster.pid` is read during a start.
const POLL: Duration = Duration::from_millis(5);

/// How long a start may take. After a crash PostgreSQL first replays what the crash cut off: usually seconds, minutes
/// on a slow disk.
const START_MINUTES: u64 = 10;

/// A running child.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: Pid,
    log: Log,
    /// How it ended, once it has.
    end: watch::Receiver<Option<String>>,
}

impl Postmaster {
    /// Starts the child; it is not ready yet.
    ///
    /// A thread of its own starts it and then waits for its end. So the child depends on no runtime, and the signal
    /// that it gets when its parent *thread* ends comes exactly when this process ends.
    pub(super) async fn spawn(site: &Site) -> Result<Self, EmbeddedError> {
        let (log, file) = Log::open(&site.log).map_err(EmbeddedError::io("write", &site.log))?;
        let errors = file.try_clone().map_err(EmbeddedError::io("write", &site.log))?;
        let program = site.binaries.postgres();
        let mut command = dying_with_us(site, &program, "INT");
        command.args(arguments(site)).stdout(file).stderr(errors);
        let (started, wait_for_start) = oneshot::channel();
        let (ended, end) = watch::channel(None);
        let parent = thread::Builder::new().name(String::from("postgres-parent"));
        let spawned = parent.spawn(move || match command.spawn() {
            Ok(mut child) => {
                // Nobody listens when the start was given up meanwhile.
                if let (Err(_), Ok(pid)) = (started.send(Ok(child.id())), i32::try_from(child.id())) {
                    let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
                }
                ended.send_replace(Some(describe(child.wait())));
            }
            Err(error) => drop(started.send(Err(error))),
        });
        let pid = match spawned {
            Ok(_) => wait_for_start.await.unwrap_or_else(|_| Err(io::Error::other("its thread ended"))),
            Err(error) => Err(error),
        };
        let pid = pid.and_then(|pid| i32::try_from(pid).map_err(io::Error::other));
        let pid = pid.map_err(|source| EmbeddedError::Spawn { program, source })?;
        Ok(Self { pid: Pid::from_raw(pid), log, end })
    }

    /// Waits until the child accepts connections, or until it ends.
    pub(super) async fn ready(&mut self, cluster_dir: &Path) -> Result<(), EmbeddedError> {
        let until = Instant::now() + Duration::from_secs(60 * START_MINUTES);
        loop {
            if let Some(status) = self.end.borrow().clone() {
                return Err(EmbeddedError::Start { status, log: self.log.path().to_owned(), tail: self.log.tail() });
            }
            // The file of an earlier run may still be there; unreadable means half written.
            if PidFile::read(cluster_dir).is_ok_and(|file| file == PidFile::Of { pid: self.pid, ready: true }) {
                return Ok(());
            }
            if Instant::now() >= until {
                self.stop().await?;
                let (log, tail) = (self.log.path().to_owned(), self.log.tail());
                return Err(EmbeddedError::NotReady { minutes: START_MINUTES, log, tail });
            }
            self.ends_within(POLL).await;
        }
    }

    /// Waits for the end, however long that takes, and tells how it came.
    pub(super) async fn end(&mut self) -> EmbeddedError {
        let status = match self.end.wait_for(Option::is_some).await {
            Ok(status) => status.clone().unwrap_or_default(),
            Err(_) => String::from("its thread ended"),
        };
        EmbeddedError::Died { status, log: self.log.path().to_owned(), tail: self.log.tail() }
    }

    /// Ends the child and waits for that: fast, then at once, then by force.
    pub(super) async fn stop(&mut self) -> Result<(), EmbeddedError> {
        for (signal, patience) in STAGES {
            self.signal(signal);
            if self.ends_within(patience).await {
                return Ok(());
            }
            tracing::warn!(pid = %self.pid, %signal, "PostgreSQL did not end in time");
        }
        Err(EmbeddedError::DoesNotEnd { pid: self.pid.as_raw() })
    }

    fn signal(&self, signal: Signal) {
        // Once it has been waited for, its number may belong to another process.
        if self.end.borrow().is_none() {
            // It can only be gone, which is what every signal here wants.
            let _ = kill(self.pid, signal);
        }
    }

    async fn ends_within(&mut self, patience: Duration) -> bool {
        timeout(patience, self.end.wait_for(Option::is_some)).await.is_ok()
    }
}

impl Drop for Postmaster {
    /// Asks the child to end, without waiting for it.
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// A command whose process gets `signal` when the thread that started it ends, where `setpriv` of util-linux can do
/// that. It sets this up after the change of user, which would undo it.
pub(super) fn dying_with_us(site: &Site, program: &Path, signal: &str) -> Command {
    match &site.setpriv {
        Some(setpriv) => {
            let mut command = site.run_as.command(setpriv);
            command.args(["--pdeathsig", signal]).arg(program);
            command
        }
        None => site.run_as.command(program),
    }
}

/// Finds a `setpriv` that knows `--pdeathsig` (`BusyBox`'s does not) by running `program` through it.
pub(super) fn find_setpriv(run_as: &RunAs, program: &Path) -> Option<PathBuf> {
    ["/usr/bin/setpriv", "/bin/setpriv"].iter().map(PathBuf::from).find(|setpriv| {
        let mut command = run_as.command(setpriv);
        command.args(["--pdeathsig", "INT"]).arg(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        setpriv.exists() && command.status().is_ok_and(|status| status.success())
    })
}

fn arguments(site: &Site) -> Vec<OsString> {
    // A list with one quoted entry; a quote in it is doubled.
    let socket_dir = site.socket_dir.to_string_lossy().replace('"', "\"\"");
    let socket_dir = format!("unix_socket_directories=\"{socket_dir}\"").into();
    let mut arguments = vec!["-D".into(), site.cluster_dir.clone().into_os_string(), "-c".into(), socket_dir];
    let mut set = |setting: &str| arguments.extend(["-c".into(), setting.into()]);
    set(&format!("max_connections={}", site.max_connections));
    let durability: &[&str] = match site.durability {
        Durability::Durable => &["fsync=on", "full_page_writes=on", "synchronous_commit=on"],
        Durability::Throwaway => &THROWAWAY,
    };
    SETTINGS.iter().chain(durability).for_each(|setting| set(setting));
    arguments
}

/// What the registry relies on, whatever `postgresql.conf` says.
const SETTINGS: [&str; 12] = [
    // The socket's folder is the only way in.
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "ssl=off",
    // Our file, our rotation, messages that we can read.
    "logging_collector=off",
    "log_destination=stderr",
    "log_line_prefix=%m [%p] ",
    "lc_messages=C",
    "log_timezone=UTC",
    "timezone=UTC",
    // After a crash of one of its processes PostgreSQL recovers by itself.
    "restart_after_crash=on",
    "cluster_name=widget-registry",
];

/// Nothing has to survive: no waiting for the disk, no housekeeping between tests.
/// Commits still reach the file before they are reported, which costs nothing in memory: tests that kill PostgreSQL
/// find what a real one would keep.
const THROWAWAY: [&str; 6] = [
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    // Segments in the data directory vanish with it, even when PostgreSQL is killed.
    "dynamic_shared_memory_type=mmap",
];

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| format!("its end could not be observed: {error}"), |status| status.to_string())
}
