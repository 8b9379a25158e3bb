//! What publishing a version would change for the accounts that have the widget installed.

use std::sync::Arc;

use super::fit::{Difference, Tally, misfits};
use super::store;
use crate::archive::{Manifest, Package, Version, WidgetCode};
use crate::catalogue::versions::{self, becomes_current};
use crate::catalogue::{Owner, Template, WidgetId, store as catalogue};
use crate::config::Limits;
use crate::database::{Failure, Pool};
use crate::sealing::{Fault, Sealing};

/// Installs that are read at a time: at most 16 MiB of settings.
const BATCH: i64 = 64;

/// What would change.
#[derive(Debug)]
pub(super) struct Plan {
    /// The version that is current now; `None` when there is none.
    pub(super) current: Option<Version>,
    /// Whether the v4 API would show the new one: not below a higher version, nor beside a pinned one.
    pub(super) would_be_current: bool,
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
    /// The version exists with other content.
    #[error("version {0} exists with other content; raise the version in manifest.json")]
    OtherBytes(Version),
    /// The thread that counts was lost.
    #[error("counting was interrupted")]
    Interrupted,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
    /// Settings cannot be opened.
    #[error(transparent)]
    Sealing(#[from] Fault),
}

/// Holds a package against what is published and installed; changes nothing.
///
/// # Errors
///
/// Why there is no plan.
pub(super) async fn plan(
    (pool, sealing): (&Pool, &Sealing),
    publisher: Owner,
    code: &WidgetCode,
    package: &Package,
    limits: &Limits,
) -> Result<Plan, PlanError> {
    let Manifest { version, settings, .. } = &package.manifest;
    let new = Template::of(settings);
    let Some(found) = catalogue::published(pool, code).await? else {
        let difference = Difference::between(&Template::default(), &new);
        return Ok(Plan { current: None, would_be_current: true, difference, tally: Tally::default() });
    };
    if found.owner != publisher {
        return Err(PlanError::ForeignCode(code.clone()));
    }
    let there = versions::store::archive_digest(pool, found.id, version).await?;
    if there.is_some_and(|there| there.0 != package.sha256) {
        return Err(PlanError::OtherBytes(version.clone()));
    }
    let (current, old) = found.current.map_or((None, Template::default()), |(version, old)| (Some(version), old));
    let would_be_current = there.is_none() && becomes_current(version, current.as_ref(), found.is_pinned);
    let difference = Difference::between(&old, &new);
    let tally = tally((pool, sealing), found.id, new, limits).await?;
    Ok(Plan { current, would_be_current, difference, tally })
}

/// Counts the accounts whose settings do not fit a template, some at a time and away from the threads that answer requests.
async fn tally(
    (pool, sealing): (&Pool, &Sealing),
    widget: WidgetId,
    template: Template,
    limits: &Limits,
) -> Result<Tally, PlanError> {
    let (template, limits) = (Arc::new(template), Arc::new(limits.clone()));
    let mut tally = Tally::default();
    let mut after = 0;
    loop {
        let batch = store::settings_of_accounts(pool, widget, after, BATCH).await?;
        let Some((last, _)) = batch.last() else { return Ok(tally) };
        after = last.get();
        sealing.prepare(batch.iter().flat_map(|(_, stored)| stored.keys())).await?;
        let mut opened = Vec::with_capacity(batch.len());
        for (account, stored) in &batch {
            opened.push(stored.open(sealing, *account, widget).await?);
        }
        let (template, limits) = (template.clone(), limits.clone());
        let counted = tokio::task::spawn_blocking(move || {
            for settings in &opened {
                tally.count(&template, &misfits(&template, settings, &limits));
            }
            tally
        });
        tally = counted.await.map_err(|_| PlanError::Interrupted)?;
    }
}
