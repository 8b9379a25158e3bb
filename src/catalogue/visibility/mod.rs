//! Who sees a widget, and changing that.

pub mod store;

use super::listing;
use super::widget::{Owner, Visibility};
use crate::archive::WidgetCode;
use crate::database::{Failure, Pool};

/// Accounts that are counted at most before a widget is not hidden from them.
const COUNTED: i64 = 10_000;

/// Why a widget is not hidden or shown.
#[derive(Debug, thiserror::Error)]
pub enum VisibilityError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// Other accounts would lose it.
    #[error("{} has the widget installed; it can be private again when they have uninstalled it", accounts(*.0))]
    Installed(i64),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

fn accounts(count: i64) -> String {
    match count {
        1 => "1 other account".to_owned(),
        COUNTED => format!("{COUNTED} or more other accounts"),
        count => format!("{count} other accounts"),
    }
}

/// Shows a widget to everybody, or hides it when no other account has it installed; one transaction, which no install can slip into.
///
/// # Errors
///
/// Why nothing was changed.
pub async fn change(pool: &Pool, code: &WidgetCode, caller: Owner, wanted: Visibility) -> Result<(), VisibilityError> {
    let mut transaction = pool.begin().await.map_err(Failure::from)?;
    let found = store::lock_against_installs(&mut transaction, code).await?;
    let widget = found.filter(|found| found.owner == caller).ok_or(VisibilityError::NotOwner)?;
    if wanted == Visibility::Private {
        let others = store::installs_elsewhere(&mut transaction, widget.id, caller.account, COUNTED).await?;
        if others > 0 {
            return Err(VisibilityError::Installed(others));
        }
    }
    store::set_visibility(&mut transaction, widget.id, wanted).await?;
    listing::write(&mut transaction, widget.id).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(())
}
