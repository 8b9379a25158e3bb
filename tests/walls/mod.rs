//! The walls between accounts: what the database itself lets nobody see or change, whatever the statements say.
//!
//! `sabotage/run` shows what they are worth: it takes the accounts out of the statements, and the tests of tenants pass all the same.

mod calls;
mod embedded;
mod pool;
mod roles;
mod tables;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use crate::support::TestApp;
use widget_registry::database::embedded::SERVICE_ROLE;

/// The tables of tenants: those whose rows name the account that they belong to.
const TENANT_TABLES: &str = "SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attname = 'account_id' AND NOT a.attisdropped \
     ORDER BY 1";

/// SQLSTATE of what a role may not do; a row that a policy forbids is that, too.
const FORBIDDEN: &str = "42501";

async fn tenant_tables(app: &TestApp) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(TENANT_TABLES).fetch_all(&app.pool).await.unwrap();
    assert!(tables.len() >= 9 && tables.contains(&"installs".to_owned()), "{tables:?}");
    tables
}

/// A connection of the service's role, past the service.
async fn as_service(app: &TestApp) -> PgConnection {
    let options: PgConnectOptions = (*app.pool.connect_options()).clone();
    options.username(SERVICE_ROLE).connect().await.unwrap()
}

/// Runs a statement; the rows that it touched, or the SQLSTATE of its refusal.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<u64, String> {
    match sqlx::query(AssertSqlSafe(statement)).execute(connection).await {
        Ok(done) => Ok(done.rows_affected()),
        Err(sqlx::Error::Database(error)) => Err(error.code().unwrap().into_owned()),
        Err(error) => panic!("{error}"),
    }
}

/// The accounts whose rows a connection sees in a table.
async fn seen(connection: &mut PgConnection, table: &str) -> Vec<i64> {
    let statement = format!("SELECT account_id FROM {table} ORDER BY 1");
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(connection).await.unwrap()
}
