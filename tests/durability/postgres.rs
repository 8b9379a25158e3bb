//! The processes of a PostgreSQL, found by its `postmaster.pid` and signalled by their numbers.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A PostgreSQL, by its data directory.
#[derive(Debug, Clone)]
pub struct Postgres {
    pub cluster_dir: PathBuf,
    pub socket_dir: PathBuf,
}

impl Postgres {
    /// The postmaster; `None` when none runs.
    fn postmaster(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.cluster_dir.join("postmaster.pid")).ok()?;
        let pid: i32 = text.lines().next()?.trim().parse().ok()?;
        (pid > 1 && is_postgres(pid)).then(|| Pid::from_raw(pid))
    }

    /// `pg_ctl -m immediate`: every process ends at once, and nothing is written any more. `false` when none runs.
    pub fn stop_at_once(&self) -> bool {
        self.postmaster().is_some_and(|postmaster| kill(postmaster, Signal::SIGQUIT).is_ok())
    }

    /// `kill -9` of all its processes, the postmaster first, so that it starts no new ones.
    pub fn kill(&self) -> bool {
        let processes = self.processes();
        for process in &processes {
            let _ = kill(*process, Signal::SIGKILL);
        }
        !processes.is_empty()
    }

    /// Stops all its processes; returns them, to be woken by [`wake`].
    pub fn hang(&self) -> Vec<Pid> {
        let processes = self.processes();
        for process in &processes {
            let _ = kill(*process, Signal::SIGSTOP);
        }
        processes
    }

    fn processes(&self) -> Vec<Pid> {
        let Some(postmaster) = self.postmaster() else { return Vec::new() };
        let mut found = vec![postmaster];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            if parent(pid) == Some(postmaster.as_raw()) {
                found.push(Pid::from_raw(pid));
            }
        }
        found
    }
}

/// Lets stopped processes go on.
pub fn wake(processes: &[Pid]) {
    for process in processes {
        let _ = kill(*process, Signal::SIGCONT);
    }
}

fn stat(pid: i32) -> Option<String> {
    fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()
}

fn is_postgres(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.contains("(postgres)"))
}

/// The second field after the name, which stands in brackets.
fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
