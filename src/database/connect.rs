//! From the configuration to a database that is ready: started or reached, migrated, behind a pool.

use crate::config::{Config, Database};
use crate::data_dir::{DataDir, DataDirError};

use super::embedded::{Cluster, Durability, EmbeddedError, Options};
use super::hints::Hints;
use super::migrations::{self, Migrated, MigrationError};
use super::pooler::{self, Untracked};
use super::{Pool, options_of, with_timeouts};

/// Connections that PostgreSQL keeps for others besides the pool: migrations, people.
const SPARE_CONNECTIONS: u32 = 10;

/// The database that the service uses.
#[derive(Debug)]
pub struct Connected {
    /// Its connections.
    pub pool: Pool,
    /// How other servers of the same database are heard; `None` for the embedded one, which has no other.
    pub hints: Option<Hints>,
    /// The embedded database, when it is one.
    pub cluster: Option<Cluster>,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The embedded database does not run.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The URL cannot be used.
    #[error("the database URL cannot be used: {0}")]
    Url(#[source] sqlx::Error),
    /// The database does not answer.
    #[error("the database does not answer: {0}")]
    Unreachable(#[source] sqlx::Error),
    /// There is a pooler, and the configuration does not say so.
    #[error(
        "the database URL leads to a transaction pooler: set database_pooler to true, and database_direct_url to the database itself"
    )]
    UndeclaredPooler,
    /// The pooler mixes up statements.
    #[error(transparent)]
    Pooler(#[from] Untracked),
    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migration(#[from] MigrationError),
}

/// Starts or reaches the database and brings its schema up to date.
///
/// # Errors
///
/// Why it cannot be used; an embedded one is not left running.
pub async fn connect(config: &Config, data_dir: &DataDir) -> Result<Connected, ConnectError> {
    let limits = &config.limits;
    let (options, hints, cluster) = match &config.database {
        Database::Embedded { .. } => {
            let cluster = Cluster::start(cluster_options(config, data_dir)).await?;
            let options = cluster.connect_options();
            migrate(&options).await?;
            (with_timeouts(options, limits), None, Some(cluster))
        }
        Database::External { url, direct_url, pooler } => {
            let direct = options_of(direct_url.as_ref().unwrap_or(url)).map_err(ConnectError::Url)?;
            let options = options_of(url).map_err(ConnectError::Url)?;
            let options = if *pooler { options } else { with_timeouts(options, limits) };
            // Before the migrations: their lock belongs to a session, which a pooler would keep.
            pooler::probe(&options).await.map_err(unreachable)??;
            migrate(&direct).await?;
            let hints = Hints::of(direct_url.as_ref().unwrap_or(url)).map_err(ConnectError::Url)?;
            (options, Some(hints), None)
        }
    };
    Ok(Connected { pool: Pool::new(options, config.database_connections, limits), hints, cluster })
}

/// Applies the migrations that the database lacks, and nothing else.
///
/// # Errors
///
/// When the database does not run or answer, or a migration fails.
pub async fn migrate_only(config: &Config) -> Result<Migrated, ConnectError> {
    match &config.database {
        Database::Embedded { .. } => {
            let data_dir = DataDir::open(&config.data_dir)?;
            let cluster = Cluster::start(cluster_options(config, &data_dir)).await?;
            let migrated = migrations::run(&cluster.connect_options()).await;
            let stopped = cluster.stop().await;
            let migrated = migrated?;
            stopped?;
            Ok(migrated)
        }
        Database::External { url, direct_url, .. } => {
            let direct = options_of(direct_url.as_ref().unwrap_or(url)).map_err(ConnectError::Url)?;
            // A pooler refuses the parameters, and so is found before its session holds the lock.
            pooler::probe(&with_timeouts(direct.clone(), &config.limits)).await.map_err(unreachable)??;
            Ok(migrations::run(&direct).await?)
        }
    }
}

/// A pooler tells itself by refusing the start-up parameters that carry the timeouts.
fn unreachable(error: sqlx::Error) -> ConnectError {
    let refused = |error: &dyn sqlx::error::DatabaseError| error.message().contains("unsupported startup parameter");
    match &error {
        sqlx::Error::Database(from) if refused(from.as_ref()) => ConnectError::UndeclaredPooler,
        _ => ConnectError::Unreachable(error),
    }
}

fn cluster_options(config: &Config, data_dir: &DataDir) -> Options {
    let bin_dir = match &config.database {
        Database::Embedded { bin_dir } => bin_dir.clone(),
        Database::External { .. } => None,
    };
    Options {
        cluster_dir: data_dir.cluster_dir(),
        socket_dir: data_dir.socket_dir(),
        bin_dir,
        durability: Durability::Durable,
        max_connections: config.database_connections + SPARE_CONNECTIONS,
        log: data_dir.database_log(),
    }
}

async fn migrate(options: &sqlx::postgres::PgConnectOptions) -> Result<(), MigrationError> {
    let migrated = migrations::run(options).await?;
    tracing::info!(applied = migrated.applied, version = migrated.version, "the schema is up to date");
    Ok(())
}
