//! The database: connections, migrations, the embedded cluster. Knows no table of any feature.

use std::str::FromStr as _;
use std::time::Duration;

pub use connect::{ConnectError, Connected, connect, migrate_only};
pub use open::{OpenError, Opened, is_there, open};
pub use pool::{Lone, Pool, Transaction};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgSeverity};
pub use writes::{AccountWrites, Ended, Write, Writes, commit, commit_by};

use crate::config::Limits;

mod connect;
pub mod embedded;
pub mod hints;
pub mod migrations;
mod open;
mod pool;
pub mod pooler;
pub mod roles;
mod statements;
mod writes;

/// A connection, or a transaction on one.
pub type Connection = sqlx::PgConnection;

/// Why a statement gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection in time, a statement or a lock that took too long, a database that is down: trying again can help.
    #[error("the database cannot answer now: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Anything else: a fault of ours.
    #[error("the database refused a statement: {0}")]
    Unexpected(#[source] sqlx::Error),
    /// A row that our own types do not accept.
    #[error("{table}, row {row}: {why}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// The column and what is wrong with it.
        why: String,
    },
}

impl Failure {
    /// Whether the database says that it has not done the statement. When it only ended the connection, that is not known.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let (Self::Unavailable(sqlx::Error::Database(from)) | Self::Unexpected(sqlx::Error::Database(from))) = self
        else {
            return false;
        };
        let from = from.try_downcast_ref::<PgDatabaseError>();
        from.is_some_and(|from| matches!(from.severity(), PgSeverity::Error))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        let temporary = match &error {
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => true,
            // Connection lost, login refused, database missing, serialisation, resources, operator's intervention or a timeout;
            // read only after a failover, idle too long, a database that takes no connections, lock not available.
            E::Database(from) => from.code().is_some_and(|code| {
                ["08", "28", "3D", "40", "53", "57"].iter().any(|class| code.starts_with(class))
                    || ["25006", "25P03", "55000", "55P03"].contains(&code.as_ref())
            }),
            _ => false,
        };
        if temporary { Self::Unavailable(error) } else { Self::Unexpected(error) }
    }
}

/// Reads a URL. What it leaves out is taken from the `PG…` variables, as every PostgreSQL client does.
///
/// # Errors
///
/// When it is not a URL of a PostgreSQL database.
pub fn options_of(url: &SecretString) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(PgConnectOptions::from_str(url.expose_secret())?.application_name("widget-registry"))
}

/// The limits that the database itself enforces on every session, as start-up parameters. A transaction pooler refuses these, so
/// behind one the database's administrator sets them on the role.
#[must_use]
pub fn with_timeouts(options: PgConnectOptions, limits: &Limits) -> PgConnectOptions {
    let milliseconds = |time: Duration| time.as_millis();
    options.options([
        ("statement_timeout", milliseconds(limits.statement_time)),
        ("lock_timeout", milliseconds(limits.lock_time)),
        ("idle_in_transaction_session_timeout", milliseconds(limits.idle_transaction_time)),
    ])
}

/// Whether the tables are spread over several machines.
///
/// # Errors
///
/// When the database cannot answer.
pub async fn is_distributed(pool: &Pool) -> Result<bool, Failure> {
    let extension = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')");
    Ok(extension.fetch_one(&mut *pool.catalogue().await?).await?)
}

/// Has something done, whether or not anybody waits for it any more.
///
/// # Errors
///
/// Its own; and that it was not done to its end, because its thread is being stopped.
pub async fn in_any_case<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(sqlx::Error::WorkerCrashed.into()),
        },
    }
}

/// Whether the database answers, for the readiness probe.
///
/// # Errors
///
/// When it does not.
pub async fn answers(pool: &Pool) -> Result<(), Failure> {
    sqlx::query("SELECT 1").execute(&mut *pool.catalogue().await?).await?;
    Ok(())
}
