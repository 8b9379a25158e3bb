//! From the configuration to a database that is ready: started or reached, migrated as its owner, and behind a pool as the service.

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, Database};
use crate::data_dir::{DataDir, DataDirError};

use super::embedded::{self, Cluster, Durability, EmbeddedError, Options};
use super::hints::Hints;
use super::migrations::{self, Migrated, MigrationError};
use super::pooler::{self, Untracked};
use super::roles::{self, TooMighty};
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
    /// The service's role may do too much.
    #[error(transparent)]
    Role(#[from] TooMighty),
    /// Only the owner of the tables can migrate.
    #[error(
        "database_migration_url is not set: migrations run as the role that owns the tables, which the role of database_url is not to be"
    )]
    NobodyMigrates,
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
            let ready = async {
                let (_, options) = migrate_embedded(&cluster).await?;
                roles::check(&options).await.map_err(unreachable)??;
                Ok::<_, ConnectError>(options)
            };
            let ready = ready.await;
            let (options, cluster) = cluster.or_stopped(ready).await?;
            (with_timeouts(options, limits), None, Some(cluster))
        }
        Database::External { url, direct_url, migration_url, any_role, pooler } => {
            let direct_url = direct_url.as_ref().unwrap_or(url);
            let options = options_of(url).map_err(ConnectError::Url)?;
            let options = if *pooler { options } else { with_timeouts(options, limits) };
            // Before the migrations: their lock belongs to a session, which a pooler would keep.
            pooler::probe(&options).await.map_err(unreachable)??;
            match migration_url {
                Some(migration_url) => {
                    migrate_as(migration_url, &options).await?;
                }
                None if *any_role => {
                    log(migrations::run(&options_of(direct_url).map_err(ConnectError::Url)?, None).await?);
                }
                None => {}
            }
            judge_role(&options, *any_role).await?;
            if migration_url.is_none() && !any_role {
                migrations::check(&options).await?;
            }
            (options, Some(Hints::of(direct_url).map_err(ConnectError::Url)?), None)
        }
    };
    Ok(Connected { pool: Pool::new(options, config.database_connections, config.threads(), limits), hints, cluster })
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
            let migrated = migrate_embedded(&cluster).await;
            let stopped = cluster.stop().await;
            let (migrated, _) = migrated?;
            stopped?;
            Ok(migrated)
        }
        Database::External { url, direct_url, migration_url, any_role, .. } => {
            let owner_url = match migration_url {
                Some(migration_url) => migration_url,
                None if *any_role => direct_url.as_ref().unwrap_or(url),
                None => return Err(ConnectError::NobodyMigrates),
            };
            let owner = options_of(owner_url).map_err(ConnectError::Url)?;
            // A pooler refuses the parameters, and so is found before its session holds the lock.
            pooler::probe(&with_timeouts(owner, &config.limits)).await.map_err(unreachable)??;
            migrate_as(owner_url, &options_of(url).map_err(ConnectError::Url)?).await
        }
    }
}

/// Makes the service's role and brings the schema up to date for it; returns how to connect as it.
pub(super) async fn migrate_embedded(cluster: &Cluster) -> Result<(Migrated, PgConnectOptions), ConnectError> {
    let superuser = cluster.connect_options();
    embedded::make_service_role(&superuser).await.map_err(ConnectError::Unreachable)?;
    let migrated = migrations::run(&superuser, Some(embedded::SERVICE_ROLE)).await?;
    log(migrated);
    Ok((migrated, embedded::as_service(superuser)))
}

/// Brings the schema up to date as its owner, for the role of the service.
async fn migrate_as(owner_url: &SecretString, service: &PgConnectOptions) -> Result<Migrated, ConnectError> {
    let owner = options_of(owner_url).map_err(ConnectError::Url)?;
    let role = roles::name(service).await.map_err(unreachable)?;
    let migrated = migrations::run(&owner, Some(&role)).await?;
    log(migrated);
    Ok(migrated)
}

/// Refuses a role that row-level security does not bind, or says that it does not.
pub(super) async fn judge_role(options: &PgConnectOptions, any_role: bool) -> Result<(), ConnectError> {
    match roles::check(options).await.map_err(unreachable)? {
        Err(mighty) if any_role => {
            tracing::warn!(role = %mighty.role, power = ?mighty.power, "the database does not keep the accounts apart: its role may do too much");
            Ok(())
        }
        judged => Ok(judged?),
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

pub(super) fn cluster_options(config: &Config, data_dir: &DataDir) -> Options {
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

fn log(migrated: Migrated) {
    tracing::info!(applied = migrated.applied, version = migrated.version, "the schema is up to date");
}
