//! The SQL of webhook secrets.

use std::time::Duration;

use sqlx::Row as _;
use time::OffsetDateTime;

use super::{Secrets, WebhookSecret};
use crate::auth::AccountId;
use crate::database::{Failure, Pool};

/// When a secret was made, and until when the one before is in force.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// When the present one was made.
    pub created_at: OffsetDateTime,
    /// Until when the one before is signed with, too.
    pub previous_until: Option<OffsetDateTime>,
}

/// Puts a new secret in the place of the account's present one, which stays in force for `keep`.
///
/// # Errors
///
/// When the database fails.
pub async fn replace(
    pool: &Pool,
    account: AccountId,
    secret: &WebhookSecret,
    keep: Duration,
) -> Result<Validity, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let row = sqlx::query(
        "INSERT INTO webhook_secrets AS s (account_id, secret) VALUES ($1, $2) \
         ON CONFLICT ON CONSTRAINT webhook_secrets_pkey DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at, \
           previous = CASE WHEN $3 > 0 THEN s.secret END, \
           previous_until = CASE WHEN $3 > 0 THEN excluded.created_at + make_interval(secs => $3) END \
         RETURNING created_at, previous_until",
    )
    .bind(account.get())
    .bind(secret.bytes())
    .bind(keep.as_secs_f64())
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
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
    row.map(|row| {
        Ok(Validity { created_at: row.try_get("created_at")?, previous_until: row.try_get("previous_until")? })
    })
    .transpose()
}

/// The account's secrets that are in force; `None` when it has none.
///
/// # Errors
///
/// When the database fails.
pub async fn in_force(pool: &Pool, account: AccountId) -> Result<Option<Secrets>, Failure> {
    let row = sqlx::query(
        "SELECT secret, CASE WHEN previous_until > now() THEN previous END AS previous FROM webhook_secrets WHERE account_id = $1",
    )
    .bind(account.get())
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let previous: Option<Vec<u8>> = row.try_get("previous")?;
    Ok(Some(Secrets {
        present: WebhookSecret::of_bytes(row.try_get("secret")?),
        previous: previous.map(WebhookSecret::of_bytes),
    }))
}
