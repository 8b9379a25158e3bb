//! The role as which the service uses its embedded database. `postgres`, the superuser, only migrates.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Its name.
pub const SERVICE_ROLE: &str = "widget_registry";

/// Makes the role where it is missing, as in a data directory of an older program, and takes away what it must not have.
///
/// # Errors
///
/// When the database fails.
pub async fn make_service_role(superuser: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = superuser.connect().await?;
    for statement in [
        "DO $$ BEGIN \
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'widget_registry') THEN CREATE ROLE widget_registry; END IF; \
         END $$",
        "ALTER ROLE widget_registry LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION",
        // PostgreSQL 14 still lets everybody make tables there.
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    ] {
        sqlx::raw_sql(statement).execute(&mut connection).await?;
    }
    connection.close().await
}

/// The way of the superuser, gone as the service.
#[must_use]
pub fn as_service(superuser: PgConnectOptions) -> PgConnectOptions {
    superuser.username(SERVICE_ROLE)
}
