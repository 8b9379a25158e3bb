//! The SQL of webhook secrets. They are here as they are stored: sealed.

use std::fmt;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::auth::AccountId;
use crate::database::{Connection, Failure, Pool};
use crate::sealing::Sealed;

/// The secrets of an account as they stand in the database.
pub struct StoredSecrets {
    /// The present one.
    pub secret: Vec<u8>,
    /// The one before.
    pub previous: Option<Vec<u8>>,
    /// Whether they are sealed; those of rows that are older than sealing are not yet.
    pub is_sealed: bool,
}

impl StoredSecrets {
    /// The data keys that have sealed them, by account and number.
    #[must_use]
    pub fn keys(&self) -> Vec<(AccountId, i32)> {
        let both = std::iter::once(&self.secret).chain(&self.previous).filter(|_| self.is_sealed);
        both.filter_map(|bytes| Sealed::parse(bytes.clone())?.key()).collect()
    }
}

impl fmt::Debug for StoredSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecrets")
    }
}

fn stored(row: &PgRow) -> Result<StoredSecrets, Failure> {
    Ok(StoredSecrets {
        secret: row.try_get("secret")?,
        previous: row.try_get("previous")?,
        is_sealed: row.try_get("is_sealed")?,
    })
}

/// When a secret was made, and until when the one before is in force.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// When the present one was made.
    pub created_at: OffsetDateTime,
    /// Until when the one before is signed with, too.
    pub previous_until: Option<OffsetDateTime>,
}

/// Writes an account's first secret; `None` when it has one.
///
/// # Errors
///
/// When the database fails.
pub async fn create(
    connection: &mut Connection,
    account: AccountId,
    secret: &[u8],
) -> Result<Option<Validity>, Failure> {
    let row = sqlx::query(
        "INSERT INTO webhook_secrets (account_id, secret, is_sealed) VALUES ($1, $2, true) \
         ON CONFLICT ON CONSTRAINT webhook_secrets_pkey DO NOTHING RETURNING created_at, previous_until",
    )
    .bind(account.get())
    .bind(secret)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(validity_of).transpose()
}

/// The account's secrets, in force or not; nobody else changes them until the transaction ends. `None` when it has none.
///
/// # Errors
///
/// When the database fails.
pub async fn lock(connection: &mut Connection, account: AccountId) -> Result<Option<StoredSecrets>, Failure> {
    let row = sqlx::query("SELECT secret, previous, is_sealed FROM webhook_secrets WHERE account_id = $1 FOR UPDATE")
        .bind(account.get())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// Puts a new secret in the place of the account's present one, which stays in force for `keep` as the one before, as it is to be stored
/// now; `None` when it is lost.
///
/// # Errors
///
/// When the database fails.
pub async fn replace(
    connection: &mut Connection,
    account: AccountId,
    secret: &[u8],
    previous: Option<&[u8]>,
    keep: Duration,
) -> Result<Validity, Failure> {
    let row = sqlx::query(
        "UPDATE webhook_secrets SET secret = $2, is_sealed = true, created_at = now(), \
           previous = CASE WHEN $4 > 0 THEN $3::bytea END, \
           previous_until = CASE WHEN $4 > 0 AND $3::bytea IS NOT NULL THEN now() + make_interval(secs => $4) END \
         WHERE account_id = $1 RETURNING created_at, previous_until",
    )
    .bind(account.get())
    .bind(secret)
    .bind(previous)
    .bind(keep.as_secs_f64())
    .fetch_one(connection)
    .await?;
    validity_of(&row)
}

fn validity_of(row: &PgRow) -> Result<Validity, Failure> {
    Ok(Validity { created_at: row.try_get("created_at")?, previous_until: row.try_get("previous_until")? })
}

/// When the account's secret was made; `None` when it has none.
///
/// # Errors
///
/// When the database fails.
pub async fn validity(pool: &Pool, account: AccountId) -> Result<Option<Validity>, Failure> {
    let row = sqlx::query(
        "SELECT created_at, CASE WHEN previous_until > now() THEN previous_until END AS previous_until \
         FROM webhook_secrets WHERE account_id = $1",
    )
    .bind(account.get())
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(validity_of).transpose()
}

/// The account's secrets that are in force; `None` when it has none.
///
/// # Errors
///
/// When the database fails.
pub async fn in_force(pool: &Pool, account: AccountId) -> Result<Option<StoredSecrets>, Failure> {
    let row = sqlx::query(
        "SELECT secret, CASE WHEN previous_until > now() THEN previous END AS previous, is_sealed \
         FROM webhook_secrets WHERE account_id = $1",
    )
    .bind(account.get())
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(stored).transpose()
}

/// The first account after one whose secrets were never sealed; `None` when there is none.
///
/// # Errors
///
/// When the database fails.
pub async fn account_with_unsealed(pool: &Pool, after: i64) -> Result<Option<AccountId>, Failure> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT account_id FROM webhook_secrets WHERE NOT is_sealed AND account_id > $1 ORDER BY account_id LIMIT 1",
    )
    .bind(after)
    .fetch_optional(&mut *pool.begin_across_accounts().await?)
    .await?;
    let corrupt = |id: i64| Failure::Corrupt {
        table: "webhook_secrets",
        row: id.to_string(),
        why: "account_id: no id".to_owned(),
    };
    found.map(|id| AccountId::new(id).ok_or_else(|| corrupt(id))).transpose()
}

/// Puts secrets in the place of the same ones, sealed otherwise.
///
/// # Errors
///
/// When the database fails.
pub async fn replace_same(
    connection: &mut Connection,
    account: AccountId,
    secret: &[u8],
    previous: Option<&[u8]>,
) -> Result<(), Failure> {
    sqlx::query("UPDATE webhook_secrets SET secret = $2, previous = $3, is_sealed = true WHERE account_id = $1")
        .bind(account.get())
        .bind(secret)
        .bind(previous)
        .execute(connection)
        .await?;
    Ok(())
}
