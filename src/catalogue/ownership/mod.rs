//! Whose a widget is, and handing it over.

pub mod api;
pub mod store;

use uuid::Uuid;

use super::changes;
use super::visibility::store as sight;
use super::widget::Owner;
use crate::archive::WidgetCode;
use crate::audit::{self, Actor, Change, Step};
use crate::database::{Failure, Pool, Writes};

/// Other widgets of an integration that a refusal names at most.
const NAMED: i64 = 10;

/// Why a widget is not handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// Other widgets have the same integration, and a widget's integration is its owner's.
    #[error(
        "the integration {client} goes with the widget, and is also that of {}; publish this widget again with another client_uuid, \
         then hand it over", codes(.others)
    )]
    SharedIntegration {
        /// The integration.
        client: Uuid,
        /// Codes of the other widgets, not all when they are many.
        others: Vec<String>,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

fn codes(codes: &[String]) -> String {
    codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ")
}

/// Hands a widget and its integration over to another user; one transaction, which neither an install nor publishing can slip into.
///
/// # Errors
///
/// Why nothing was changed.
pub async fn hand_over(
    pool: &Pool,
    writes: &Writes,
    code: &WidgetCode,
    caller: Owner,
    to: Owner,
    actor: &Actor,
) -> Result<(), HandOverError> {
    let write = writes.begin();
    let mut transaction = pool.begin_for(caller.account).await?;
    let found = sight::lock_against_installs(&mut transaction, code).await?;
    let widget = found.filter(|found| found.owner == caller).ok_or(HandOverError::NotOwner)?;
    if let Some(client) = widget.client_uuid {
        // From here on nobody publishes another widget with this integration, so those that have it can be looked for.
        store::set_integration_owner(&mut transaction, client, to).await?;
        let others = store::others_with(&mut transaction, client, widget.id, NAMED).await?;
        if !others.is_empty() {
            return Err(HandOverError::SharedIntegration { client, others });
        }
    }
    store::set_owner(&mut transaction, widget.id, to).await?;
    let change = Change::OwnerChanged {
        widget: code.as_str(),
        account_id: Step { from: caller.account.get(), to: to.account.get() },
        user_id: Step { from: caller.user.get(), to: to.user.get() },
        client_uuid: widget.client_uuid,
    };
    audit::record(&mut transaction, caller.account, actor, &change).await?;
    Ok(changes::commit(transaction, vec![write], widget.id).await?)
}
