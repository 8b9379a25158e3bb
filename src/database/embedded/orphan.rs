//! Ends the PostgreSQL that a killed registry left behind.
//!
//! Whoever comes here holds the lock of the data directory, so no running registry owns what `postmaster.pid` names.
//! The number in it may since have gone to any other process: nothing is signalled before it is known to be a
//! PostgreSQL of this very data directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::error::EmbeddedError;
use super::pid_file::PidFile;

/// How often a process is looked at while it ends.
const POLL: Duration = Duration::from_millis(10);

/// How long a dead process may wait for its parent to collect it.
const ZOMBIE_PATIENCE: Duration = Duration::from_secs(15);

/// The signals that end PostgreSQL, and how long each may take: fast with a last checkpoint, at once with a recovery
/// at the next start, and by force.
pub(super) const STAGES: [(Signal, Duration); 3] = [
    (Signal::SIGINT, Duration::from_secs(20)),
    (Signal::SIGQUIT, Duration::from_secs(10)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];

/// What runs under a process number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// Nothing.
    Gone,
    /// A dead process that its parent has not collected. PostgreSQL takes it for alive.
    Zombie,
    /// The PostgreSQL of this data directory.
    Ours,
    /// Any other program, or a PostgreSQL of another data directory.
    Stranger,
    /// This system does not tell.
    Unknown,
}

/// Makes the way free for a start: ends an orphan and waits until it is gone, and removes a `postmaster.pid` that
/// names nobody of ours, over which PostgreSQL would refuse to start.
pub(super) async fn clear_the_way(cluster_dir: &Path) -> Result<(), EmbeddedError> {
    let path = PidFile::path(cluster_dir);
    let pid = match PidFile::read(cluster_dir).map_err(EmbeddedError::io("read", &path))? {
        PidFile::Missing => return Ok(()),
        PidFile::Garbage => return PidFile::remove(cluster_dir).map_err(EmbeddedError::io("remove", &path)),
        PidFile::Of { pid, .. } => pid,
    };
    if identify(pid, cluster_dir) == Identity::Ours {
        tracing::warn!(%pid, "ending the PostgreSQL that an earlier run left behind");
        end(pid, cluster_dir).await?;
    }
    let until = Instant::now() + ZOMBIE_PATIENCE;
    while identify(pid, cluster_dir) == Identity::Zombie && Instant::now() < until {
        sleep(POLL).await;
    }
    match identify(pid, cluster_dir) {
        // PostgreSQL takes the file over, and learns from it which shared memory to look at.
        Identity::Gone => PidFile::forget_ready(cluster_dir).map_err(EmbeddedError::io("write", &path)),
        // Where the system does not tell, PostgreSQL decides.
        Identity::Unknown | Identity::Ours => Ok(()),
        Identity::Zombie | Identity::Stranger => {
            PidFile::remove(cluster_dir).map_err(EmbeddedError::io("remove", &path))
        }
    }
}

async fn end(pid: Pid, cluster_dir: &Path) -> Result<(), EmbeddedError> {
    for (signal, patience) in STAGES {
        // Looked at again before every signal: the number may have changed hands.
        if identify(pid, cluster_dir) != Identity::Ours {
            return Ok(());
        }
        match kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(EmbeddedError::NotOurs { pid: pid.as_raw(), source: error.into() }),
        }
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if identify(pid, cluster_dir) != Identity::Ours {
                return Ok(());
            }
            sleep(POLL).await;
        }
    }
    Err(EmbeddedError::DoesNotEnd { pid: pid.as_raw() })
}

fn identify(pid: Pid, cluster_dir: &Path) -> Identity {
    if Path::new("/proc/self/stat").exists() { from_proc(pid, cluster_dir) } else { from_ps(pid, cluster_dir) }
}

fn from_proc(pid: Pid, cluster_dir: &Path) -> Identity {
    let process = Path::new("/proc").join(pid.to_string());
    let Ok(stat) = fs::read(process.join("stat")) else { return Identity::Gone };
    let stat = String::from_utf8_lossy(&stat);
    // `4242 (name) S …`, where the name may hold spaces and brackets.
    let Some((head, tail)) = stat.rsplit_once(") ") else { return Identity::Unknown };
    let name = head.split_once('(').map_or("", |(_, name)| name);
    if tail.starts_with(['Z', 'X']) {
        return Identity::Zombie;
    }
    if name != "postgres" {
        return Identity::Stranger;
    }
    // PostgreSQL works in its data directory. A container may forbid even root to see that; the command line is open.
    let same = same_folder(&process.join("cwd"), cluster_dir).or_else(|| {
        let line = fs::read(process.join("cmdline")).ok()?;
        Some(line.split(|byte| *byte == 0).any(|argument| argument == cluster_dir.as_os_str().as_encoded_bytes()))
    });
    match same {
        Some(true) => Identity::Ours,
        Some(false) => Identity::Stranger,
        None => Identity::Unknown,
    }
}

/// Whether two paths lead to one folder; `None` when the first cannot be read.
fn same_folder(one: &Path, other: &Path) -> Option<bool> {
    let (one, other) = (fs::metadata(one).ok()?, fs::metadata(other).ok()?);
    Some(one.dev() == other.dev() && one.ino() == other.ino())
}

/// For systems without `/proc`: the state and the command line as `ps` shows them.
fn from_ps(pid: Pid, cluster_dir: &Path) -> Identity {
    let mut command = Command::new("ps");
    command.args(["-ww", "-o", "stat=", "-o", "command=", "-p", &pid.to_string()]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(output) = command.output() else { return Identity::Unknown };
    let line = String::from_utf8_lossy(&output.stdout);
    match line.trim() {
        "" => Identity::Gone,
        line if line.starts_with('Z') => Identity::Zombie,
        line if line.contains("postgres") && line.contains(&*cluster_dir.to_string_lossy()) => Identity::Ours,
        _ => Identity::Stranger,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let own = Pid::this();
        assert_eq!(from_ps(own, folder.path()), Identity::Stranger);
        if Path::new("/proc/self/stat").exists() {
            assert_eq!(from_proc(own, folder.path()), Identity::Stranger);
        }
    }

    #[test]
    fn a_dead_child_is_a_zombie_until_it_is_collected() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let limit = std::time::Instant::now() + Duration::from_secs(10);
        while identify(pid, folder.path()) != Identity::Zombie {
            assert!(std::time::Instant::now() < limit, "the child does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(from_ps(pid, folder.path()), Identity::Zombie);
        child.wait().unwrap();
        assert_eq!(identify(pid, folder.path()), Identity::Gone);
        assert_eq!(from_ps(pid, folder.path()), Identity::Gone);
    }
}
