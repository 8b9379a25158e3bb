//! Sealing the settings of an account's installs anew.

use super::store;
use crate::auth::AccountId;
use crate::catalogue::WidgetId;
use crate::database::{Failure, Pool};
use crate::sealing::{Fault, Sealing};

/// Installs that are sealed in one transaction.
const BATCH: i64 = 50;

/// What came of some installs.
#[derive(Debug)]
pub struct Resealed {
    /// The last of their widgets; `None` when there was none.
    pub last: Option<WidgetId>,
    /// The faults of the values that do not open, which stay as they are.
    pub faults: Vec<Fault>,
}

/// One transaction: seals what the account's newest key has not sealed, or only what was never sealed, in at most 50 installs after a
/// widget.
///
/// # Errors
///
/// When the database fails or a key is missing; then nothing was changed.
pub async fn some(
    pool: &Pool,
    sealing: &Sealing,
    account: AccountId,
    only_unsealed: bool,
    after: i64,
) -> Result<Resealed, Fault> {
    let newest = sealing.newest(account).await?;
    let mut transaction = pool.begin_for(account).await?;
    let mut rows = store::lock_settings(&mut transaction, account, only_unsealed, after, BATCH).await?;
    let keys: Vec<_> = rows.iter().flat_map(|(_, stored)| stored.keys()).collect();
    if !sealing.has(&keys) {
        // Keys come over a connection of their own, and nobody holds one while waiting for another.
        drop(transaction);
        sealing.prepare(keys).await?;
        transaction = pool.begin_for(account).await?;
        rows = store::lock_settings(&mut transaction, account, only_unsealed, after, BATCH).await?;
    }
    let mut faults = Vec::new();
    for (widget, stored) in rows.iter().filter(|(_, stored)| !stored.is_under(&newest)) {
        let (anew, of_these) = stored.anew(sealing, &newest, *widget).await?;
        faults.extend(of_these);
        if let Some(anew) = anew {
            store::replace_settings(&mut transaction, account, *widget, &anew).await?;
        }
    }
    transaction.commit().await.map_err(Failure::from)?;
    Ok(Resealed { last: rows.last().map(|(widget, _)| *widget), faults })
}
