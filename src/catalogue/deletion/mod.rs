//! Deleting a widget with its versions, files, votes and installs. Its row stays and keeps the code for its owner.

pub mod api;
pub mod store;

use super::visibility::{self, store as sight};
use super::widget::{Owner, WidgetId};
use super::{changes, listing};
use crate::archive::WidgetCode;
use crate::audit::{self, Actor, Change};
use crate::blobs;
use crate::database::{AccountWrites, Connection, Failure, Pool, Writes};
use crate::digest::Sha256;

/// Blobs whose bytes are removed by one statement: at most as many as a few large archives hold.
const BATCH: usize = 256;

/// Who deletes.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// Its owner, when nobody has it installed.
    Owner(Owner),
    /// An operator, whoever has it installed.
    Operator,
}

/// Why nothing is deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// Accounts would lose it.
    #[error(
        "{} the widget installed; it can be deleted when they have uninstalled it, or by an operator with force",
        visibility::accounts_have(*.0, "account")
    )]
    Installed(i64),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// Deletes a widget; one transaction, which neither an install nor publishing can slip into.
///
/// # Errors
///
/// Why nothing was deleted.
pub async fn delete(
    pool: &Pool,
    (writes, install_writes): (&Writes, &AccountWrites),
    code: &WidgetCode,
    by: By,
    actor: &Actor,
) -> Result<(), DeletionError> {
    let mut begun = vec![writes.begin()];
    if matches!(by, By::Operator) {
        begun.extend(install_writes.begin_everywhere());
    }
    let mut transaction = pool.begin_across_accounts().await?;
    if matches!(by, By::Operator) {
        store::lock_forced(&mut transaction).await?;
    }
    let found = sight::lock_against_installs(&mut transaction, code).await?;
    let widget = found.ok_or(DeletionError::NotOwner)?;
    match by {
        By::Owner(owner) if widget.owner != owner => return Err(DeletionError::NotOwner),
        By::Owner(_) => {
            let accounts = sight::installs_elsewhere(&mut transaction, widget.id, None, visibility::COUNTED).await?;
            if accounts > 0 {
                return Err(DeletionError::Installed(accounts));
            }
        }
        By::Operator => {}
    }
    empty(&mut transaction, widget.id).await?;
    let forced = matches!(by, By::Operator);
    let change = Change::WidgetDeleted { widget: code.as_str(), forced };
    if forced {
        // Late: the audit logs of all these accounts are held from here to the end, and the owner's comes after them, in no order.
        store::remove_installs(&mut transaction, widget.id, code, actor).await?;
    }
    audit::record(&mut transaction, widget.owner.account, actor, &change).await?;
    Ok(changes::commit(transaction, begun, widget.id).await?)
}

/// Leaves nothing but the row.
async fn empty(transaction: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    store::remove_ratings(transaction, widget).await?;
    store::mark(transaction, widget).await?;
    let mut blobs = store::remove_files(transaction, widget).await?;
    store::remove_versions(transaction, widget).await?;
    listing::write(transaction, widget).await?;
    // Always in the order of digests, as publishers do: then nobody waits in a circle.
    blobs.sort_unstable();
    blobs.dedup();
    remove_unused(transaction, &blobs).await
}

/// Removes those blobs that no file has any more. Publishers who are about to name one are waited for before it is looked; those who
/// come later wait, and find that they must write it anew.
async fn remove_unused(transaction: &mut Connection, blobs: &[Sha256]) -> Result<(), Failure> {
    blobs::store::lock(transaction, blobs).await?;
    let unused = store::unused(transaction, blobs).await?;
    for batch in unused.chunks(BATCH) {
        blobs::store::remove_chunks(transaction, batch).await?;
        blobs::store::remove(transaction, batch).await?;
    }
    Ok(())
}
