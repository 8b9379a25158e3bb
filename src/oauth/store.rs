//! The SQL of grants, a function per statement. A token is never stored, only its digest.

use sqlx::Row as _;
use uuid::Uuid;

use super::Basis;
use crate::auth::{AccountId, UserId};
use crate::catalogue::Owner;
use crate::database::{Connection, Failure};
use crate::digest::Sha256;

/// What became of one grant.
#[derive(Debug)]
pub struct Family {
    /// The account in which it counts.
    pub account: AccountId,
    /// Its id.
    pub id: Uuid,
    /// The integration.
    pub client: Uuid,
    /// In whose name its tokens act.
    pub user: UserId,
    /// Why they may.
    pub basis: Basis,
    /// Of the integration's secret that it was begun with.
    pub secret: Sha256,
}

/// The owner of an integration; `None` when it does not exist.
///
/// # Errors
///
/// When the database fails.
pub async fn owner(connection: &mut Connection, client: Uuid) -> Result<Option<Owner>, Failure> {
    let row = sqlx::query("SELECT owner_account_id, owner_user_id FROM integrations WHERE client_uuid = $1")
        .bind(client)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let ids = (AccountId::new(row.try_get("owner_account_id")?), UserId::new(row.try_get("owner_user_id")?));
    match ids {
        (Some(account), Some(user)) => Ok(Some(Owner { account, user })),
        _ => Err(Failure::Corrupt {
            table: "integrations",
            row: client.to_string(),
            why: "owner: an id is not positive".to_owned(),
        }),
    }
}

/// Who has installed a widget of the integration in the account, the first of them; `None` when nobody has.
///
/// # Errors
///
/// When the database fails.
pub async fn installer(
    connection: &mut Connection,
    account: AccountId,
    client: Uuid,
) -> Result<Option<UserId>, Failure> {
    let user: Option<i64> = sqlx::query_scalar(
        "SELECT i.installed_by_user_id FROM installs i JOIN widgets w ON w.id = i.widget_id \
         WHERE i.account_id = $1 AND w.client_uuid = $2 ORDER BY i.installed_at, i.widget_id LIMIT 1",
    )
    .bind(account.get())
    .bind(client)
    .fetch_optional(connection)
    .await?;
    Ok(user.and_then(UserId::new))
}

/// Begins a family with the digest of its first token, which is good for three months.
///
/// # Errors
///
/// When the database fails.
pub async fn begin(connection: &mut Connection, family: &Family, token: Sha256) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO refresh_families (account_id, id, client_uuid, user_id, basis, secret_sha256, token_sha256, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, now() + interval '3 months')",
    )
    .bind(family.account.get())
    .bind(family.id)
    .bind(family.client)
    .bind(family.user.get())
    .bind(family.basis.as_str())
    .bind(family.secret.0)
    .bind(token.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the integration's oldest families in the account, so that `keep` are left.
///
/// # Errors
///
/// When the database fails.
pub async fn keep_newest(
    connection: &mut Connection,
    account: AccountId,
    client: Uuid,
    keep: i64,
) -> Result<(), Failure> {
    // There are hardly more than those that are kept, so passing over them is cheap.
    sqlx::query(
        "DELETE FROM refresh_families WHERE account_id = $1 AND id IN ( \
           SELECT id FROM refresh_families WHERE account_id = $1 AND client_uuid = $2 \
           ORDER BY started_at DESC, id OFFSET $3)",
    )
    .bind(account.get())
    .bind(client)
    .bind(keep)
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces the token of a family by the next one, good for three months; `None` when it is not the family's token, or its time is over.
/// Of several at once one gets the family, and the others wait for it and then get nothing.
///
/// # Errors
///
/// When the database fails.
pub async fn rotate(
    connection: &mut Connection,
    account: AccountId,
    id: Uuid,
    client: Uuid,
    (token, next): (Sha256, Sha256),
) -> Result<Option<Family>, Failure> {
    let row = sqlx::query(
        "UPDATE refresh_families SET token_sha256 = $5, previous_sha256 = token_sha256, rotated_at = now(), \
           expires_at = now() + interval '3 months' \
         WHERE account_id = $1 AND id = $2 AND client_uuid = $3 AND token_sha256 = $4 AND expires_at > now() \
         RETURNING user_id, basis, secret_sha256",
    )
    .bind(account.get())
    .bind(id)
    .bind(client)
    .bind(token.0)
    .bind(next.0)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = |why: String| Failure::Corrupt { table: "refresh_families", row: format!("{account}, {id}"), why };
    let basis: &str = row.try_get("basis")?;
    let user = UserId::new(row.try_get("user_id")?);
    Ok(Some(Family {
        account,
        id,
        client,
        user: user.ok_or_else(|| corrupt("user_id: not positive".to_owned()))?,
        basis: basis.parse().map_err(corrupt)?,
        secret: Sha256::from_slice(row.try_get("secret_sha256")?)
            .ok_or_else(|| corrupt("secret_sha256: not 32 bytes".to_owned()))?,
    }))
}

/// Whether a family still stands on what it was begun on: the integration's owner, or an install that is older than the family.
///
/// # Errors
///
/// When the database fails.
pub async fn stands(connection: &mut Connection, family: &Family) -> Result<bool, Failure> {
    if family.basis == Basis::Owner {
        let owner = owner(connection, family.client).await?;
        return Ok(owner.is_some_and(|owner| owner.account == family.account && owner.user == family.user));
    }
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM refresh_families f \
           JOIN installs i ON i.account_id = f.account_id AND i.installed_by_user_id = f.user_id AND i.installed_at <= f.started_at \
           JOIN widgets w ON w.id = i.widget_id AND w.client_uuid = f.client_uuid \
           WHERE f.account_id = $1 AND f.id = $2)",
    )
    .bind(family.account.get())
    .bind(family.id)
    .fetch_one(connection)
    .await?)
}

/// The integration's secret that a family of it was begun with; `None` when there is no such family.
///
/// # Errors
///
/// When the database fails.
pub async fn begun_with(
    connection: &mut Connection,
    account: AccountId,
    id: Uuid,
    client: Uuid,
) -> Result<Option<Sha256>, Failure> {
    let secret: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT secret_sha256 FROM refresh_families WHERE account_id = $1 AND id = $2 AND client_uuid = $3",
    )
    .bind(account.get())
    .bind(id)
    .bind(client)
    .fetch_optional(connection)
    .await?;
    Ok(secret.and_then(|secret| Sha256::from_slice(&secret)))
}

/// When a token was a family's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// It was the last until a few seconds ago: then it was sent twice, and not found by somebody.
    JustNow,
    /// It was the last until some time ago.
    Before,
    /// It was not the last one, and perhaps none.
    NotLast,
}

/// When this was a family's token.
///
/// # Errors
///
/// When the database fails.
pub async fn used(connection: &mut Connection, account: AccountId, id: Uuid, token: Sha256) -> Result<Used, Failure> {
    let just_now: Option<bool> = sqlx::query_scalar(
        "SELECT coalesce(rotated_at > now() - interval '30 seconds', false) FROM refresh_families \
         WHERE account_id = $1 AND id = $2 AND previous_sha256 = $3",
    )
    .bind(account.get())
    .bind(id)
    .bind(token.0)
    .fetch_optional(connection)
    .await?;
    Ok(match just_now {
        Some(true) => Used::JustNow,
        Some(false) => Used::Before,
        None => Used::NotLast,
    })
}

/// Ends a family of the integration; whether there was one.
///
/// # Errors
///
/// When the database fails.
pub async fn end(connection: &mut Connection, account: AccountId, id: Uuid, client: Uuid) -> Result<bool, Failure> {
    let ended = sqlx::query("DELETE FROM refresh_families WHERE account_id = $1 AND id = $2 AND client_uuid = $3")
        .bind(account.get())
        .bind(id)
        .bind(client)
        .execute(connection)
        .await?;
    Ok(ended.rows_affected() > 0)
}

/// Ends every family in which somebody acts as this user of the account.
///
/// # Errors
///
/// When the database fails.
pub async fn end_of_user(connection: &mut Connection, account: AccountId, user: UserId) -> Result<(), Failure> {
    sqlx::query("DELETE FROM refresh_families WHERE account_id = $1 AND user_id = $2")
        .bind(account.get())
        .bind(user.get())
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends every family of the integration in the account.
///
/// # Errors
///
/// When the database fails.
pub async fn end_of_client(connection: &mut Connection, account: AccountId, client: Uuid) -> Result<(), Failure> {
    sqlx::query("DELETE FROM refresh_families WHERE account_id = $1 AND client_uuid = $2")
        .bind(account.get())
        .bind(client)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes families whose time is over, at most `count`; how many there were.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_old(connection: &mut Connection, count: i64) -> Result<u64, Failure> {
    let removed = sqlx::query(
        "WITH old AS (SELECT account_id, id FROM refresh_families WHERE expires_at <= now() ORDER BY expires_at LIMIT $1) \
         DELETE FROM refresh_families f USING old \
         WHERE f.account_id = old.account_id AND f.id = old.id AND f.expires_at <= now()",
    )
    .bind(count)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
