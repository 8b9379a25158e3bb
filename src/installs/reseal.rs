//! Sealing the settings of an account's installs anew.

use super::sealed::seal;
use super::store;
use crate::auth::AccountId;
use crate::catalogue::WidgetId;
use crate::database::{Failure, Pool};
use crate::sealing::{Fault, Sealing};

/// Installs that are sealed in one transaction.
const BATCH: i64 = 50;

/// One transaction: seals what the account's newest key has not sealed, or only what was never sealed, in at most 50 installs after a
/// widget. The last of these widgets; `None` when there was none.
///
/// # Errors
///
/// When the database fails, a key is missing, or a value does not open; then nothing was changed.
pub async fn some(
    pool: &Pool,
    sealing: &Sealing,
    account: AccountId,
    only_unsealed: bool,
    after: i64,
) -> Result<Option<WidgetId>, Fault> {
    let newest = sealing.newest(account).await?;
    let mut transaction = pool.begin_for(account).await?;
    let rows = store::lock_settings(&mut transaction, account, only_unsealed, after, BATCH).await?;
    for (widget, stored) in rows.iter().filter(|(_, stored)| !stored.is_under(&newest)) {
        let settings = stored.open(sealing, account, *widget).await?;
        let sealed = seal(sealing, account, *widget, &settings).await?;
        store::replace_settings(&mut transaction, account, *widget, &sealed).await?;
    }
    transaction.commit().await.map_err(Failure::from)?;
    Ok(rows.last().map(|(widget, _)| *widget))
}
