//! Advising against a widget: installs go on, and people are told what to take instead.

pub mod api;
pub mod store;

use time::OffsetDateTime;

use super::store as catalogue;
use super::widget::Owner;
use crate::archive::WidgetCode;
use crate::audit::{self, Actor, Change};
use crate::database::{Failure, Pool};

/// What an owner says against a widget.
#[derive(Debug, Clone)]
pub struct Advice {
    /// The widget to take instead.
    pub replacement: Option<WidgetCode>,
    /// In the owner's words.
    pub message: Option<String>,
}

/// A deprecated widget as people see it.
#[derive(Debug)]
pub struct Deprecation {
    /// Since when.
    pub since: OffsetDateTime,
    /// The code of the widget to take instead, while there is one that people may be told of.
    pub replacement: Option<String>,
    /// In the owner's words.
    pub message: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeprecationError {
    /// The caller does not own the widget, or there is none.
    #[error("the widget is not the caller's")]
    NotOwner,
    /// The replacement is the widget itself, does not exist, or is neither public nor the caller's.
    #[error("the replacement is none")]
    NoReplacement,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// Advises against a widget, or with `None` no longer; one transaction. Returns what people see then.
///
/// # Errors
///
/// Why nothing was changed.
pub async fn deprecate(
    pool: &Pool,
    code: &WidgetCode,
    caller: Owner,
    advice: Option<&Advice>,
    actor: &Actor,
) -> Result<Option<Deprecation>, DeprecationError> {
    let mut transaction = pool.begin_for(caller.account).await?;
    let found = catalogue::lock(&mut transaction, code).await?;
    let widget = found.filter(|found| found.owner == caller).ok_or(DeprecationError::NotOwner)?;
    match advice {
        None => store::clear(&mut transaction, widget.id).await?,
        Some(Advice { replacement, message }) => {
            let replacement = match replacement {
                None => None,
                Some(other) if other == code => return Err(DeprecationError::NoReplacement),
                Some(other) => {
                    let found = store::replacement(&mut transaction, other, caller).await?;
                    Some(found.ok_or(DeprecationError::NoReplacement)?)
                }
            };
            store::set(&mut transaction, widget.id, replacement, message.as_deref()).await?;
        }
    }
    let change = match advice {
        None => Change::WidgetUndeprecated { widget: code.as_str() },
        Some(Advice { replacement, .. }) => {
            let replacement = replacement.as_ref().map(WidgetCode::as_str);
            Change::WidgetDeprecated { widget: code.as_str(), replacement }
        }
    };
    let deprecation = store::find(&mut transaction, widget.id).await?;
    audit::record(&mut transaction, caller.account, actor, &change).await?;
    transaction.commit().await.map_err(Failure::from)?;
    Ok(deprecation)
}
