//! The SQL of integrations, a function per statement. Secrets are here as they are stored: sealed.

use std::fmt;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::changes::{Changes, NewIntegration};
use crate::audit::{self, Actor, Change};
use crate::auth::AccountId;
use crate::catalogue::Owner;
use crate::database::{Connection, Failure, Pool, Transaction};
use crate::sealing::Sealed;

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

/// The secrets of an integration as they stand in the database.
pub struct StoredSecrets {
    /// The newest; `None` while there is none.
    pub secret: Option<Vec<u8>>,
    /// The one before.
    pub old_secret: Option<Vec<u8>>,
    /// Whether they are sealed; those of rows that are older than sealing are not yet.
    pub is_sealed: bool,
}

impl StoredSecrets {
    /// The data keys that have sealed them, by account and number.
    #[must_use]
    pub fn keys(&self) -> Vec<(AccountId, i32)> {
        let both = self.secret.iter().chain(&self.old_secret).filter(|_| self.is_sealed);
        both.filter_map(|bytes| Sealed::parse(bytes.clone())?.key()).collect()
    }
}

impl fmt::Debug for StoredSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredSecrets")
    }
}

fn stored_secrets(row: &PgRow) -> Result<StoredSecrets, Failure> {
    Ok(StoredSecrets {
        secret: row.try_get("secret")?,
        old_secret: row.try_get("old_secret")?,
        is_sealed: row.try_get("is_sealed")?,
    })
}

/// Ends a change of an integration; there was none when there is no row.
async fn finish(
    mut transaction: Transaction,
    owner: Owner,
    actor: &Actor,
    change: &Change<'_>,
    row: Option<PgRow>,
) -> Result<Option<Integration>, Failure> {
    let Some(row) = row else { return Ok(None) };
    audit::record(&mut transaction, owner.account, actor, change).await?;
    transaction.commit().await?;
    integration(&row).map(Some)
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
    secret: &[u8],
    actor: &Actor,
) -> Result<Option<Integration>, Failure> {
    let mut transaction = pool.begin_for(owner.account).await?;
    let row = sqlx::query(concat!(
        "INSERT INTO integrations \
         (client_uuid, owner_account_id, owner_user_id, name, redirect_uri, disable_hook, secret, is_sealed, secret_made_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, true, now()) \
         ON CONFLICT ON CONSTRAINT integrations_pkey DO NOTHING RETURNING ",
        integration_columns!()
    ))
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .bind(&new.name)
    .bind(&new.redirect_uri)
    .bind(&new.disable_hook)
    .bind(secret)
    .fetch_optional(&mut *transaction)
    .await?;
    let change = Change::IntegrationCreated { client, members: new.members() };
    finish(transaction, owner, actor, &change, row).await
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
    actor: &Actor,
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
    let change = Change::IntegrationChanged { client, members: changes.members() };
    finish(transaction, owner, actor, &change, row).await
}

/// The secrets of one of the owner's integrations; nobody else changes them until the transaction ends. `None` when the owner has none of
/// that client id.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_owned(
    connection: &mut Connection,
    owner: Owner,
    client: Uuid,
) -> Result<Option<StoredSecrets>, Failure> {
    let row = sqlx::query(
        "SELECT secret, old_secret, is_sealed FROM integrations \
         WHERE client_uuid = $1 AND owner_account_id = $2 AND owner_user_id = $3 FOR NO KEY UPDATE",
    )
    .bind(client)
    .bind(owner.account.get())
    .bind(owner.user.get())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(stored_secrets).transpose()
}

/// Gives an integration a new secret and keeps the one before, as it is to be stored now, valid for some seconds.
///
/// # Errors
///
/// When the database fails.
pub async fn rotate(
    connection: &mut Connection,
    client: Uuid,
    secret: &[u8],
    old: Option<&[u8]>,
    keep_old_seconds: i64,
) -> Result<Integration, Failure> {
    let row = sqlx::query(concat!(
        "UPDATE integrations SET secret = $2, is_sealed = true, secret_made_at = now(), \
         old_secret = CASE WHEN $4::bigint > 0 THEN $3::bytea END, \
         old_secret_until = CASE WHEN $4::bigint > 0 AND $3::bytea IS NOT NULL \
           THEN now() + make_interval(secs => $4::bigint::double precision) END \
         WHERE client_uuid = $1 RETURNING ",
        integration_columns!()
    ))
    .bind(client)
    .bind(secret)
    .bind(old)
    .bind(keep_old_seconds)
    .fetch_one(connection)
    .await?;
    integration(&row)
}

/// The secrets of an integration that are valid now, whoever asks; `None` when it has none, or does not exist.
///
/// # Errors
///
/// When the database fails.
pub async fn valid_secrets(pool: &Pool, client: Uuid) -> Result<Option<StoredSecrets>, Failure> {
    let row = sqlx::query(
        "SELECT secret, CASE WHEN old_secret_until > now() THEN old_secret END AS old_secret, is_sealed \
         FROM integrations WHERE client_uuid = $1 AND secret IS NOT NULL",
    )
    .bind(client)
    .fetch_optional(&mut *pool.catalogue().await?)
    .await?;
    row.as_ref().map(stored_secrets).transpose()
}

/// Integrations with a secret and their owners' accounts, in the order of their client ids, at most `count` after one; only those whose
/// secrets were never sealed, when that is asked for.
///
/// # Errors
///
/// When the database fails.
pub async fn with_secrets(
    pool: &Pool,
    only_unsealed: bool,
    after: Uuid,
    count: i64,
) -> Result<Vec<(Uuid, AccountId)>, Failure> {
    let rows = sqlx::query(
        "SELECT client_uuid, owner_account_id FROM integrations \
         WHERE secret IS NOT NULL AND (NOT is_sealed OR NOT $1) AND client_uuid > $2 ORDER BY client_uuid LIMIT $3",
    )
    .bind(only_unsealed)
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.catalogue().await?)
    .await?;
    rows.iter()
        .map(|row| {
            let client: Uuid = row.try_get("client_uuid")?;
            let corrupt = || Failure::Corrupt {
                table: "integrations",
                row: client.to_string(),
                why: "owner_account_id: no id".to_owned(),
            };
            let account = AccountId::new(row.try_get("owner_account_id")?).ok_or_else(corrupt)?;
            Ok((client, account))
        })
        .collect()
}

/// The secrets of an integration; nobody else changes them until the transaction ends. `None` when it does not exist.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_secrets(connection: &mut Connection, client: Uuid) -> Result<Option<StoredSecrets>, Failure> {
    let row =
        sqlx::query("SELECT secret, old_secret, is_sealed FROM integrations WHERE client_uuid = $1 FOR NO KEY UPDATE")
            .bind(client)
            .fetch_optional(connection)
            .await?;
    row.as_ref().map(stored_secrets).transpose()
}

/// Puts secrets in the place of the same ones, sealed otherwise.
///
/// # Errors
///
/// When the database fails.
pub async fn replace_secrets(
    connection: &mut Connection,
    client: Uuid,
    secret: Option<Vec<u8>>,
    old: Option<Vec<u8>>,
) -> Result<(), Failure> {
    sqlx::query("UPDATE integrations SET secret = $2, old_secret = $3, is_sealed = true WHERE client_uuid = $1")
        .bind(client)
        .bind(secret)
        .bind(old)
        .execute(connection)
        .await?;
    Ok(())
}
