//! Brings the schema to the version of this program. Several programs may start at once; a newer schema is refused.

use refinery_core::traits::r#async::{AsyncMigrate, AsyncQuery, AsyncTransaction};
use refinery_core::{Migration, SchemaVersion};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{roles, statements};

use embedded_scripts::migrations;

mod embedded_scripts {
    refinery::embed_migrations!("migrations");
}

/// The advisory lock of everybody who migrates: "widgets" in ASCII.
const LOCK: i64 = 0x77_69_64_67_65_74_73;

/// Where refinery writes down what it has applied.
const HISTORY: &str = "refinery_schema_history";

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// No connection, or a statement failed outside the migrations.
    #[error("the database could not be prepared: {0}")]
    Database(#[from] sqlx::Error),
    /// A newer program has been here.
    #[error(
        "the database has schema version {found}, but this program knows only up to {known}: \
         start a newer widget-registry, or restore the database from before its upgrade"
    )]
    Newer {
        /// The database's version.
        found: SchemaVersion,
        /// Ours.
        known: SchemaVersion,
    },
    /// The role may not migrate, and somebody must.
    #[error(
        "the schema has {}, and this program needs version {known}: set database_migration_url to the URL of the role that owns the tables \
         (in a new database: of one that may make them), here or for `widget-registry migrate`; the role of database_url is not to own them",
        .found.map_or_else(|| "no version that this role can see".to_owned(), |found| format!("version {found}"))
    )]
    Outdated {
        /// The database's version.
        found: Option<SchemaVersion>,
        /// Ours.
        known: SchemaVersion,
    },
    /// A migration failed and was rolled back, or the history does not fit.
    #[error("the schema could not be brought to version {known}: {source}")]
    Failed {
        /// The version it was to reach.
        known: SchemaVersion,
        /// Why.
        #[source]
        source: refinery::Error,
    },
}

/// What a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// Migrations applied now.
    pub applied: usize,
    /// The schema's version.
    pub version: SchemaVersion,
}

/// The version that this program's schema has.
#[must_use]
pub fn known_version() -> SchemaVersion {
    migrations::runner().get_migrations().iter().map(Migration::version).max().unwrap_or(0)
}

/// A text that changes with every change of a migration; names the template database of the tests.
#[must_use]
pub fn fingerprint() -> String {
    migrations::runner()
        .get_migrations()
        .iter()
        .fold(String::new(), |text, migration| format!("{text}{:x}", migration.checksum()))
}

/// Applies what is missing, on one direct connection and under a lock that the others wait for, and grants a role the use of it.
///
/// # Errors
///
/// When the database is newer than this program, does not answer, or refuses a statement; a migration is applied whole or not.
pub async fn run(options: &PgConnectOptions, service_role: Option<&str>) -> Result<Migrated, MigrationError> {
    let mut connection = options.clone().extra_float_digits(None).connect().await?;
    // Limits of the role are for requests: the lock is waited for, and a migration takes the time that it takes.
    for setting in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        sqlx::query("SELECT set_config($1, '0', false)").bind(setting).execute(&mut connection).await?;
    }
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    let outcome = apply_and_grant(&mut connection, service_role).await;
    // A dead connection has lost the lock with its session; any other must give it back, for a session can outlive us in a pooler.
    let released = sqlx::query("SELECT pg_advisory_unlock($1)").bind(LOCK).execute(&mut connection).await;
    let migrated = outcome?;
    released?;
    connection.close().await?;
    Ok(migrated)
}

/// Whether the schema is as this program needs it, for a role that does not migrate.
///
/// # Errors
///
/// When it is older or newer, or the database fails.
pub async fn check(options: &PgConnectOptions) -> Result<(), MigrationError> {
    let mut connection = options.clone().extra_float_digits(None).connect().await?;
    let found = schema_version(&mut connection).await?;
    connection.close().await?;
    match (found, known_version()) {
        (Some(found), known) if found == known => Ok(()),
        (Some(found), known) if found > known => Err(MigrationError::Newer { found, known }),
        (found, known) => Err(MigrationError::Outdated { found, known }),
    }
}

async fn apply_and_grant(
    connection: &mut PgConnection,
    service_role: Option<&str>,
) -> Result<Migrated, MigrationError> {
    let migrated = apply(connection).await?;
    if let Some(role) = service_role {
        roles::grant(connection, role, HISTORY).await?;
    }
    Ok(migrated)
}

async fn apply(connection: &mut PgConnection) -> Result<Migrated, MigrationError> {
    let known = known_version();
    let found = schema_version(connection).await?;
    if let Some(found) = found.filter(|found| *found > known) {
        return Err(MigrationError::Newer { found, known });
    }
    let runner = migrations::runner();
    let report = Driver(connection)
        .migrate(runner.get_migrations(), true, true, false, refinery::Target::Latest, HISTORY)
        .await
        .map_err(|source| MigrationError::Failed { known, source })?;
    Ok(Migrated { applied: report.applied_migrations().len(), version: known })
}

/// The schema's version; `None` before the first migration, and for a role that may not know it.
async fn schema_version(connection: &mut PgConnection) -> Result<Option<SchemaVersion>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar(
        "SELECT coalesce(has_table_privilege(to_regclass('refinery_schema_history'), 'SELECT'), false)",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT max(version) FROM refinery_schema_history").fetch_one(connection).await
}

/// Lets refinery speak through a sqlx connection.
struct Driver<'a>(&'a mut PgConnection);

impl AsyncTransaction for Driver<'_> {
    type Error = sqlx::Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, sqlx::Error> {
        // Migrations change the rows of every account, and row-level security binds the tables' owner, too.
        let mut transaction = self.0.begin_with("BEGIN; SET LOCAL widget_registry.all_accounts = 'on'").await?;
        let mut count = 0;
        for statement in queries.flat_map(statements::split) {
            // The text is a migration of this program or refinery's own record of it.
            sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *transaction).await?;
            count += 1;
        }
        transaction.commit().await?;
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Driver<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, sqlx::Error> {
        let rows = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_all(&mut *self.0).await?;
        rows.into_iter()
            .map(|row| {
                let decode = |why: &dyn std::fmt::Display| sqlx::Error::Decode(format!("{HISTORY}: {why}").into());
                let applied_on =
                    OffsetDateTime::parse(row.try_get("applied_on")?, &Rfc3339).map_err(|why| decode(&why))?;
                let checksum: String = row.try_get("checksum")?;
                let checksum = checksum.parse().map_err(|why| decode(&why))?;
                Ok(Migration::applied(row.try_get("version")?, row.try_get("name")?, applied_on, checksum))
            })
            .collect()
    }
}

impl AsyncMigrate for Driver<'_> {}
