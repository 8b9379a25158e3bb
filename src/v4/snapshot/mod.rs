//! The catalogue in memory, for the v4 reads: every widget that has a current version, as bytes that are ready to be sent.
//!
//! How it follows the database. Every transaction that changes what it shows notes the widget, see [`crate::catalogue::changes`].
//! Everybody looks for notes four times a second, so that a change made by another server is seen within a second. A change made by
//! this one is seen by the very next request: the end of its transaction, whatever it ends by, makes the snapshot old, and who meets an
//! old one looks first. When it is not known what came of a transaction, because its client went away while it was being committed,
//! every reader looks first until all transactions of that time have ended.
//!
//! What is shown was true at most a second ago: who meets a snapshot that has not been compared with the database for longer looks
//! first, and when the database does not answer, nor does the reader. So a widget that was hidden is shown to nobody else after that.

mod page;
mod pieces;
mod ready;
pub mod store;
mod written;

use std::collections::VecDeque;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use tokio::task::JoinHandle;

use crate::archive::WidgetCode;
use crate::background::Stop;
use crate::catalogue::WidgetId;
use crate::catalogue::changes::{READ_WITHIN, store as changes};
use crate::database::{Ended, Failure, Pool, Writes};
use crate::http::problem::Problem;

pub use page::{Seen, Snapshot};
pub use ready::{NotReady, Ready};
pub(super) use written::{Written, shown, tag_of};

/// Time between two looks for changes.
const PAUSE: Duration = Duration::from_millis(250);
/// For how long what is in memory is believed without another look.
const BELIEVED: Duration = Duration::from_secs(1);
/// For how long a reader waits for a look.
const PATIENCE: Duration = Duration::from_secs(2);
/// Widgets that are read by one statement.
const BATCH: usize = 2_000;
/// Batches that are being made ready at most while the next one is read: making takes twice as long as reading, and each is in memory.
const AHEAD: usize = 3;

/// Why the catalogue in memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StaleError {
    /// The database does not say what has changed.
    #[error(transparent)]
    Database(#[from] Failure),
    /// What has changed is not known in time, or everything has to be read anew.
    #[error("the catalogue in memory is too old, and is being read anew")]
    TooOld,
}

impl From<StaleError> for Problem {
    fn from(error: StaleError) -> Self {
        match error {
            StaleError::Database(failure) => failure.into(),
            StaleError::TooOld => Self::DatabaseUnavailable,
        }
    }
}

/// The catalogue in memory, and how it stays what it is in the database.
#[derive(Debug)]
pub struct Live {
    pool: Pool,
    writes: Writes,
    default_locale: Arc<str>,
    shown: ArcSwap<Shown>,
    /// Where the next look begins. Whoever holds it looks; the others wait for what is found.
    looked: tokio::sync::Mutex<Option<Looked>>,
}

/// The catalogue as it is shown to one request.
#[derive(Debug)]
pub struct Catalogue(Guard<Arc<Shown>>);

impl Deref for Catalogue {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0.snapshot
    }
}

#[derive(Debug)]
struct Shown {
    snapshot: Arc<Snapshot>,
    /// What was over when it was compared with the database.
    covers: Ended,
    /// Whether all transactions of which nobody knows what came of them are over too.
    settled: bool,
    compared: Instant,
}

#[derive(Debug)]
struct Looked {
    /// In the database's words.
    at: String,
    time: i64,
    started: String,
    /// Transactions that were unsure then.
    unsure: u64,
    /// As of [`Begun`].
    settled_at: i64,
}

/// What was known before a look.
struct Begun {
    at: Instant,
    covers: Ended,
    /// When every transaction before this number has ended, nothing that is unsure can be committed any more.
    settled_at: i64,
}

impl Looked {
    /// Whether a later look finds every change since this one. Notes may be gone, or mean transactions of another run of the database,
    /// which counts some of them a second time.
    fn is_followed_by(&self, look: &changes::Look) -> bool {
        look.time.abs_diff(self.time) <= READ_WITHIN.as_secs() && look.started == self.started
    }
}

impl Live {
    /// Reads the catalogue.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn start(pool: Pool, writes: Writes, default_locale: String) -> Result<Self, Failure> {
        let nothing =
            Shown { snapshot: Arc::default(), covers: Ended::default(), settled: false, compared: Instant::now() };
        let (shown, looked) = (ArcSwap::from_pointee(nothing), tokio::sync::Mutex::new(None));
        let live = Self { pool, writes, default_locale: default_locale.into(), shown, looked };
        let begun = Instant::now();
        live.reload().await?;
        tracing::info!(widgets = live.widgets(), took = ?begun.elapsed(), "the catalogue is in memory");
        Ok(live)
    }

    /// The catalogue as it is: with every change that was answered by this server, and those that others made more than a second ago.
    ///
    /// # Errors
    ///
    /// When that cannot be told.
    pub async fn read(&self) -> Result<Catalogue, StaleError> {
        match self.believed() {
            Some(catalogue) => Ok(catalogue),
            // Seldom, so not a part of what every request carries.
            None => Box::pin(self.look_first()).await,
        }
    }

    /// [`Self::read`] when what is in memory may be old.
    async fn look_first(&self) -> Result<Catalogue, StaleError> {
        let asked = Instant::now();
        let look = async {
            let mut looked = self.looked.lock().await;
            // Somebody has looked meanwhile.
            if let Some(catalogue) = self.believed().or_else(|| self.compared_after(asked)) {
                return Ok(catalogue);
            }
            self.catch_up(&mut looked).await?;
            Ok(Catalogue(self.shown()))
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or(Err(StaleError::TooOld))
    }

    /// Says that somebody has met a widget in the database: when another server has published it just now, the next reader looks anew.
    pub fn met(&self, code: &WidgetCode) {
        if self.shown().snapshot.of_code(code).is_none() {
            self.writes.begin().committed();
        }
    }

    /// For how long nobody has compared what is in memory with the database.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.shown().compared.elapsed()
    }

    /// How many widgets are in memory.
    #[must_use]
    pub fn widgets(&self) -> usize {
        self.shown().snapshot.widgets()
    }

    /// Reads everything anew: what was changed without a note is seen after this.
    ///
    /// # Errors
    ///
    /// When the database fails; then what is in memory is as it was.
    pub async fn reload(&self) -> Result<(), Failure> {
        let mut looked = self.looked.lock().await;
        self.read_all(&mut looked).await
    }

    /// Looks for changes until the end is asked for.
    pub async fn follow(self: Arc<Self>, mut stop: Stop) {
        let mut fails = false;
        while !stop.within(PAUSE).await {
            let mut looked = self.looked.lock().await;
            let followed = match self.catch_up(&mut looked).await {
                Ok(()) => Ok(()),
                Err(StaleError::TooOld) => {
                    tracing::warn!("the catalogue in memory is read anew");
                    self.read_all(&mut looked).await
                }
                Err(StaleError::Database(failure)) => Err(failure),
            };
            // Told once, however long it lasts.
            match &followed {
                Ok(()) if fails => tracing::info!("the catalogue in memory follows the database again"),
                Err(error) if !fails => tracing::warn!(%error, "the catalogue in memory cannot follow the database"),
                _ => {}
            }
            fails = followed.is_err();
        }
    }

    fn shown(&self) -> Guard<Arc<Shown>> {
        self.shown.load()
    }

    /// What is in memory, when nothing speaks against it.
    #[must_use]
    pub fn believed(&self) -> Option<Catalogue> {
        // Asked first: what ends later counts as ended now.
        let quiet = !self.writes.are_under_way();
        let shown = self.shown();
        let Shown { covers, settled, compared, .. } = **shown;
        let as_it_is = quiet && settled && covers == self.writes.ended() && compared.elapsed() < BELIEVED;
        as_it_is.then_some(Catalogue(shown))
    }

    /// What is in memory, when the look at it began after this moment.
    fn compared_after(&self, asked: Instant) -> Option<Catalogue> {
        let shown = self.shown();
        (shown.compared > asked).then_some(Catalogue(shown))
    }

    /// Looks for changes, and shows them.
    async fn catch_up(&self, looked: &mut Option<Looked>) -> Result<(), StaleError> {
        let last = looked.as_ref().ok_or(StaleError::TooOld)?;
        let begun = self.begin(looked.as_ref()).await?;
        let look = changes::look(&self.pool, Some(&last.at)).await?;
        if !last.is_followed_by(&look) {
            return Err(StaleError::TooOld);
        }
        let mut snapshot = self.shown().snapshot.clone();
        if !look.changed.is_empty() {
            let mut changed = (*snapshot).clone();
            self.take(&mut changed, &look.changed).await?;
            snapshot = Arc::new(changed);
        }
        self.show(looked, &look, snapshot, &begun);
        Ok(())
    }

    /// Reads some widgets anew.
    async fn take(&self, snapshot: &mut Snapshot, changed: &[WidgetId]) -> Result<(), Failure> {
        let mut connection = self.pool.catalogue().await?;
        for batch in changed.chunks(BATCH) {
            let found = store::these(&mut connection, batch).await?;
            for id in batch {
                snapshot.remove(*id);
            }
            ready(found, &self.default_locale)?.into_iter().for_each(|widget| snapshot.put(widget));
        }
        Ok(())
    }

    async fn read_all(&self, looked: &mut Option<Looked>) -> Result<(), Failure> {
        let begun = self.begin(looked.as_ref()).await?;
        // First the look: what is changed while the widgets are read is found by the next.
        let look = changes::look(&self.pool, None).await?;
        let mut connection = self.pool.catalogue().await?;
        let (mut widgets, mut last) = (Vec::new(), WidgetId(i64::MIN));
        // Making widgets ready takes longer than getting their rows, and other processors can do it meanwhile.
        let mut batches = VecDeque::new();
        loop {
            let found = store::after(&mut connection, last, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            let Some(id) = found.last()? else { break };
            last = id;
            if batches.len() == AHEAD
                && let Some(batch) = batches.pop_front()
            {
                widgets.extend(made(batch).await?);
            }
            let locale = self.default_locale.clone();
            batches.push_back(tokio::task::spawn_blocking(move || ready(found, &locale)));
        }
        for batch in batches {
            widgets.extend(made(batch).await?);
        }
        drop(connection);
        let snapshot = made(tokio::task::spawn_blocking(move || Snapshot::of(&widgets))).await;
        self.show(looked, &look, Arc::new(snapshot), &begun);
        Ok(())
    }

    /// What is to be known before a look.
    async fn begin(&self, last: Option<&Looked>) -> Result<Begun, Failure> {
        let (covers, at) = (self.writes.ended(), Instant::now());
        let settled_at = match last {
            Some(last) if last.unsure == covers.unsure => last.settled_at,
            _ if covers.unsure == 0 => i64::MIN,
            _ => changes::mark(&self.pool).await?,
        };
        Ok(Begun { at, covers, settled_at })
    }

    fn show(&self, looked: &mut Option<Looked>, look: &changes::Look, snapshot: Arc<Snapshot>, since: &Begun) {
        let Begun { covers, settled_at, at: compared } = *since;
        *looked = Some(Looked {
            at: look.at.clone(),
            time: look.time,
            started: look.started.clone(),
            unsure: covers.unsure,
            settled_at,
        });
        let shown = Shown { snapshot, covers, settled: look.ended_before >= settled_at, compared };
        self.shown.store(Arc::new(shown));
    }
}

/// Makes the widgets of some rows ready, one after the other, so that no more than one is in memory in both forms. One that cannot be
/// read is shown to nobody, and keeps no other from being shown.
fn ready(rows: store::Rows, default_locale: &str) -> Result<Vec<Arc<Ready>>, Failure> {
    let one = |(id, listed): store::Read| {
        let shown = |error: &dyn std::fmt::Display| tracing::error!(widget = id.0, %error, "a widget cannot be shown");
        let listed = listed.inspect_err(|error| shown(error)).ok()?;
        Ready::of(listed, default_locale).inspect_err(|error| shown(error)).ok().map(Arc::new)
    };
    rows.read().filter_map(|read| read.map(one).transpose()).collect()
}

/// What another thread makes. A panic there is one here.
async fn made<T>(work: JoinHandle<T>) -> T {
    match work.await {
        Ok(made) => made,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // It was never begun, because the runtime is ending; so nobody waits for this either.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_away_for_long_reads_everything_anew() {
        let last = Looked { at: String::new(), time: 1_000_000, started: "a".to_owned(), unsure: 0, settled_at: 0 };
        for (time, started, follows) in [
            (1_000_000, "a", true),
            (1_001_800, "a", true),
            (1_001_801, "a", false),
            // A clock that was set back by as much tells nothing either.
            (998_199, "a", false),
            (1_000_001, "b", false),
        ] {
            let look = changes::Look {
                at: String::new(),
                ended_before: 1,
                time,
                started: started.to_owned(),
                changed: Vec::new(),
            };
            assert_eq!(last.is_followed_by(&look), follows, "{time} {started}");
        }
    }
}
