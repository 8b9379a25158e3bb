//! The SQL of the outbox, a function per statement. Every time is the database's.
//!
//! Whoever adds, takes or finishes an event locks the row of its lane first, in a statement before: so what a statement reads of a
//! lane's events is what is there, and a lane's times are right whenever its row is not locked. Adding is a function of the database's,
//! which ends of waits call there (`migrations/V19__single_calls.sql`).

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::lease::{Finished, Lease, Leased, Report};
use super::schedule::{LEASE, Next};
use super::{DeliveryId, Event, State, Way};
use crate::auth::AccountId;
use crate::database::{Connection, Failure, Pool};

/// Writes events, in their order, into the transaction of what they tell.
///
/// # Errors
///
/// When the database fails.
pub async fn enqueue(connection: &mut Connection, events: &[Event]) -> Result<(), Failure> {
    let accounts: Vec<i64> = events.iter().map(|event| event.account.get()).collect();
    let ways: Vec<&str> = events.iter().map(|event| event.receiver.way().as_str()).collect();
    let lanes: Vec<&str> = events.iter().map(|event| event.lane.as_str()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let subjects: Vec<i64> = events.iter().map(|event| event.subject).collect();
    let addresses: Vec<Option<&str>> = events.iter().map(|event| event.receiver.address()).collect();
    let payloads: Vec<Option<&[u8]>> = events.iter().map(|event| event.payload.as_deref()).collect();
    let patience: Vec<i64> = events.iter().map(|event| event.receiver.way().patience()).collect();
    sqlx::query("SELECT enqueue($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(accounts)
        .bind(ways)
        .bind(lanes)
        .bind(kinds)
        .bind(subjects)
        .bind(addresses)
        .bind(payloads)
        .bind(patience)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whose events are to be taken.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// Everybody's that are pushed or called, but for those of some accounts.
    Worker {
        /// The accounts that are passed over.
        but: &'a [i64],
    },
    /// Those that this account fetches.
    Account(AccountId),
}

/// Takes at most `most` events, one of each lane, the longest waiting first. `token` must be new.
///
/// # Errors
///
/// When the database fails.
pub async fn lease(pool: &Pool, whose: Whose<'_>, most: u32, token: Uuid) -> Result<Vec<Leased>, Failure> {
    let of = match whose {
        Whose::Worker { .. } => None,
        Whose::Account(account) => Some(account),
    };
    let mut transaction = pool.begin_queue(of).await?;
    let lanes = match whose {
        Whose::Worker { but } => lock_lanes(&mut transaction, but, most).await?,
        Whose::Account(account) => lock_lanes_of(&mut transaction, account, most).await?,
    };
    if lanes.accounts.is_empty() {
        return Ok(Vec::new());
    }
    let leased = take(&mut transaction, &lanes, token).await?;
    occupy(&mut transaction, &leased).await?;
    transaction.commit().await?;
    Ok(leased)
}

/// The keys of locked lanes, column by column.
#[derive(Debug, Default)]
struct Lanes {
    accounts: Vec<i64>,
    ways: Vec<String>,
    names: Vec<String>,
}

impl Lanes {
    fn of(rows: &[PgRow]) -> Result<Self, Failure> {
        let mut lanes = Self::default();
        for row in rows {
            lanes.accounts.push(row.try_get(0)?);
            lanes.ways.push(row.try_get(1)?);
            lanes.names.push(row.try_get(2)?);
        }
        Ok(lanes)
    }
}

async fn lock_lanes(connection: &mut Connection, but: &[i64], most: u32) -> Result<Lanes, Failure> {
    let rows = sqlx::query(
        "SELECT account_id, way, lane FROM delivery_lanes WHERE way IN ('push', 'call') AND next_at <= now() \
         AND account_id <> ALL($1) ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(but)
    .bind(i64::from(most))
    .fetch_all(connection)
    .await?;
    Lanes::of(&rows)
}

async fn lock_lanes_of(connection: &mut Connection, account: AccountId, most: u32) -> Result<Lanes, Failure> {
    let rows = sqlx::query(
        "SELECT account_id, way, lane FROM delivery_lanes WHERE account_id = $1 AND way = 'pull' AND next_at <= now() \
         ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(account.get())
    .bind(i64::from(most))
    .fetch_all(connection)
    .await?;
    Lanes::of(&rows)
}

/// Of each locked lane takes the first event that nobody has answered, or the next to be tried again, whichever is due longer.
async fn take(connection: &mut Connection, lanes: &Lanes, token: Uuid) -> Result<Vec<Leased>, Failure> {
    let rows = sqlx::query(
        "WITH chosen AS ( \
           SELECT l.account_id, d.id, d.state, d.attempts, d.leased_at, d.due_at \
           FROM unnest($1::bigint[], $2::text[], $3::text[]) AS l (account_id, way, lane) CROSS JOIN LATERAL ( \
             SELECT * FROM ( \
               (SELECT * FROM deliveries h WHERE h.account_id = l.account_id AND h.way = l.way AND h.lane = l.lane \
                AND h.answered_at IS NULL AND h.state IN ('ready', 'leased') ORDER BY h.id LIMIT 1) \
               UNION ALL \
               (SELECT * FROM deliveries r WHERE r.account_id = l.account_id AND r.way = l.way AND r.lane = l.lane \
                AND r.answered_at IS NOT NULL AND r.state IN ('ready', 'leased') ORDER BY r.due_at LIMIT 1) \
             ) both_kinds WHERE due_at <= now() ORDER BY due_at, id LIMIT 1) d \
         ), abandoned AS ( \
           INSERT INTO delivery_attempts (account_id, delivery_id, attempt, started_at, ended_at, outcome) \
           SELECT account_id, id, attempts, leased_at, due_at, 'abandoned' FROM chosen WHERE state = 'leased' \
         ) \
         UPDATE deliveries d SET state = 'leased', lease_token = $4, leased_at = now(), due_at = now() + $5, attempts = d.attempts + 1 \
         FROM chosen c WHERE d.account_id = c.account_id AND d.id = c.id \
         RETURNING d.account_id, d.id, d.way, d.lane, d.kind, d.subject_id, d.address, d.payload, d.attempts, d.created_at, d.due_at, \
           c.state = 'leased' AS abandoned",
    )
    .bind(&lanes.accounts)
    .bind(&lanes.ways)
    .bind(&lanes.names)
    .bind(token)
    .bind(interval(LEASE))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| leased(row, token)).collect()
}

fn leased(row: &PgRow, token: Uuid) -> Result<Leased, Failure> {
    let (account, id): (i64, i64) = (row.try_get("account_id")?, row.try_get("id")?);
    let corrupt = |why: String| Failure::Corrupt { table: "deliveries", row: format!("{account}, {id}"), why };
    let way: &str = row.try_get("way")?;
    let attempts: i32 = row.try_get("attempts")?;
    let lease = Lease {
        account: AccountId::new(account).ok_or_else(|| corrupt("account_id".to_owned()))?,
        id: DeliveryId(id),
        way: way.parse::<Way>().map_err(corrupt)?,
        lane: row.try_get("lane")?,
        token,
    };
    Ok(Leased {
        lease,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject_id")?,
        address: row.try_get("address")?,
        payload: row.try_get("payload")?,
        attempt: u32::try_from(attempts).map_err(|why| corrupt(why.to_string()))?,
        abandoned: row.try_get("abandoned")?,
        created_at: row.try_get("created_at")?,
        until: row.try_get("due_at")?,
    })
}

/// Marks the lanes of leased events as somebody's.
async fn occupy(connection: &mut Connection, leased: &[Leased]) -> Result<(), Failure> {
    let accounts: Vec<i64> = leased.iter().map(|leased| leased.lease.account.get()).collect();
    let ways: Vec<&str> = leased.iter().map(|leased| leased.lease.way.as_str()).collect();
    let lanes: Vec<&str> = leased.iter().map(|leased| leased.lease.lane.as_str()).collect();
    sqlx::query(
        "UPDATE delivery_lanes l SET leased_until = now() + $4 \
         FROM unnest($1::bigint[], $2::text[], $3::text[]) AS e (account_id, way, lane) \
         WHERE l.account_id = e.account_id AND l.way = e.way AND l.lane = e.lane",
    )
    .bind(accounts)
    .bind(ways)
    .bind(lanes)
    .bind(interval(LEASE))
    .execute(connection)
    .await?;
    Ok(())
}

/// Says how a try ended. A lease that is over, or was taken over, changes nothing.
///
/// Belongs into a transaction, together with what follows from the end.
///
/// # Errors
///
/// When the database fails.
pub async fn finish(connection: &mut Connection, lease: &Lease, report: &Report) -> Result<Finished, Failure> {
    lock_lane(connection, lease).await?;
    let finished = close(connection, lease, report).await?;
    if finished != Finished::Stale {
        settle_lane(connection, lease.account, lease.way, &lease.lane, true).await?;
    }
    Ok(finished)
}

/// [`finish`] in a transaction of its own.
///
/// # Errors
///
/// When the database fails.
pub async fn finish_alone(pool: &Pool, lease: &Lease, report: &Report) -> Result<Finished, Failure> {
    let mut transaction = pool.begin_for(lease.account).await?;
    let finished = finish(&mut transaction, lease, report).await?;
    transaction.commit().await?;
    Ok(finished)
}

async fn lock_lane(connection: &mut Connection, lease: &Lease) -> Result<(), Failure> {
    sqlx::query("SELECT FROM delivery_lanes WHERE account_id = $1 AND way = $2 AND lane = $3 FOR UPDATE")
        .bind(lease.account.get())
        .bind(lease.way.as_str())
        .bind(&lease.lane)
        .execute(connection)
        .await?;
    Ok(())
}

async fn close(connection: &mut Connection, lease: &Lease, report: &Report) -> Result<Finished, Failure> {
    let (state, pause) = match report.next {
        Next::Delivered => (State::Delivered, Duration::ZERO),
        Next::Withdrawn => (State::Withdrawn, Duration::ZERO),
        Next::Again(pause) => (State::Ready, pause),
        Next::Dead => (State::Dead, Duration::ZERO),
    };
    let row = sqlx::query(
        "WITH before AS ( \
           SELECT account_id, id, attempts, leased_at, CASE WHEN $4 = 'ready' AND now() + $5 > give_up_at THEN 'dead' ELSE $4 END AS state \
           FROM deliveries WHERE account_id = $1 AND id = $2 AND state = 'leased' AND lease_token = $3 AND due_at > now() \
         ), tried AS ( \
           INSERT INTO delivery_attempts (account_id, delivery_id, attempt, started_at, ended_at, outcome, status, answer, error) \
           SELECT account_id, id, attempts, leased_at, now(), $7, $8, $9, $10 FROM before \
         ) \
         UPDATE deliveries d SET state = b.state, due_at = CASE WHEN b.state = 'ready' THEN now() + $5 END, \
           closed_at = CASE WHEN b.state <> 'ready' THEN now() END, \
           answered_at = coalesce(d.answered_at, CASE WHEN $6 THEN now() END), lease_token = NULL, leased_at = NULL \
         FROM before b WHERE d.account_id = b.account_id AND d.id = b.id \
         RETURNING d.state, extract(epoch FROM now() - d.created_at)::double precision AS after",
    )
    .bind(lease.account.get())
    .bind(lease.id.0)
    .bind(lease.token)
    .bind(state.as_str())
    .bind(interval(pause))
    .bind(report.outcome.is_answer())
    .bind(report.outcome.as_str())
    .bind(report.status.map(u16::cast_signed))
    .bind(&report.answer)
    .bind(&report.error)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(Finished::Stale) };
    let state: &str = row.try_get("state")?;
    let after = Duration::from_secs_f64(row.try_get::<f64, _>("after")?.max(0.0));
    Ok(if state == "ready" { Finished::Again } else { Finished::Closed { after, dead: state == "dead" } })
}

/// Sets a locked lane's times by the events that it has; `release` ends its lease.
pub(in crate::delivery) async fn settle_lane(
    connection: &mut Connection,
    account: AccountId,
    way: Way,
    lane: &str,
    release: bool,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE delivery_lanes l SET leased_until = CASE WHEN $4 THEN NULL ELSE l.leased_until END, \
         head_at = (SELECT due_at FROM deliveries h WHERE h.account_id = $1 AND h.way = $2 AND h.lane = $3 \
           AND h.answered_at IS NULL AND h.state IN ('ready', 'leased') ORDER BY h.id LIMIT 1), \
         retry_at = (SELECT due_at FROM deliveries r WHERE r.account_id = $1 AND r.way = $2 AND r.lane = $3 \
           AND r.answered_at IS NOT NULL AND r.state IN ('ready', 'leased') ORDER BY r.due_at LIMIT 1) \
         WHERE l.account_id = $1 AND l.way = $2 AND l.lane = $3",
    )
    .bind(account.get())
    .bind(way.as_str())
    .bind(lane)
    .bind(release)
    .execute(connection)
    .await?;
    Ok(())
}

/// What an `ack` or `nack` needs to know of the delivery that it names; `None` when the account has none that is leased with this
/// token.
///
/// # Errors
///
/// When the database fails.
pub async fn find_lease(
    pool: &Pool,
    account: AccountId,
    id: DeliveryId,
    token: Uuid,
) -> Result<Option<(Lease, u32)>, Failure> {
    let row = sqlx::query(
        "SELECT way, lane, attempts FROM deliveries WHERE account_id = $1 AND id = $2 AND way = 'pull' AND lease_token = $3",
    )
    .bind(account.get())
    .bind(id.0)
    .bind(token)
    .fetch_optional(&mut *pool.begin_for(account).await?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let attempts: i32 = row.try_get("attempts")?;
    let lease = Lease { account, id, way: way(&row, account, id)?, lane: row.try_get("lane")?, token };
    Ok(Some((lease, attempts.unsigned_abs())))
}

pub(in crate::delivery) fn way(row: &PgRow, account: AccountId, id: DeliveryId) -> Result<Way, Failure> {
    row.try_get::<&str, _>("way")?.parse().map_err(|why| Failure::Corrupt {
        table: "deliveries",
        row: format!("{}, {id}", account.get()),
        why,
    })
}

pub(in crate::delivery) fn interval(time: Duration) -> PgInterval {
    PgInterval { months: 0, days: 0, microseconds: i64::try_from(time.as_micros()).unwrap_or(i64::MAX) }
}
