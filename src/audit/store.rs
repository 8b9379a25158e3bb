//! The SQL of the audit log, a function per statement.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};

use super::{Actor, Chain, Change, Entry};
use crate::database::{Connection, Failure, Pool, Transaction};
use crate::digest::Sha256;

/// Binds the five parameters that say who did something, as the first ones: account, user, client, right and request.
pub(crate) fn bind<'q>(query: Query<'q, Postgres, PgArguments>, actor: &Actor) -> Query<'q, Postgres, PgArguments> {
    query.bind(actor.account).bind(actor.user).bind(actor.client).bind(actor.acted_as).bind(actor.request_id.as_deref())
}

/// Writes a change down in the transaction that makes it. After it comes no statement that waits for anybody, because whoever changes something in the
/// same account waits until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn record(
    connection: &mut Connection,
    chain: impl Into<Chain>,
    actor: &Actor,
    change: &Change<'_>,
) -> Result<(), Failure> {
    let query = sqlx::query("SELECT append_audit(ARRAY[$6::bigint], $1, $2, $3, $4, $5, $7, $8, $9::text::json)");
    bind(query, actor)
        .bind(chain.into().number())
        .bind(change.action().as_str())
        .bind(change.subject())
        .bind(change.details())
        .execute(connection)
        .await?;
    Ok(())
}

/// Begins a transaction that sees a chain.
///
/// # Errors
///
/// When the database cannot answer.
pub async fn begin(pool: &Pool, chain: Chain) -> Result<Transaction, Failure> {
    match chain {
        Chain::Account(account) => pool.begin_for(account).await,
        Chain::Registry => pool.begin_across_accounts().await,
    }
}

/// Which entries of a chain to read.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this action.
    pub action: Option<&'static str>,
    /// Only what this user of any account did.
    pub user: Option<i64>,
    /// Only from this time on, in microseconds since 1970.
    pub since: Option<i64>,
    /// Only before this time.
    pub until: Option<i64>,
}

/// The columns that [`entry`] reads.
macro_rules! entry_columns {
    () => {
        "account_id, seq, CASE WHEN isfinite(at) THEN (extract(epoch FROM at) * 1000000)::bigint END AS at_us, by_account_id, \
         by_user_id, by_client_uuid, acted_as, request_id, action, subject, details::text AS details, hash"
    };
}

fn entry(row: &PgRow) -> Result<Entry, Failure> {
    Ok(Entry {
        account: row.try_get("account_id")?,
        seq: row.try_get("seq")?,
        at: row.try_get("at_us")?,
        by_account: row.try_get("by_account_id")?,
        by_user: row.try_get("by_user_id")?,
        by_client: row.try_get("by_client_uuid")?,
        acted_as: row.try_get("acted_as")?,
        request_id: row.try_get("request_id")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        details: row.try_get("details")?,
        hash: Sha256::from_slice(row.try_get("hash")?),
    })
}

/// The entries of a chain from `lowest` to below `before` that pass the filter, the newest first, at most `count`.
///
/// # Errors
///
/// When the database fails.
pub async fn page(
    connection: &mut Connection,
    chain: Chain,
    (lowest, before): (i64, i64),
    filter: &Filter,
    count: i64,
) -> Result<Vec<Entry>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        entry_columns!(),
        " FROM audit_entries WHERE account_id = $1 AND seq >= $2 AND seq < $3 AND ($4::text IS NULL OR action = $4) \
         AND ($5::bigint IS NULL OR by_user_id = $5) \
         AND ($6::bigint IS NULL OR at >= timestamptz 'epoch' + $6 * interval '1 microsecond') \
         AND ($7::bigint IS NULL OR at < timestamptz 'epoch' + $7 * interval '1 microsecond') ORDER BY seq DESC LIMIT $8"
    ))
    .bind(chain.number())
    .bind(lowest)
    .bind(before)
    .bind(filter.action)
    .bind(filter.user)
    .bind(filter.since)
    .bind(filter.until)
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

/// The entries of a chain after a number, by their numbers, at most `count`.
///
/// # Errors
///
/// When the database fails.
pub async fn entries(
    connection: &mut Connection,
    account: i64,
    after: Option<i64>,
    count: i64,
) -> Result<Vec<Entry>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        entry_columns!(),
        " FROM audit_entries WHERE account_id = $1 AND ($2::bigint IS NULL OR seq > $2) ORDER BY seq LIMIT $3"
    ))
    .bind(account)
    .bind(after)
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(entry).collect()
}

/// Where a chain ends, as its head and its rows have it at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// What the head says: how many entries there are, and the hash of the last. `None` without a head.
    pub head: Option<(i64, Option<Sha256>)>,
    /// The number of the last entry that is there.
    pub last: Option<i64>,
}

/// Where a chain ends.
///
/// # Errors
///
/// When the database fails.
pub async fn end(connection: &mut Connection, account: i64) -> Result<End, Failure> {
    let row = sqlx::query(
        "SELECT h.entries, h.hash, (SELECT max(seq) FROM audit_entries WHERE account_id = $1) AS last \
         FROM (SELECT) AS one LEFT JOIN audit_heads h ON h.account_id = $1",
    )
    .bind(account)
    .fetch_one(connection)
    .await?;
    let entries: Option<i64> = row.try_get("entries")?;
    let hash: Option<Vec<u8>> = row.try_get("hash")?;
    let hash = hash.and_then(|hash| Sha256::from_slice(&hash));
    Ok(End { head: entries.map(|entries| (entries, hash)), last: row.try_get("last")? })
}

/// The next account after one that has a head or an entry; `None` after the last.
///
/// The one statement that looks for accounts.
///
/// # Errors
///
/// When the database fails.
pub async fn next_account(connection: &mut Connection, after: Option<i64>) -> Result<Option<i64>, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT least((SELECT min(account_id) FROM audit_heads WHERE $1::bigint IS NULL OR account_id > $1), \
         (SELECT min(account_id) FROM audit_entries WHERE $1::bigint IS NULL OR account_id > $1))",
    )
    .bind(after)
    .fetch_one(connection)
    .await?)
}
