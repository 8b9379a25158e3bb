//! The SQL of replays.

use sqlx::Row as _;

use crate::audit::{self, Actor, Change};
use crate::auth::AccountId;
use crate::database::{Connection, Failure, Pool};
use crate::delivery::store::{interval, settle_lane, way};
use crate::delivery::{DeliveryId, Way};

/// Puts a dead event of the account back into its lane, with all its patience; `false` when it is not dead, or is a call, which
/// only a record that still waits needs.
///
/// # Errors
///
/// When the database fails.
pub async fn replay(pool: &Pool, account: AccountId, id: DeliveryId, actor: &Actor) -> Result<bool, Failure> {
    let mut transaction = pool.begin_for(account).await?;
    let Some((way, lane)) = lock_lane_of_dead(&mut transaction, account, id).await? else { return Ok(false) };
    let revived = revive(&mut transaction, account, id, way).await?;
    settle_lane(&mut transaction, account, way, &lane, false).await?;
    if revived {
        audit::record(&mut transaction, account, actor, &Change::DeliveryReplayed { delivery: id.0 }).await?;
    }
    transaction.commit().await?;
    Ok(revived)
}

async fn lock_lane_of_dead(
    connection: &mut Connection,
    account: AccountId,
    id: DeliveryId,
) -> Result<Option<(Way, String)>, Failure> {
    let row = sqlx::query(
        "SELECT l.way, l.lane FROM deliveries d JOIN delivery_lanes l USING (account_id, way, lane) \
         WHERE d.account_id = $1 AND d.id = $2 AND d.state = 'dead' AND d.way <> 'call' FOR UPDATE OF l",
    )
    .bind(account.get())
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((way(&row, account, id)?, row.try_get("lane")?))).transpose()
}

async fn revive(connection: &mut Connection, account: AccountId, id: DeliveryId, way: Way) -> Result<bool, Failure> {
    let done = sqlx::query(
        "UPDATE deliveries SET state = 'ready', due_at = now(), closed_at = NULL, give_up_at = now() + $3 \
         WHERE account_id = $1 AND id = $2 AND state = 'dead'",
    )
    .bind(account.get())
    .bind(id.0)
    .bind(interval(way.schedule().patience))
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
