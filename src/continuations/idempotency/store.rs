//! The SQL of idempotency keys.

use crate::auth::AccountId;
use crate::database::{Connection, Failure};

/// Claims an idempotency key for a request; `false` when it was claimed within the last 24 hours. A claim that another
/// transaction has not committed yet is waited for.
///
/// # Errors
///
/// When the database fails.
pub async fn claim(connection: &mut Connection, account: AccountId, key: &str, digest: &[u8]) -> Result<bool, Failure> {
    let done = sqlx::query(
        "INSERT INTO idempotency_keys AS k (account_id, key, request_sha256) VALUES ($1, $2, $3) \
         ON CONFLICT ON CONSTRAINT idempotency_keys_pkey \
         DO UPDATE SET request_sha256 = excluded.request_sha256, created_at = excluded.created_at \
         WHERE k.created_at <= excluded.created_at - interval '24 hours'",
    )
    .bind(account.get())
    .bind(key)
    .bind(digest)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The digest of the request that claimed a key.
///
/// # Errors
///
/// When the database fails.
pub async fn claimed_digest(
    connection: &mut Connection,
    account: AccountId,
    key: &str,
) -> Result<Option<Vec<u8>>, Failure> {
    Ok(sqlx::query_scalar("SELECT request_sha256 FROM idempotency_keys WHERE account_id = $1 AND key = $2")
        .bind(account.get())
        .bind(key)
        .fetch_optional(connection)
        .await?)
}

/// Forgets some of the account's keys that are older than 24 hours, so that the table does not grow for ever.
///
/// # Errors
///
/// When the database fails.
pub async fn forget_old(connection: &mut Connection, account: AccountId) -> Result<(), Failure> {
    sqlx::query(
        // Not a subquery, which some plans ask again for each key, and then it finds ten others.
        "WITH old AS (SELECT key FROM idempotency_keys \
           WHERE account_id = $1 AND created_at <= now() - interval '24 hours' ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED) \
         DELETE FROM idempotency_keys k USING old WHERE k.account_id = $1 AND k.key = old.key",
    )
    .bind(account.get())
    .execute(connection)
    .await?;
    Ok(())
}
