//! The SQL of the numbers to watch, of all accounts together. States are written out, so that their partial indexes serve.

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::continuations::BotType;
use crate::database::{Connection, Failure};
use crate::delivery::{State, Way};
use crate::metrics::OldestBot;

/// Records among which the bots that wait longest are looked for: one bot may have many.
const LOOKED_THROUGH: i64 = 1_000;

/// Bots of this kind that wait, counted up to `most`.
///
/// # Errors
///
/// When the database fails.
pub async fn waiting(connection: &mut Connection, kind: BotType, most: i64) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM continuations WHERE bot_type = $1 AND state = 'waiting' LIMIT $2) AS counted",
    )
    .bind(kind.as_str())
    .bind(most)
    .fetch_one(connection)
    .await?)
}

/// Seconds for which the first of them has waited; `None` when none waits.
///
/// # Errors
///
/// When the database fails.
pub async fn oldest_waiting(connection: &mut Connection, kind: BotType) -> Result<Option<f64>, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT extract(epoch FROM now() - opened_at)::double precision FROM continuations \
         WHERE bot_type = $1 AND state = 'waiting' ORDER BY opened_at LIMIT 1",
    )
    .bind(kind.as_str())
    .fetch_optional(connection)
    .await?)
}

/// The bots that have the longest waiting records, at most `most`.
///
/// # Errors
///
/// When the database fails.
pub async fn oldest_bots(connection: &mut Connection, most: i64) -> Result<Vec<OldestBot>, Failure> {
    let rows = sqlx::query(
        "SELECT bot_type, account_id, bot_id, extract(epoch FROM now() - min(opened_at))::double precision AS oldest FROM ( \
           (SELECT bot_type, account_id, bot_id, opened_at FROM continuations \
            WHERE bot_type = 'salesbot' AND state = 'waiting' ORDER BY opened_at LIMIT $2) \
           UNION ALL \
           (SELECT bot_type, account_id, bot_id, opened_at FROM continuations \
            WHERE bot_type = 'marketingbot' AND state = 'waiting' ORDER BY opened_at LIMIT $2) \
         ) AS longest GROUP BY bot_type, account_id, bot_id ORDER BY min(opened_at), bot_type, account_id, bot_id LIMIT $1",
    )
    .bind(most)
    .bind(LOOKED_THROUGH)
    .fetch_all(connection)
    .await?;
    rows.iter().map(oldest_bot).collect()
}

fn oldest_bot(row: &PgRow) -> Result<OldestBot, Failure> {
    let (account, id): (i64, i64) = (row.try_get("account_id")?, row.try_get("bot_id")?);
    let kind: &str = row.try_get("bot_type")?;
    let kind: BotType = kind.parse().map_err(|why| Failure::Corrupt {
        table: "continuations",
        row: format!("{account}, bot {id}"),
        why,
    })?;
    Ok(OldestBot { bot_type: kind.as_str(), account, id, oldest: row.try_get("oldest")? })
}

macro_rules! count_deliveries {
    ($state:literal) => {
        concat!(
            "SELECT count(*) FROM (SELECT FROM deliveries WHERE way = $1 AND state = '",
            $state,
            "' LIMIT $2) AS counted"
        )
    };
}

/// Deliveries of this way and state, counted up to `most`; 0 for those that are over and not dead.
///
/// # Errors
///
/// When the database fails.
pub async fn deliveries(connection: &mut Connection, way: Way, state: State, most: i64) -> Result<i64, Failure> {
    let statement = match state {
        State::Ready => count_deliveries!("ready"),
        State::Leased => count_deliveries!("leased"),
        State::Dead => count_deliveries!("dead"),
        State::Delivered | State::Withdrawn => return Ok(0),
    };
    Ok(sqlx::query_scalar(statement).bind(way.as_str()).bind(most).fetch_one(connection).await?)
}

/// Seconds since the acceptance of the first delivery of this way that is ready; `None` when none is.
///
/// # Errors
///
/// When the database fails.
pub async fn oldest_ready(connection: &mut Connection, way: Way) -> Result<Option<f64>, Failure> {
    Ok(sqlx::query_scalar(
        "SELECT extract(epoch FROM now() - created_at)::double precision FROM deliveries \
         WHERE way = $1 AND state = 'ready' ORDER BY created_at LIMIT 1",
    )
    .bind(way.as_str())
    .fetch_optional(connection)
    .await?)
}
