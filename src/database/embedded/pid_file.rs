//! `postmaster.pid`, through which PostgreSQL tells who runs a data directory and how far its start has come.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

/// The lines before the status.
const LINES_BEFORE_STATUS: usize = 7;

/// What `postmaster.pid` says. The lines are documented in PostgreSQL's `src/include/utils/pidfile.h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PidFile {
    /// There is none: nobody runs this data directory, or not yet.
    Missing,
    /// Empty or no number in it: what a power failure leaves behind. PostgreSQL refuses to start over it.
    Garbage,
    /// Written by this process.
    Of { pid: Pid, ready: bool },
}

impl PidFile {
    pub(super) fn path(cluster_dir: &Path) -> PathBuf {
        cluster_dir.join("postmaster.pid")
    }

    pub(super) fn read(cluster_dir: &Path) -> io::Result<Self> {
        match fs::read(Self::path(cluster_dir)) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Missing),
            Err(error) => Err(error),
        }
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        // A server in single-user mode writes its number with a minus.
        let pid = lines.next().and_then(|line| line.trim().parse::<i32>().ok()).and_then(i32::checked_abs);
        // Numbers below 2 would make kill(2) reach every process, or init.
        match pid {
            Some(pid) if pid > 1 => {
                let ready = lines.nth(LINES_BEFORE_STATUS - 1).is_some_and(|status| status.trim() == "ready");
                Self::Of { pid: Pid::from_raw(pid), ready }
            }
            _ => Self::Garbage,
        }
    }

    /// Takes the word `ready` out of the file of a dead server, and leaves what PostgreSQL wants to know of it.
    ///
    /// In a container the next server often gets the number of the last one: it would count as ready at once.
    pub(super) fn forget_ready(cluster_dir: &Path) -> io::Result<()> {
        let path = Self::path(cluster_dir);
        match fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let kept: Vec<&str> = text.lines().take(LINES_BEFORE_STATUS).collect();
                fs::write(&path, kept.join("\n") + "\n")
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the file; it is fine when there is none.
    pub(super) fn remove(cluster_dir: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(cluster_dir)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTED: &str = "4242\n/data\n1700000000\n5432\n/data/socket\n\n  1234567    32768\nready   \n";

    #[test]
    fn line_8_tells_when_it_is_ready() {
        let pid = Pid::from_raw(4242);
        assert_eq!(PidFile::parse(STARTED), PidFile::Of { pid, ready: true });
        assert_eq!(PidFile::parse(&STARTED.replace("ready   ", "starting")), PidFile::Of { pid, ready: false });
        assert_eq!(PidFile::parse("4242\n/data\n"), PidFile::Of { pid, ready: false });
        assert_eq!(PidFile::parse("-4242\n"), PidFile::Of { pid, ready: false });
    }

    #[test]
    fn a_dead_server_is_not_ready_any_more() {
        let folder = tempfile::tempdir().unwrap();
        PidFile::forget_ready(folder.path()).unwrap();
        fs::write(PidFile::path(folder.path()), STARTED).unwrap();
        PidFile::forget_ready(folder.path()).unwrap();
        assert_eq!(PidFile::read(folder.path()).unwrap(), PidFile::Of { pid: Pid::from_raw(4242), ready: false });
        assert_eq!(fs::read_to_string(PidFile::path(folder.path())).unwrap(), STARTED.replace("ready   \n", ""));
    }

    #[test]
    fn nothing_else_is_taken_for_a_process() {
        for text in ["", "\n", "0\n", "1\n", "-1\n", "x\n", "99999999999\n", "-2147483648\n"] {
            assert_eq!(PidFile::parse(text), PidFile::Garbage, "{text:?}");
        }
    }
}
