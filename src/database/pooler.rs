//! Finds out whether a pooler between us and the database keeps prepared statements apart.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

/// The pooler gives one session's prepared statements to another: wrong answers without an error.
#[derive(Debug, thiserror::Error)]
#[error(
    "the pooler before the database does not track prepared statements, so statements would run in another's place: \
     use PgBouncer 1.21 or newer with max_prepared_statements above 0, or connect directly"
)]
pub struct Untracked;

/// Prepares, on two connections, two texts under the same name, and asks each connection in turn for its own.
///
/// # Errors
///
/// [`Untracked`] when a connection answers with the other's text or is refused; errors of the database itself pass through.
pub async fn probe(options: &PgConnectOptions) -> Result<Result<(), Untracked>, sqlx::Error> {
    let options = options.clone().extra_float_digits(None);
    let mut first = options.connect().await?;
    let mut second = options.connect().await?;
    for _ in 0..4 {
        let answers = (one(&mut first).await, two(&mut second).await);
        match answers {
            (Ok(1), Ok(2)) => {}
            (Err(error), _) | (_, Err(error)) if !is_about_statements(&error) => return Err(error),
            _ => return Ok(Err(Untracked)),
        }
    }
    first.close().await?;
    second.close().await?;
    Ok(Ok(()))
}

// sqlx names the first statement of every connection alike.
async fn one(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT 1").fetch_one(connection).await
}

async fn two(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT 2").fetch_one(connection).await
}

/// Duplicate, unknown or mismatching prepared statement.
fn is_about_statements(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => matches!(error.code().as_deref(), Some("42P05" | "26000" | "08P01")),
        _ => false,
    }
}
