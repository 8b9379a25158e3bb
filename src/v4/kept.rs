//! What the v4 methods keep in memory of the database.

use std::sync::Arc;

use super::answers::Answers;
use super::snapshot::Live;
use crate::database::{self, Failure};
use crate::http::shared::Shared;
use crate::installs::Remembered;

/// What is kept in memory, for handlers to find.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The catalogue.
    pub catalogue: Arc<Live>,
    /// What accounts have installed.
    pub installs: Arc<Remembered>,
    /// Answers that were given before.
    pub answers: Arc<Answers>,
}

impl Kept {
    /// Reads the catalogue, and says how installs are remembered.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn read(shared: &Shared) -> Result<Self, Failure> {
        let (writes, locale) = (shared.catalogue_writes.clone(), shared.config.default_locale.clone());
        let catalogue = Live::start(shared.pool.clone(), writes, locale).await?;
        let mode = shared.config.install_memory;
        tracing::info!(installs = %mode, "what accounts have installed is read");
        shared.metrics.install_memory(mode.as_str());
        // What a function sets is not passed on to other machines.
        let together = if database::is_distributed(&shared.pool).await? { 0 } else { shared.config.threads() };
        let database = (shared.pool.clone(), together);
        let installs = Remembered::new(
            database,
            shared.config.limits.statement_time,
            shared.install_writes.clone(),
            mode,
            shared.metrics.clone(),
        );
        Ok(Self { catalogue: Arc::new(catalogue), installs: Arc::new(installs), answers: Arc::default() })
    }
}
