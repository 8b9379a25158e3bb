//! Who sees a widget, and changing that.

pub mod api;
pub mod explain;
pub mod store;

use std::str::FromStr;

use super::widget::{Owner, Visibility};
use super::{changes, listing};
use crate::archive::WidgetCode;
use crate::audit::{self, Actor, Change, Step};
use crate::database::{Failure, Pool, Writes};

/// The rule by which somebody sees a widget, or does not; decided in SQL by `sight!`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everybody sees it.
    Public,
    /// It is the user's own.
    Owner,
    /// It is installed in the account.
    Installed,
    /// None of these: it is not seen.
    Private,
    /// It was deleted, and nobody sees it.
    Deleted,
}

impl FromStr for Sight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "public" => Ok(Self::Public),
            "owner" => Ok(Self::Owner),
            "installed" => Ok(Self::Installed),
            "private" => Ok(Self::Private),
            "deleted" => Ok(Self::Deleted),
            other => Err(format!("`{other}` is no rule of sight")),
        }
    }
}

/// Accounts that are counted at most before a widget is not hidden from them.
pub(super) const COUNTED: i64 = 10_000;

/// Why a widget is not hidden or shown.
#[derive(Debug, thiserror::Error)]
pub enum VisibilityError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// Other accounts would lose it.
    #[error("{} the widget installed; it can be private again when they have uninstalled it", accounts_have(*.0, "other account"))]
    Installed(i64),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// `3 accounts have`, as a sentence begins.
pub(super) fn accounts_have(count: i64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun} has"),
        COUNTED => format!("{COUNTED} or more {noun}s have"),
        count => format!("{count} {noun}s have"),
    }
}

/// Shows a widget to everybody, or hides it when no other account has it installed; one transaction, which no install can slip into.
///
/// # Errors
///
/// Why nothing was changed.
pub async fn change(
    pool: &Pool,
    writes: &Writes,
    code: &WidgetCode,
    caller: Owner,
    wanted: Visibility,
    actor: &Actor,
) -> Result<(), VisibilityError> {
    let write = writes.begin();
    let mut transaction = pool.begin_across_accounts().await?;
    let found = store::lock_against_installs(&mut transaction, code).await?;
    let widget = found.filter(|found| found.owner == caller).ok_or(VisibilityError::NotOwner)?;
    if wanted == Visibility::Private {
        let others = store::installs_elsewhere(&mut transaction, widget.id, Some(caller.account), COUNTED).await?;
        if others > 0 {
            return Err(VisibilityError::Installed(others));
        }
    }
    store::set_visibility(&mut transaction, widget.id, wanted).await?;
    listing::write(&mut transaction, widget.id).await?;
    let visibility = Step { from: widget.visibility.as_str(), to: wanted.as_str() };
    let change = Change::VisibilityChanged { widget: code.as_str(), visibility };
    audit::record(&mut transaction, caller.account, actor, &change).await?;
    Ok(changes::commit(transaction, vec![write], widget.id).await?)
}
