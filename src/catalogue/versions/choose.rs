//! Which version is current: the newest that is not yanked, unless its owner has pinned one.

use std::cmp::Ordering;

use crate::archive::{Version, WidgetCode};
use crate::audit::{self, Action, Actor, Change, Step};
use crate::catalogue::store::{self as catalogue, Registered};
use crate::catalogue::versions::store;
use crate::catalogue::widget::Owner;
use crate::catalogue::{changes, listing};
use crate::database::{Failure, Pool, Writes};

/// What an owner does with versions.
#[derive(Debug, Clone)]
pub enum Choice {
    /// Takes one back: it is never current.
    Yank(Version),
    /// Gives one free again.
    Restore(Version),
    /// Makes one current, whatever is published later.
    Pin(Version),
    /// Lets the newest be current again.
    Unpin,
}

impl Choice {
    /// As the audit log tells it.
    fn change<'a>(&self, code: &'a WidgetCode, from: Option<&Version>, to: Option<&Version>) -> Change<'a> {
        let (action, version) = match self {
            Self::Yank(version) => (Action::VersionYanked, Some(version)),
            Self::Restore(version) => (Action::VersionRestored, Some(version)),
            Self::Pin(version) => (Action::VersionPinned, Some(version)),
            Self::Unpin => (Action::VersionUnpinned, None),
        };
        let text = |version: Option<&Version>| version.map(Version::to_string);
        let current = Step { from: text(from), to: text(to) };
        Change::VersionChosen { widget: code.as_str(), action, version: text(version), current }
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// There is no such version.
    #[error("there is no version {0}")]
    NoVersion(Version),
    /// A yanked version cannot be pinned.
    #[error("version {0} is yanked; restore it before it can be current")]
    Yanked(Version),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// Whether a version becomes current when it is published: not over a higher one, nor over one that was chosen by hand.
#[must_use]
pub fn becomes_current(new: &Version, current: Option<&Version>, is_pinned: bool) -> bool {
    current.is_none_or(|current| !is_pinned && new.order(current) != Ordering::Less)
}

/// Does what the owner chose, in one transaction, and returns the version that is current then.
///
/// # Errors
///
/// Why nothing was changed.
pub async fn change(
    pool: &Pool,
    writes: &Writes,
    code: &WidgetCode,
    caller: Owner,
    choice: &Choice,
    actor: &Actor,
) -> Result<Option<Version>, ChangeError> {
    let write = writes.begin();
    let mut transaction = pool.begin_for(caller.account).await?;
    let found = catalogue::lock(&mut transaction, code).await?;
    let Some(Registered { id, current_version, is_pinned, .. }) = found.filter(|found| found.owner == caller) else {
        return Err(ChangeError::NotOwner);
    };
    match choice {
        Choice::Yank(version) | Choice::Restore(version) => {
            let yanked = matches!(choice, Choice::Yank(_));
            if !store::set_yanked(&mut transaction, id, version, yanked).await? {
                return Err(ChangeError::NoVersion(version.clone()));
            }
        }
        Choice::Pin(_) | Choice::Unpin => {}
    }
    let eligible = store::eligible(&mut transaction, id).await?;
    let pinned = match choice {
        Choice::Pin(version) if eligible.contains(version) => Some(version.clone()),
        Choice::Pin(version) if store::exists(&mut transaction, id, version).await? => {
            return Err(ChangeError::Yanked(version.clone()));
        }
        Choice::Pin(version) => return Err(ChangeError::NoVersion(version.clone())),
        Choice::Unpin => None,
        // A pinned version that is yanked is pinned no longer.
        Choice::Yank(_) | Choice::Restore(_) => {
            current_version.clone().filter(|current| is_pinned && eligible.contains(current))
        }
    };
    // Of those that are equally high, like 1.2 and 1.2.0, it is the one that was published last, as at publishing.
    let current = pinned.clone().or_else(|| eligible.into_iter().max_by(Version::order));
    store::set_current(&mut transaction, id, current.as_ref(), pinned.is_some()).await?;
    listing::write(&mut transaction, id).await?;
    let change = choice.change(code, current_version.as_ref(), current.as_ref());
    audit::record(&mut transaction, caller.account, actor, &change).await?;
    changes::commit(transaction, vec![write], id).await?;
    Ok(current)
}
