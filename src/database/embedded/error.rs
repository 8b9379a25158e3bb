//! Every way in which the embedded database can fail, each with what to do about it.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// Why the embedded database does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable PostgreSQL on this machine.
    #[error("{NO_BINARIES}")]
    NoBinaries,
    /// The folder from the setting does not hold a usable PostgreSQL.
    #[error("{} holds no PostgreSQL: programs named postgres and initdb that run are expected there; correct the setting --postgres-bin", .dir.display())]
    NotBinaries {
        /// The folder from the setting.
        dir: PathBuf,
    },
    /// The folder from the setting holds a PostgreSQL that is too old.
    #[error("{} holds PostgreSQL {major}, but 14 or newer is needed; name another folder with --postgres-bin", .dir.display())]
    TooOld {
        /// The folder.
        dir: PathBuf,
        /// Its major version.
        major: u32,
    },
    /// The data on disk belongs to a major version that was not found.
    #[error(
        "the data was written by PostgreSQL {wanted}, which only PostgreSQL {wanted} can read, and {}; install PostgreSQL {wanted} again, or name its folder with --postgres-bin",
        found_majors(.found)
    )]
    MajorMissing {
        /// The version of the data.
        wanted: u32,
        /// The versions that were found.
        found: Vec<u32>,
    },
    /// Running as root, and no other user is there to run PostgreSQL, which refuses root.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user named postgres nor one named nobody: make one, or start the server as another user"
    )]
    NoUser,
    /// The user that PostgreSQL runs as cannot enter a folder.
    #[error("PostgreSQL runs as the user {user}, who cannot enter {}, on the way to {}: choose a data directory outside of it, for example /var/lib/widget-registry", .blocker.display(), .dir.display())]
    NotTraversable {
        /// The folder that PostgreSQL needs.
        dir: PathBuf,
        /// The folder on the way that is closed.
        blocker: PathBuf,
        /// The user.
        user: String,
    },
    /// There is something else where the database's data belongs.
    #[error("{} is not empty and not a PostgreSQL data directory: move it away, or choose another data directory", .dir.display())]
    NotACluster {
        /// The folder.
        dir: PathBuf,
    },
    /// Somebody else owns the folder of the socket: they could pose as the database.
    #[error("{} belongs to somebody else, so the database's socket is not safe there: remove it, or choose a data directory with a shorter path", .dir.display())]
    SocketDirTaken {
        /// The folder.
        dir: PathBuf,
    },
    /// The system limits the length of a socket's path.
    #[error("the path of the socket folder {} is too long for a socket: choose a data directory with a shorter path", .dir.display())]
    SocketPathTooLong {
        /// The folder.
        dir: PathBuf,
    },
    /// `PGOPTIONS` would change every session, and the database driver cannot be told to ignore it.
    #[error(
        "the environment variable PGOPTIONS is set, which would change every session of the embedded database: unset it"
    )]
    SessionOptions,
    /// The system refused a file or folder.
    #[error("cannot {action} {}: check its owner and permissions, and whether the disk is full", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A program could not be run at all.
    #[error("cannot run {}: check that the file is there and may be executed", .program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// `initdb` failed.
    #[error("PostgreSQL could not prepare its data directory {} ({status}); it said:\n{output}", .dir.display())]
    Initdb {
        /// The folder.
        dir: PathBuf,
        /// How it ended.
        status: String,
        /// Its last lines.
        output: String,
    },
    /// The database ended before it was ready.
    #[error("the embedded PostgreSQL did not start ({status}); the last lines of {}:\n{tail}", .log.display())]
    Start {
        /// How it ended.
        status: String,
        /// Where the whole log is.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The database is alive but does not get ready.
    #[error("the embedded PostgreSQL was not ready after {minutes} minutes; the last lines of {}:\n{tail}", .log.display())]
    NotReady {
        /// How long it was given.
        minutes: u64,
        /// Where the whole log is.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The database ended by itself while it was in use.
    #[error("the embedded PostgreSQL ended by itself ({status}); the last lines of {}:\n{tail}", .log.display())]
    Died {
        /// How it ended.
        status: String,
        /// Where the whole log is.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// Not even SIGKILL ended the database.
    #[error(
        "PostgreSQL (process {pid}) does not end, not even when killed: its disk may hang; look at that process before starting again"
    )]
    DoesNotEnd {
        /// The process.
        pid: i32,
    },
    /// The orphan of an earlier run belongs to another user.
    #[error(
        "PostgreSQL (process {pid}) still runs on this data directory for another user and cannot be ended: stop that process first, or start as the user who started it"
    )]
    NotOurs {
        /// The process.
        pid: i32,
        /// The system's answer.
        source: io::Error,
    },
    /// The runtime ended during the start.
    #[error("the start of the embedded PostgreSQL was interrupted: start again")]
    Interrupted,
    /// The watchdog of a temporary database did not start.
    #[error("the watchdog of the temporary database did not start: /bin/sh and mkdir are needed")]
    Watchdog,
}

impl EmbeddedError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

const NO_BINARIES: &str = "\
no PostgreSQL (14 or newer) was found on this machine. Four ways out:
  - use a database that runs elsewhere: give its URL, for example DATABASE_URL=postgres://user@host/database
  - install PostgreSQL: `apt-get install postgresql`, `dnf install postgresql-server` or `brew install postgresql@17`
  - run the registry with Docker Compose, which brings a database: `docker compose up`
  - if PostgreSQL is installed in an unusual place, name the folder of its programs: --postgres-bin DIR";

fn found_majors(found: &[u32]) -> String {
    let mut text = String::from("this machine has ");
    match found {
        [] => text.push_str("none"),
        [first, rest @ ..] => {
            text.push_str(&first.to_string());
            for major in rest {
                // Writing to a String cannot fail.
                let _ = write!(text, ", {major}");
            }
        }
    }
    text
}
