//! A database for a command that works beside the service, or without it.

use std::path::PathBuf;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::config::{Config, Database};
use crate::data_dir::{DataDir, DataDirError};

use super::connect::{ConnectError, cluster_options, judge_role, migrate_embedded};
use super::embedded::{self, Cluster, EmbeddedError};
use super::{Pool, migrations, options_of};

/// Connections of a command.
const CONNECTIONS: u32 = 4;

/// A database that is open for a command. An embedded one that the command has started must be closed.
#[derive(Debug)]
pub struct Opened {
    /// Its connections; no statement on them is cut by a limit of time.
    pub pool: Pool,
    cluster: Option<Cluster>,
    /// Held so that nobody starts the same embedded database.
    _data_dir: Option<DataDir>,
}

/// Why a command cannot open the database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory or the database cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no registry to look at, and none is made by looking.
    #[error(
        "there is no registry in the data directory {}: {} is missing; name the directory that the service uses with --data-dir, or the \
         service's database with --database-url",
        .data_dir.display(),
        .missing.display()
    )]
    NoRegistry {
        /// The directory.
        data_dir: PathBuf,
        /// What would be in it.
        missing: PathBuf,
    },
    /// The service runs, and its database cannot be reached from here.
    #[error(
        "the service runs, and its database does not answer in {}: run this as the user that runs the service, and with the same \
         --data-dir, or stop the service first", .socket_dir.display()
    )]
    Unreachable {
        /// The folder of the database's socket.
        socket_dir: PathBuf,
        /// What came back.
        source: sqlx::Error,
    },
}

/// Whether there is a database to open: an embedded one has been made.
///
/// # Errors
///
/// [`OpenError::NoRegistry`], or when the data directory cannot be looked at.
pub fn is_there(config: &Config) -> Result<(), OpenError> {
    let Database::Embedded { .. } = &config.database else { return Ok(()) };
    let data_dir = config.data_dir.clone();
    let missing = match DataDir::peek(&data_dir) {
        Ok(found) => found.cluster_dir(),
        Err(DataDirError::Missing { path }) => path,
        Err(error) => return Err(ConnectError::from(error).into()),
    };
    // The folder is moved to its place when it is complete. Where it cannot be looked at, opening it says why.
    match missing.join("PG_VERSION").try_exists() {
        Ok(false) => Err(OpenError::NoRegistry { data_dir, missing }),
        _ => Ok(()),
    }
}

/// Opens the database as the service's role. What is not there is not made. An embedded one is started and brought up to date when the service does not run, and reached
/// through its socket when it does; any other must be up to date.
///
/// # Errors
///
/// Why it cannot be opened; nothing is left running then.
pub async fn open(config: &Config) -> Result<Opened, OpenError> {
    is_there(config)?;
    let (options, cluster, data_dir) = match &config.database {
        Database::External { url, any_role, .. } => {
            let options = options_of(url).map_err(ConnectError::Url)?;
            judge_role(&options, *any_role).await?;
            migrations::check(&options).await.map_err(ConnectError::from)?;
            (options, None, None)
        }
        Database::Embedded { .. } => match DataDir::open(&config.data_dir) {
            Ok(data_dir) => {
                let cluster = Cluster::start(cluster_options(config, &data_dir)).await.map_err(ConnectError::from)?;
                let migrated = migrate_embedded(&cluster).await;
                let ((_, options), cluster) = cluster.or_stopped(migrated).await?;
                (options, Some(cluster), Some(data_dir))
            }
            Err(DataDirError::InUse { .. }) => {
                let socket_dir = DataDir::peek(&config.data_dir).map_err(ConnectError::from)?.socket_dir();
                let options = embedded::as_service(embedded::connect_options(&socket_dir));
                let unreachable = |source| OpenError::Unreachable { socket_dir: socket_dir.clone(), source };
                options.connect().await.map_err(unreachable)?.close().await.map_err(unreachable)?;
                migrations::check(&options).await.map_err(ConnectError::from)?;
                (options, None, None)
            }
            Err(error) => return Err(ConnectError::from(error).into()),
        },
    };
    Ok(Opened { pool: Pool::new(options, CONNECTIONS, 0, &config.limits), cluster, _data_dir: data_dir })
}

impl Opened {
    /// Closes the connections, and stops an embedded database that was started for the command.
    ///
    /// # Errors
    ///
    /// When that does not end.
    pub async fn close(self) -> Result<(), EmbeddedError> {
        self.pool.close().await;
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}
