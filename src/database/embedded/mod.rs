//! PostgreSQL as a private child: the machine's own programs, a data directory of ours, and a socket that only we reach.
//!
//! [`Cluster::start`] finds the programs, makes the data directory the first time, ends what a killed registry left
//! behind, and waits until PostgreSQL is ready. It survives a `kill -9` of this process, of PostgreSQL and of both:
//! the data is whole, and the next start needs nobody's help.
//!
//! The caller holds the lock of the data directory (`DataDir::open`) for as long as the cluster lives. Without it two
//! processes would end each other's database.

mod binaries;
mod error;
mod initialize;
mod log;
mod orphan;
mod pid_file;
mod postmaster;
mod role;
mod run_as;
mod temporary;

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::time::{Instant, sleep};

pub use binaries::{Binaries, find_binaries};
pub use error::EmbeddedError;
pub use role::{SERVICE_ROLE, as_service, make_service_role};
pub use temporary::Temporary;

use postmaster::Postmaster;
use run_as::RunAs;

/// PostgreSQL's default port, which is only part of the socket's name here.
const PORT: u16 = 5432;

/// What the path of the socket may measure, in bytes.
const SOCKET_PATH_LIMIT: usize = 90;

/// How long processes of a killed PostgreSQL may hold its memory and its lock file.
const GHOST_PATIENCE: Duration = Duration::from_secs(15);

/// What the data of a cluster is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// What is committed survives a power failure.
    Durable,
    /// Fast, and lost with the machine: for tests.
    Throwaway,
}

/// How to run a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data directory. Made by the first start; a folder `<name>.new` beside it is ours too.
    pub cluster_dir: PathBuf,
    /// The folder of the socket, made if missing, open to nobody else; `<folder>/.s.PGSQL.5432` must stay under 90 bytes.
    pub socket_dir: PathBuf,
    /// The folder of PostgreSQL's programs; without it they are searched.
    pub bin_dir: Option<PathBuf>,
    /// What the data is worth.
    pub durability: Durability,
    /// How many connections PostgreSQL accepts; pools must stay below.
    pub max_connections: u32,
    /// The file that PostgreSQL's messages are appended to; put aside as `<file>.1` above 8 MiB at a start.
    pub log: PathBuf,
}

/// Everything that is decided once, before the first start.
#[derive(Debug, Clone)]
struct Site {
    binaries: Binaries,
    run_as: RunAs,
    setpriv: Option<PathBuf>,
    cluster_dir: PathBuf,
    socket_dir: PathBuf,
    durability: Durability,
    max_connections: u32,
    log: PathBuf,
}

/// A running PostgreSQL. Dropping it asks PostgreSQL to end without waiting; [`Cluster::stop`] waits.
#[derive(Debug)]
pub struct Cluster {
    site: Site,
    postmaster: Postmaster,
}

impl Cluster {
    /// Starts PostgreSQL and returns when it accepts connections: seconds the first time, later well under one, longer
    /// after a crash. Must run in a Tokio runtime, which may end before the cluster does.
    ///
    /// # Errors
    /// Every [`EmbeddedError`] but [`EmbeddedError::Died`]; each says what to do.
    pub async fn start(options: Options) -> Result<Self, EmbeddedError> {
        // Starting programs and initdb block; the thread must stay until initdb ends, and here it does.
        let prepared = tokio::task::spawn_blocking(move || Site::prepare(options)).await;
        let site = prepared.map_err(|_| EmbeddedError::Interrupted)??;
        let postmaster = launch(&site).await?;
        Ok(Self { site, postmaster })
    }

    /// How to connect as the superuser `postgres` to the database `postgres`. Nothing in it comes from the environment.
    #[must_use]
    pub fn connect_options(&self) -> PgConnectOptions {
        connect_options(&self.site.socket_dir)
    }

    /// Resolves when PostgreSQL ends without having been told to, with [`EmbeddedError::Died`]. Safe to cancel and to
    /// call again; after the end it resolves at once, until [`Cluster::restart`].
    pub async fn exited(&mut self) -> EmbeddedError {
        self.postmaster.end().await
    }

    /// Starts PostgreSQL again after [`Cluster::exited`], on the same socket. One that still runs is ended first. How
    /// often to try is the caller's decision.
    ///
    /// # Errors
    /// As [`Cluster::start`].
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        self.postmaster.stop().await?;
        self.postmaster = launch(&self.site).await?;
        Ok(())
    }

    /// With what came of a step of using it: when that failed, PostgreSQL is ended and waited for.
    ///
    /// # Errors
    ///
    /// The error of the step.
    pub async fn or_stopped<T, E>(self, outcome: Result<T, E>) -> Result<(T, Self), E> {
        match outcome {
            Ok(value) => Ok((value, self)),
            Err(error) => {
                if let Err(why) = self.stop().await {
                    tracing::error!(error = %why, "the embedded database does not end");
                }
                Err(error)
            }
        }
    }

    /// Ends PostgreSQL and waits for that: SIGINT cuts the connections and writes a checkpoint, SIGQUIT follows after
    /// 20 s and leaves the recovery to the next start, SIGKILL after another 10 s.
    ///
    /// # Errors
    /// [`EmbeddedError::DoesNotEnd`] when not even that ends it.
    pub async fn stop(mut self) -> Result<(), EmbeddedError> {
        self.postmaster.stop().await?;
        // Only a folder that is empty goes.
        let _ = fs::remove_dir(&self.site.socket_dir);
        Ok(())
    }
}

/// How to connect to the embedded database whose socket is in this folder, whoever runs it: as the superuser `postgres` to the database
/// `postgres`. Nothing in it comes from the environment.
#[must_use]
pub fn connect_options(socket_dir: &Path) -> PgConnectOptions {
    // Every field is set, because the driver fills them from PGHOST, PGPASSWORD, PGSSLMODE and the like. What
    // cannot be unset has no effect here: certificates without TLS; PGOPTIONS is refused by `start`.
    PgConnectOptions::new_without_pgpass()
        .host("localhost")
        .port(PORT)
        .socket(socket_dir)
        .username("postgres")
        .password("")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .application_name("widget-registry")
        .statement_cache_capacity(100)
        .extra_float_digits(None)
}

impl Site {
    /// Decides with what and as whom to run, and makes the folders and, the first time, the data.
    fn prepare(options: Options) -> Result<Self, EmbeddedError> {
        if std::env::var_os("PGOPTIONS").is_some_and(|value| !value.is_empty()) {
            return Err(EmbeddedError::SessionOptions);
        }
        let cluster_dir = absolute(&options.cluster_dir)?;
        let socket_dir = absolute(&options.socket_dir)?;
        if socket_dir.join(format!(".s.PGSQL.{PORT}")).as_os_str().len() >= SOCKET_PATH_LIMIT {
            return Err(EmbeddedError::SocketPathTooLong { dir: socket_dir });
        }
        let major = initialize::existing_major(&cluster_dir)?;
        let binaries = find_binaries(options.bin_dir.as_deref(), major, std::env::var_os("PATH").as_deref())?;
        let run_as = RunAs::choose(&cluster_dir)?;
        for folder in [&cluster_dir, &socket_dir] {
            run_as.can_enter(folder.parent().unwrap_or(folder))?;
        }
        let setpriv = postmaster::find_setpriv(&run_as, &binaries.postgres());
        let (durability, max_connections, log) = (options.durability, options.max_connections, options.log);
        let site = Self { binaries, run_as, setpriv, cluster_dir, socket_dir, durability, max_connections, log };
        site.prepare_socket_dir()?;
        match major {
            Some(_) => site.run_as.give_all(&site.cluster_dir)?,
            None => initialize::initialize(&site)?,
        }
        Ok(site)
    }

    /// Makes the folder of the socket, or takes over the one that is there, if nobody else can have put it there.
    fn prepare_socket_dir(&self) -> Result<(), EmbeddedError> {
        let dir = &self.socket_dir;
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(EmbeddedError::io("make", dir)(error));
            }
            _ => {}
        }
        let found = fs::symlink_metadata(dir).map_err(EmbeddedError::io("examine", dir))?;
        if !found.is_dir() || !self.run_as.trusts_owner(found.uid()) {
            return Err(EmbeddedError::SocketDirTaken { dir: dir.clone() });
        }
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(EmbeddedError::io("protect", dir))?;
        self.run_as.give(dir)
    }

    /// Removes the socket of an earlier run. Its lock file holds a process number that may be somebody else's by now.
    fn remove_old_socket(&self) -> Result<(), EmbeddedError> {
        for name in [format!(".s.PGSQL.{PORT}.lock"), format!(".s.PGSQL.{PORT}")] {
            let path = self.socket_dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(EmbeddedError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Starts PostgreSQL on prepared ground. Processes of a killed one may need a moment to let go of its memory.
async fn launch(site: &Site) -> Result<Postmaster, EmbeddedError> {
    let until = Instant::now() + GHOST_PATIENCE;
    loop {
        orphan::clear_the_way(&site.cluster_dir).await?;
        site.remove_old_socket()?;
        let mut postmaster = Postmaster::spawn(site).await?;
        match postmaster.ready(&site.cluster_dir).await {
            Ok(()) => return Ok(postmaster),
            Err(EmbeddedError::Start { tail, .. }) if held_by_ghosts(&tail) && Instant::now() < until => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn held_by_ghosts(tail: &str) -> bool {
    tail.contains("pre-existing shared memory block") || (tail.contains("lock file") && tail.contains("already exists"))
}

/// The path without links. The folder itself may be missing; the one above it is made.
fn absolute(path: &Path) -> Result<PathBuf, EmbeddedError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(EmbeddedError::io("use as a folder", path)(io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    fs::create_dir_all(parent).map_err(EmbeddedError::io("make", parent))?;
    Ok(fs::canonicalize(parent).map_err(EmbeddedError::io("find", parent))?.join(name))
}
