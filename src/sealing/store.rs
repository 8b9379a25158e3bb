//! The SQL of keys, a function per statement. Statements on data keys name the account, but for those that look for accounts.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::{Era, Fault, KeyId, envelope};
use crate::auth::AccountId;
use crate::database::{Connection, Failure, Pool};

/// The advisory lock between those who make data keys and those who change which key wraps them: "sealing" in ASCII.
const LOCK: i64 = 0x73_65_61_6c_69_6e_67;

/// A key-encryption key that the database has been used with.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its id.
    pub id: KeyId,
    /// When it became the active one.
    pub activated_at: OffsetDateTime,
    /// Whether the rotation to it encrypts values anew, too.
    pub reencrypts: bool,
    /// Whether the rotation to it has come to its end.
    pub is_finished: bool,
}

/// A data key as it is stored.
#[derive(Debug, Clone)]
pub struct Wrapped {
    /// The account.
    pub account: AccountId,
    /// Its number in the account.
    pub id: i32,
    /// What it is wrapped with.
    pub kek: KeyId,
    /// The wrapped bytes.
    pub bytes: Vec<u8>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

impl Wrapped {
    /// The fault of a data key that does not open.
    #[must_use]
    pub fn fault(&self) -> Fault {
        envelope::data_key_place(self.account, self.id).fault()
    }
}

fn known(row: &PgRow) -> Result<Known, Failure> {
    Ok(Known {
        id: key_id("encryption_keys", row.try_get("id")?)?,
        activated_at: row.try_get("activated_at")?,
        reencrypts: row.try_get("reencrypts")?,
        is_finished: row.try_get("is_finished")?,
    })
}

fn key_id(table: &'static str, text: &str) -> Result<KeyId, Failure> {
    text.parse().map_err(|why| Failure::Corrupt { table, row: text.to_owned(), why })
}

fn account(id: i64) -> Result<AccountId, Failure> {
    let corrupt = || Failure::Corrupt { table: "data_keys", row: id.to_string(), why: "account_id: no id".to_owned() };
    AccountId::new(id).ok_or_else(corrupt)
}

/// The columns that [`wrapped`] reads.
macro_rules! data_key_columns {
    () => {
        "account_id, id, kek_id, wrapped, created_at"
    };
}

fn wrapped(row: &PgRow) -> Result<Wrapped, Failure> {
    Ok(Wrapped {
        account: account(row.try_get("account_id")?)?,
        id: row.try_get("id")?,
        kek: key_id("data_keys", row.try_get("kek_id")?)?,
        bytes: row.try_get("wrapped")?,
        created_at: row.try_get("created_at")?,
    })
}

/// Keeps key-encryption keys from being changed until the transaction ends: who makes a data key.
///
/// # Errors
///
/// When the database fails.
pub async fn keep_keys(connection: &mut Connection) -> Result<(), Failure> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Waits until nobody makes a data key, and keeps others from it until the transaction ends: who changes key-encryption keys.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_keys(connection: &mut Connection) -> Result<(), Failure> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Every key-encryption key that the database knows, the active one last.
///
/// # Errors
///
/// When the database fails.
pub async fn known_keys(connection: &mut Connection) -> Result<Vec<Known>, Failure> {
    let rows = sqlx::query(
        "SELECT id, activated_at, reencrypts, finished_at IS NOT NULL AS is_finished FROM encryption_keys ORDER BY number",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(known).collect()
}

/// Makes a key-encryption key the active one.
///
/// # Errors
///
/// When the database fails.
pub async fn activate(
    connection: &mut Connection,
    id: &KeyId,
    reencrypts: bool,
    is_finished: bool,
) -> Result<(), Failure> {
    sqlx::query(
        // The time of this statement, which comes after the lock: `now()` is that of BEGIN, and data keys may have been made since.
        "INSERT INTO encryption_keys (id, reencrypts, activated_at, finished_at) \
         VALUES ($1, $2, clock_timestamp(), CASE WHEN $3 THEN now() END)",
    )
    .bind(id.as_str())
    .bind(reencrypts)
    .bind(is_finished)
    .execute(connection)
    .await?;
    Ok(())
}

/// Has a rotation that goes on encrypt values anew, too.
///
/// # Errors
///
/// When the database fails.
pub async fn reencrypt_too(connection: &mut Connection, id: &KeyId) -> Result<(), Failure> {
    sqlx::query("UPDATE encryption_keys SET reencrypts = true WHERE id = $1 AND finished_at IS NULL")
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that the rotation to a key has come to its end.
///
/// # Errors
///
/// When the database fails.
pub async fn finish(connection: &mut Connection, id: &KeyId) -> Result<(), Failure> {
    sqlx::query("UPDATE encryption_keys SET finished_at = now() WHERE id = $1 AND finished_at IS NULL")
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a key-encryption key that wraps nothing.
///
/// # Errors
///
/// When the database fails.
pub async fn forget(connection: &mut Connection, id: &KeyId) -> Result<(), Failure> {
    sqlx::query("DELETE FROM encryption_keys WHERE id = $1").bind(id.as_str()).execute(connection).await?;
    Ok(())
}

/// How many data keys a key-encryption key wraps.
///
/// # Errors
///
/// When the database fails.
pub async fn count_wrapped(connection: &mut Connection, kek: &KeyId) -> Result<i64, Failure> {
    let count = sqlx::query_scalar("SELECT count(*) FROM data_keys WHERE kek_id = $1");
    Ok(count.bind(kek.as_str()).fetch_one(connection).await?)
}

/// The first data keys that a key-encryption key wraps, at most `count`.
///
/// # Errors
///
/// When the database fails.
pub async fn some_wrapped(connection: &mut Connection, kek: &KeyId, count: i64) -> Result<Vec<Wrapped>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        data_key_columns!(),
        " FROM data_keys WHERE kek_id = $1 ORDER BY account_id, id LIMIT $2"
    ))
    .bind(kek.as_str())
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(wrapped).collect()
}

/// Adds a data key; `false` when the account has one of this number.
///
/// # Errors
///
/// When the database fails.
pub async fn add(
    connection: &mut Connection,
    account: AccountId,
    id: i32,
    kek: &KeyId,
    wrapped: &[u8],
) -> Result<bool, Failure> {
    let done = sqlx::query(
        "INSERT INTO data_keys (account_id, id, kek_id, wrapped) VALUES ($1, $2, $3, $4) \
         ON CONFLICT ON CONSTRAINT data_keys_pkey DO NOTHING",
    )
    .bind(account.get())
    .bind(id)
    .bind(kek.as_str())
    .bind(wrapped)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The account's newest data key; `None` while it has none.
///
/// # Errors
///
/// When the database fails.
pub async fn newest(pool: &Pool, account: AccountId) -> Result<Option<Wrapped>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        data_key_columns!(),
        " FROM data_keys WHERE account_id = $1 ORDER BY id DESC LIMIT 1"
    ))
    .bind(account.get())
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(wrapped).transpose()
}

/// A data key of the account.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, account: AccountId, id: i32) -> Result<Option<Wrapped>, Failure> {
    let row = sqlx::query(concat!("SELECT ", data_key_columns!(), " FROM data_keys WHERE account_id = $1 AND id = $2"))
        .bind(account.get())
        .bind(id)
        .fetch_optional(&mut *pool.begin_for(account).await?)
        .await?;
    row.as_ref().map(wrapped).transpose()
}

/// Data keys of several accounts at once, each by account and number.
///
/// # Errors
///
/// When the database fails.
pub async fn find_all(pool: &Pool, keys: &[(AccountId, i32)]) -> Result<Vec<Wrapped>, Failure> {
    let (accounts, ids): (Vec<i64>, Vec<i32>) = keys.iter().map(|(account, id)| (account.get(), *id)).unzip();
    let rows = sqlx::query(concat!(
        "SELECT ",
        data_key_columns!(),
        " FROM data_keys WHERE account_id = ANY ($1) AND (account_id, id) IN (SELECT * FROM unnest($1, $2))"
    ))
    .bind(accounts)
    .bind(ids)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    rows.iter().map(wrapped).collect()
}

/// Accounts that have data keys wrapped with this key, in their order, at most `count` after one.
///
/// # Errors
///
/// When the database fails.
pub async fn accounts_wrapped_with(
    pool: &Pool,
    kek: &KeyId,
    after: i64,
    count: i64,
) -> Result<Vec<AccountId>, Failure> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT account_id FROM data_keys WHERE kek_id = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
    )
    .bind(kek.as_str())
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    ids.into_iter().map(account).collect()
}

/// Whether a data key says this era. Nobody who can only write here gains by changing that byte: the key opens no more.
///
/// # Errors
///
/// When the database fails.
pub async fn says(connection: &mut Connection, era: Era) -> Result<bool, Failure> {
    let says = sqlx::query_scalar("SELECT EXISTS (SELECT FROM data_keys WHERE get_byte(wrapped, 0) = $1)");
    Ok(says.bind(i32::from(era.byte())).fetch_one(connection).await?)
}

/// Accounts that have data keys which say this era, in their order, at most `count` after one.
///
/// # Errors
///
/// When the database fails.
pub async fn accounts_of(pool: &Pool, era: Era, after: i64, count: i64) -> Result<Vec<AccountId>, Failure> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT account_id FROM data_keys WHERE get_byte(wrapped, 0) = $1 AND account_id > $2 ORDER BY account_id LIMIT $3",
    )
    .bind(i32::from(era.byte()))
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    ids.into_iter().map(account).collect()
}

/// Accounts that have data keys, in their order, at most `count` after one.
///
/// # Errors
///
/// When the database fails.
pub async fn accounts(pool: &Pool, after: i64, count: i64) -> Result<Vec<AccountId>, Failure> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT account_id FROM data_keys WHERE account_id > $1 ORDER BY account_id LIMIT $2",
    )
    .bind(after)
    .bind(count)
    .fetch_all(&mut *pool.begin_across_accounts().await?)
    .await?;
    ids.into_iter().map(account).collect()
}

/// The account's data keys; nobody else changes them until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_all(connection: &mut Connection, account: AccountId) -> Result<Vec<Wrapped>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        data_key_columns!(),
        " FROM data_keys WHERE account_id = $1 ORDER BY id FOR UPDATE"
    ))
    .bind(account.get())
    .fetch_all(connection)
    .await?;
    rows.iter().map(wrapped).collect()
}

/// Puts another wrapping in the place of a data key's.
///
/// # Errors
///
/// When the database fails.
pub async fn rewrap(
    connection: &mut Connection,
    account: AccountId,
    id: i32,
    kek: &KeyId,
    wrapped: &[u8],
) -> Result<(), Failure> {
    sqlx::query("UPDATE data_keys SET kek_id = $3, wrapped = $4 WHERE account_id = $1 AND id = $2")
        .bind(account.get())
        .bind(id)
        .bind(kek.as_str())
        .bind(wrapped)
        .execute(connection)
        .await?;
    Ok(())
}
