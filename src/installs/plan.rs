//! What publishing a version would change for the accounts that have the widget installed.

use super::fit::{Difference, Tally, misfits};
use super::store;
use crate::archive::{Manifest, Version, WidgetCode};
use crate::catalogue::{Owner, Template, store as catalogue};
use crate::config::Limits;
use crate::database::{Failure, Pool};

/// Installs that are read at a time.
const BATCH: i64 = 1_000;

/// What would change.
#[derive(Debug)]
pub(super) struct Plan {
    /// The version that is current now; `None` when there is none.
    pub(super) current: Option<Version>,
    /// How the settings would differ from those of the current version.
    pub(super) difference: Difference,
    /// How the accounts' settings would fit.
    pub(super) tally: Tally,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    /// There is a widget of this code, and it is somebody else's.
    #[error("the code `{0}` belongs to another publisher; choose another one")]
    ForeignCode(WidgetCode),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// Holds a manifest against what is published and installed; changes nothing.
///
/// # Errors
///
/// Why there is no plan.
pub(super) async fn plan(
    pool: &Pool,
    publisher: Owner,
    code: &WidgetCode,
    manifest: &Manifest,
    limits: &Limits,
) -> Result<Plan, PlanError> {
    let new = Template::of(&manifest.settings);
    let Some(found) = catalogue::published(pool, code).await? else {
        let difference = Difference::between(&Template::default(), &new);
        return Ok(Plan { current: None, difference, tally: Tally::default() });
    };
    if found.owner != publisher {
        return Err(PlanError::ForeignCode(code.clone()));
    }
    let (current, old) = found.current.map_or((None, Template::default()), |(version, old)| (Some(version), old));
    let mut tally = Tally::default();
    let mut after = 0;
    loop {
        let batch = store::settings_of_accounts(pool, found.id, after, BATCH).await?;
        for (account, settings) in &batch {
            tally.count(&misfits(&new, settings, limits));
            after = *account;
        }
        if i64::try_from(batch.len()).unwrap_or(i64::MAX) < BATCH {
            break;
        }
    }
    Ok(Plan { current, difference: Difference::between(&old, &new), tally })
}
