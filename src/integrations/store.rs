//! The SQL of integrations, a function per statement.
//!
//! Secrets enter the database through `stored` and leave it through `read`, and nowhere else.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::ValidSecrets;
use super::changes::{Changes, NewIntegration};
use crate::catalogue::Owner;
use crate::database::{Failure, Pool};

/// An integration as its owner sees it.
#[derive(Debug)]
pub struct Integration {
    /// Its client id.
    pub client_uuid: Uuid,
    /// As people know it; `None` while it is only claimed.
    pub name: Option<String>,
    /// Where OAuth sends its users back to.
    pub redirect_uri: Option<String>,
    /// What is called when it is disabled in an account.
    pub disable_hook: Option<String>,
    /// When it was made or claimed.
    pub created_at: OffsetDateTime,
    /// When its newest secret was made; `None` while it has none.
    pub secret_made_at: Option<OffsetDateTime>,
    /// Until when the secret before is valid; `None` when none is.
    pub old_secret_until: Option<OffsetDateTime>,
}

/// Where a page of a list ends: what stands in its last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// When the integration was made.
    pub created_at: OffsetDateTime,
    /// Its client id.
    pub client_uuid: Uuid,
}

/// The columns that [`integration`] reads.
macro_rules! integration_columns {
    () => {
        "client_uuid, name, redirect_uri, disable_hook, created_at, secret_made_at, \
         CASE WHEN old_secret_until > now() THEN old_secret_until END AS old_secret_until"
    };
}

fn integration(row: &PgRow) -> Result<Integration, Failure> {
    Ok(Integration {
        client_uuid: row.try_get("client_uuid")?,
        name: row.try_get("name")?,
        redirect_uri: row.try_get("redirect_uri")?,
        disable_hook: row.try_get("disable_hook")?,
        created_at: row.try_get("created_at")?,
        secret_made_at: row.try_get("secret_made_at")?,
        old_secret_until: row.try_get("old_secret_until")?,
    })
}

/// A secret as it stands in the database.
fn stored(secret: &SecretString) -> &[u8] {
    secret.expose_secret().as_bytes()
}

/// A secret as it was before it was stored.
fn read(bytes: Vec<u8>, client: Uuid) -> Result<SecretString, Failure> {
    String::from_utf8(bytes).map(SecretString::from).map_err(|_| Failure::Corrupt {
        table: "integrations",
        row: client.to_string(),
        why: "secret: not a text".to_owned(),
    })
}

/// Writes a new integration; `None` when its client id is taken.
///
/// # Errors
///
/// When the database fails.
pub async fn create(
    pool: &Pool,
    owner: Owner,
    client: Uuid,
    new: &NewIntegration,
    secret: &SecretString,
) -> Result<Option<Integration>, Failure> {
    let mut transaction = pool.begin_for(owner.account).await?;
    let row = sqlx::query(concat!(
        "INSERT INTO integrations \
         (client_uuid, owner_account_id, owner_user_id, name, redirect_uri, disable_hook, secret, secret_made_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, now()) \
         ON CONFLICT ON CONSTRAINT integrations_pkey DO NOTHING RETURNING ",
        integration_columns!()
    ))
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(&new.name)
    .bind(&new.redirect_uri)
    .bind(&new.disable_hook)
    .bind(stored(secret))
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    row.as_ref().map(integration).transpose()
}

/// The owner's integrations, the latest made first, at most `count`; after that place.
///
/// # Errors
///
/// When the database fails.
pub async fn list(pool: &Pool, owner: Owner, after: Option<Place>, count: i64) -> Result<Vec<Integration>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        integration_columns!(),
        " FROM integrations WHERE owner_account_id = $1 AND owner_user_id = $2 \
         AND ($3::timestamptz IS NULL OR (created_at, client_uuid) < ($3, $4::uuid)) \
         ORDER BY created_at DESC, client_uuid DESC LIMIT $5"
    ))
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(after.map(|place| place.created_at))
    .bind(after.map(|place| place.client_uuid))
    .bind(count)
    .fetch_all(&mut *pool.catalogue().await?)
    .await?;
    rows.iter().map(integration).collect()
}

/// One of the owner's integrations.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, owner: Owner, client: Uuid) -> Result<Option<Integration>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        integration_columns!(),
        " FROM integrations WHERE client_uuid = $1 AND owner_account_id = $2 AND owner_user_id = $3"
    ))
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .fetch_optional(&mut *pool.catalogue().await?)
    .await?;
    row.as_ref().map(integration).transpose()
}

/// Changes one of the owner's integrations; `None` when the owner has none of that client id.
///
/// # Errors
///
/// When the database fails.
pub async fn change(
    pool: &Pool,
    owner: Owner,
    client: Uuid,
    changes: &Changes,
) -> Result<Option<Integration>, Failure> {
    let mut transaction = pool.begin_for(owner.account).await?;
    let row = sqlx::query(concat!(
        "UPDATE integrations SET name = coalesce($4, name), \
         redirect_uri = CASE WHEN $5 THEN $6 ELSE redirect_uri END, \
         disable_hook = CASE WHEN $7 THEN $8 ELSE disable_hook END \
         WHERE client_uuid = $1 AND owner_account_id = $2 AND owner_user_id = $3 RETURNING ",
        integration_columns!()
    ))
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(&changes.name)
    .bind(changes.redirect_uri.is_some())
    .bind(changes.redirect_uri.as_ref().and_then(Option::as_ref))
    .bind(changes.disable_hook.is_some())
    .bind(changes.disable_hook.as_ref().and_then(Option::as_ref))
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    row.as_ref().map(integration).transpose()
}

/// Gives one of the owner's integrations a new secret and keeps the one before valid for some seconds; `None` when the owner has none
/// of that client id.
///
/// # Errors
///
/// When the database fails.
pub async fn rotate(
    pool: &Pool,
    owner: Owner,
    client: Uuid,
    secret: &SecretString,
    keep_old_seconds: i64,
) -> Result<Option<Integration>, Failure> {
    let mut transaction = pool.begin_for(owner.account).await?;
    let row = sqlx::query(concat!(
        "UPDATE integrations SET secret = $4, secret_made_at = now(), \
         old_secret = CASE WHEN $5::bigint > 0 THEN secret END, \
         old_secret_until = CASE WHEN $5::bigint > 0 AND secret IS NOT NULL \
           THEN now() + make_interval(secs => $5::bigint::double precision) END \
         WHERE client_uuid = $1 AND owner_account_id = $2 AND owner_user_id = $3 RETURNING ",
        integration_columns!()
    ))
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(stored(secret))
    .bind(keep_old_seconds)
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    row.as_ref().map(integration).transpose()
}

/// The secrets of an integration that are valid now, whoever asks; `None` when it has none, or does not exist.
///
/// # Errors
///
/// When the database fails.
pub async fn valid_secrets(pool: &Pool, client: Uuid) -> Result<Option<ValidSecrets>, Failure> {
    let row = sqlx::query(
        "SELECT secret, CASE WHEN old_secret_until > now() THEN old_secret END AS old_secret \
         FROM integrations WHERE client_uuid = $1 AND secret IS NOT NULL",
    )
    .bind(client)
    .fetch_optional(&mut *pool.catalogue().await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let old: Option<Vec<u8>> = row.try_get("old_secret")?;
    Ok(Some(ValidSecrets {
        newest: read(row.try_get("secret")?, client)?,
        old: old.map(|bytes| read(bytes, client)).transpose()?,
    }))
}

/// The secret that an integration's messages are signed with: the newest. `None` when it has none, or does not exist.
///
/// # Errors
///
/// When the database fails.
pub async fn signing_secret(pool: &Pool, client: Uuid) -> Result<Option<SecretString>, Failure> {
    Ok(valid_secrets(pool, client).await?.map(|secrets| secrets.newest))
}
