//! The SQL of the inspector and of retention.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::Retention;
use crate::auth::AccountId;
use crate::database::{Failure, Pool};
use crate::delivery::{DeliveryId, State, Way};

/// A delivery as it is shown.
#[derive(Debug)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// How it gets there.
    pub way: Way,
    /// Its queue.
    pub lane: String,
    /// What happened.
    pub kind: String,
    /// The row that it tells of.
    pub subject: i64,
    /// Where to; `None` when the receiver fetches.
    pub address: Option<String>,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
    /// When it is tried next, or the present lease ends; `None` when it is over.
    pub due_at: Option<OffsetDateTime>,
    /// When it was over.
    pub closed_at: Option<OffsetDateTime>,
    /// Tries that were begun.
    pub attempts: i32,
    /// What went wrong at the last try that failed.
    pub last_error: Option<String>,
}

/// A try as it is shown.
#[derive(Debug)]
pub struct Attempt {
    /// From 1.
    pub attempt: i32,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When its end was written.
    pub ended_at: OffsetDateTime,
    /// How it ended.
    pub outcome: String,
    /// The HTTP status, when there was an answer.
    pub status: Option<i16>,
    /// The answer's first bytes.
    pub answer: Option<Vec<u8>>,
    /// What went wrong.
    pub error: Option<String>,
}

/// The columns that [`delivery`] reads, from `deliveries d`.
macro_rules! delivery_columns {
    () => {
        "d.account_id, d.id, d.way, d.lane, d.kind, d.subject_id, d.address, d.state, d.created_at, d.due_at, d.closed_at, d.attempts, \
         (SELECT coalesce(a.error, a.outcome) FROM delivery_attempts a WHERE a.account_id = d.account_id AND a.delivery_id = d.id \
          AND a.outcome <> 'delivered' ORDER BY a.attempt DESC LIMIT 1) AS last_error"
    };
}

fn delivery(row: &PgRow) -> Result<Delivery, Failure> {
    let (account, id): (i64, i64) = (row.try_get("account_id")?, row.try_get("id")?);
    let corrupt = |why: String| Failure::Corrupt { table: "deliveries", row: format!("{account}, {id}"), why };
    let (way, state): (&str, &str) = (row.try_get("way")?, row.try_get("state")?);
    Ok(Delivery {
        id: DeliveryId(id),
        way: way.parse().map_err(corrupt)?,
        lane: row.try_get("lane")?,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject_id")?,
        address: row.try_get("address")?,
        state: state.parse().map_err(corrupt)?,
        created_at: row.try_get("created_at")?,
        due_at: row.try_get("due_at")?,
        closed_at: row.try_get("closed_at")?,
        attempts: row.try_get("attempts")?,
        last_error: row.try_get("last_error")?,
    })
}

/// The account's deliveries that stand in `state`, the newest first, older than `before`.
///
/// # Errors
///
/// When the database fails.
pub async fn list(
    pool: &Pool,
    account: AccountId,
    state: State,
    before: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<Delivery>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM deliveries d WHERE d.account_id = $1 AND d.state = $2 AND d.id < $3 ORDER BY d.id DESC LIMIT $4"
    ))
    .bind(account.get())
    .bind(state.as_str())
    .bind(before.map_or(i64::MAX, |id| id.0))
    .bind(limit)
    .fetch_all(&mut *pool.begin_for(account).await?)
    .await?;
    rows.iter().map(delivery).collect()
}

/// A delivery of the account.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, account: AccountId, id: DeliveryId) -> Result<Option<Delivery>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM deliveries d WHERE d.account_id = $1 AND d.id = $2"
    ))
    .bind(account.get())
    .bind(id.0)
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    row.as_ref().map(delivery).transpose()
}

/// The first deliveries of these kinds that tell of a row.
///
/// # Errors
///
/// When the database fails.
pub async fn of_subject(
    pool: &Pool,
    account: AccountId,
    subject: i64,
    kinds: &[&str],
    most: i64,
) -> Result<Vec<Delivery>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        delivery_columns!(),
        " FROM deliveries d WHERE d.account_id = $1 AND d.subject_id = $2 AND d.kind = ANY($3) ORDER BY d.id LIMIT $4"
    ))
    .bind(account.get())
    .bind(subject)
    .bind(kinds)
    .bind(most)
    .fetch_all(&mut *pool.begin_for(account).await?)
    .await?;
    rows.iter().map(delivery).collect()
}

/// The latest tries of a delivery, the last first.
///
/// # Errors
///
/// When the database fails.
pub async fn attempts(pool: &Pool, account: AccountId, id: DeliveryId, most: i64) -> Result<Vec<Attempt>, Failure> {
    let rows = sqlx::query(
        "SELECT attempt, started_at, ended_at, outcome, status, answer, error FROM delivery_attempts \
         WHERE account_id = $1 AND delivery_id = $2 ORDER BY attempt DESC LIMIT $3",
    )
    .bind(account.get())
    .bind(id.0)
    .bind(most)
    .fetch_all(&mut *pool.begin_for(account).await?)
    .await?;
    let attempt = |row: &PgRow| {
        Ok(Attempt {
            attempt: row.try_get("attempt")?,
            started_at: row.try_get("started_at")?,
            ended_at: row.try_get("ended_at")?,
            outcome: row.try_get("outcome")?,
            status: row.try_get("status")?,
            answer: row.try_get("answer")?,
            error: row.try_get("error")?,
        })
    };
    rows.iter().map(attempt).collect()
}

/// Removes at most `batch` deliveries that were kept long enough, with their tries, and tells how many. A call has a lane of its own,
/// which goes with it.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_old(pool: &Pool, retention: Retention, batch: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let done = sqlx::query(
        "WITH old AS ( \
           SELECT account_id, id, way, lane FROM deliveries WHERE closed_at <= now() - make_interval(secs => least($1, $2)) \
           AND closed_at <= now() - make_interval(secs => CASE WHEN state = 'dead' THEN $2 ELSE $1 END) \
           ORDER BY closed_at LIMIT $3 FOR UPDATE SKIP LOCKED \
         ), tries AS ( \
           DELETE FROM delivery_attempts a USING old WHERE a.account_id = old.account_id AND a.delivery_id = old.id \
         ), lanes AS ( \
           DELETE FROM delivery_lanes l USING old \
           WHERE old.way = 'call' AND l.account_id = old.account_id AND l.way = old.way AND l.lane = old.lane \
         ) \
         DELETE FROM deliveries d USING old WHERE d.account_id = old.account_id AND d.id = old.id",
    )
    .bind(retention.delivered.as_secs_f64())
    .bind(retention.dead.as_secs_f64())
    .bind(batch)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
