//! Where accounts have widgets installed, remembered, so that a read asks the database for nothing.
//!
//! Whoever changes what an account has begins a [`Change`] before the transaction. While one is under way nothing is remembered of the
//! account; what was remembered before its end is not believed after it, whatever it ended by. When nobody knows what came of a
//! transaction, because its connection was lost or its client went away while it was being committed, nothing is believed until every
//! transaction of that time has ended.

mod store;
mod together;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use together::Together;

use super::placements::{Placed, Placements};
use crate::auth::AccountId;
use crate::background::Stop;
use crate::catalogue::WidgetId;
use crate::catalogue::changes::store as transactions;
use crate::config::InstallMemory;
use crate::database::{self, AccountWrites, Ended, Failure, Lone, Pool, Write};
use crate::metrics::Metrics;
use crate::threads;

/// Installs that are remembered at most, in all accounts together; an account counts as some more. That is about 40 MB.
const MOST: u64 = 1_000_000;
/// What an account counts as besides its installs.
const ACCOUNT: u64 = 8;
/// Time between two looks for what came of transactions of which nobody knows.
const PAUSE: Duration = Duration::from_millis(250);

/// What accounts have installed.
#[derive(Debug)]
pub struct Remembered {
    pool: Pool,
    writes: AccountWrites,
    mode: InstallMemory,
    /// Of each thread that answers requests, which so waits for no other thread; empty when everybody asks alone.
    together: Box<[Gathered]>,
    known: Cache<AccountId, Known, Weight>,
    /// By the places of `writes`: of how many unsure transactions it is known that they have ended.
    settled: Vec<AtomicU64>,
    metrics: Arc<Metrics>,
    /// How long a statement takes at most.
    statement_time: Duration,
}

/// Reads that wait for the database, with those of other requests.
#[derive(Debug, Default)]
struct Gathered {
    all: Together<AccountId, Placements>,
    one: Together<(AccountId, WidgetId), Option<Placed>>,
}

#[derive(Debug, Clone)]
struct Known {
    placements: Arc<Placements>,
    /// What was over before it was read.
    covers: Ended,
    /// When it was read.
    read: Instant,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<AccountId, Known> for Weight {
    fn weight(&self, _: &AccountId, known: &Known) -> u64 {
        ACCOUNT + known.placements.widgets().count() as u64
    }
}

impl Remembered {
    /// Nothing is remembered yet. So many threads put the reads that wait for the database together, each its own; with 0 every read asks
    /// alone.
    #[must_use]
    pub fn new(
        (pool, threads): (Pool, usize),
        statement_time: Duration,
        writes: AccountWrites,
        mode: InstallMemory,
        metrics: Arc<Metrics>,
    ) -> Self {
        let together = std::iter::repeat_with(Gathered::default).take(threads).collect();
        let accounts = usize::try_from(MOST / ACCOUNT / 2).unwrap_or(usize::MAX);
        let settled = writes.iter().map(|_| AtomicU64::new(0)).collect();
        let known = Cache::with_weighter(accounts, MOST, Weight);
        Self { pool, writes, mode, together, known, settled, metrics, statement_time }
    }

    /// Every install of an account, and as of when they are remembered, see [`Self::is_still`]: of those that others change too, or that were
    /// read just now, nobody knows.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn all(&self, account: AccountId) -> Result<(Arc<Placements>, Option<Ended>), Failure> {
        match self.believed(account) {
            Some(known) => {
                self.metrics.installs_were_known();
                Ok((known.placements, self.is_exact().then_some(known.covers)))
            }
            // Seldom, so not a part of what every request carries.
            None => Box::pin(self.read(account)).await.map(|placements| (placements, None)),
        }
    }

    async fn read(&self, account: AccountId) -> Result<Arc<Placements>, Failure> {
        let (read, covers) = (Instant::now(), self.writes.of(account).ended());
        // What an unsure transaction does may come after what is read.
        let is_sure = self.is_settled_at(AccountWrites::place(account), covers);
        let placements = self.ask_for_all(account).await?;
        self.metrics.installs_were_read();
        if !is_sure || self.mode == InstallMemory::None {
            return Ok(Arc::new(placements));
        }
        let placements = Arc::new(placements);
        self.known.insert(account, Known { placements: placements.clone(), covers, read });
        Ok(placements)
    }

    /// Whether what is remembered is what the database has: nobody else changes it.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.mode == InstallMemory::OnlyWriter
    }

    /// Whether an account still has what was remembered of it as of then, because nobody has changed it; it counts as remembered.
    #[must_use]
    pub fn is_still(&self, account: AccountId, then: Ended) -> bool {
        let writes = self.writes.of(account);
        // Asked first: what ends later counts as ended now.
        let quiet = !writes.are_under_way();
        let is_still = quiet && writes.ended() == then;
        if is_still {
            self.metrics.installs_were_known();
        }
        is_still
    }

    /// Whether it is known that an account has not installed a widget.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn has_not(&self, account: AccountId, widget: WidgetId) -> Result<bool, Failure> {
        // Of what others may have changed, or change just now, nobody knows.
        if !self.is_exact() || self.writes.of(account).are_under_way() {
            return Ok(false);
        }
        let (installs, _) = self.all(account).await?;
        Ok(installs.of_widget(widget).is_none())
    }

    /// An account's install of one widget, and as of when it is remembered, see [`Self::is_still`].
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn one(&self, account: AccountId, widget: WidgetId) -> Result<(Option<Placed>, Option<Ended>), Failure> {
        if self.mode == InstallMemory::None {
            self.metrics.installs_were_read();
            return Ok((Box::pin(self.ask_for_one(account, widget)).await?, None));
        }
        let (installs, as_of) = self.all(account).await?;
        Ok((installs.of_widget(widget), as_of))
    }

    /// Where this thread's reads wait.
    fn gathered(&self) -> Option<&Gathered> {
        let number = threads::number().unwrap_or_default();
        self.together.get(number.checked_rem(self.together.len())?)
    }

    async fn ask_for_all(&self, account: AccountId) -> Result<Placements, Failure> {
        if let Some(Gathered { all, .. }) = self.gathered() {
            let pool = self.pool.clone();
            let put = move |connection, accounts: Vec<AccountId>| {
                let pool = pool.clone();
                async move {
                    let mut connection = taken(connection, &pool).await?;
                    let placements = store::placements_together(&mut connection, &accounts).await?;
                    Ok((pool.has_more().then_some(connection), placements))
                }
            };
            if let Some(placements) = all.ask(account, put).await {
                return Ok(placements);
            }
        }
        store::placements(&self.pool, account).await
    }

    async fn ask_for_one(&self, account: AccountId, widget: WidgetId) -> Result<Option<Placed>, Failure> {
        if let Some(Gathered { one, .. }) = self.gathered() {
            let pool = self.pool.clone();
            let put = move |connection, questions: Vec<(AccountId, WidgetId)>| {
                let pool = pool.clone();
                async move {
                    let mut connection = taken(connection, &pool).await?;
                    let placed = store::placement_together(&mut connection, &questions).await?;
                    Ok((pool.has_more().then_some(connection), placed))
                }
            };
            if let Some(placed) = one.ask((account, widget), put).await {
                return Ok(placed);
            }
        }
        store::placement(&self.pool, account, widget).await
    }

    /// Begins a change of what an account has installed; to be kept from before its transaction begins until it has ended.
    #[must_use]
    pub fn change(&self, account: AccountId) -> Change<'_> {
        let before = self.believed(account);
        let writes = self.writes.of(account);
        let write = writes.begin();
        // Another one that is under way may end before or after this one.
        let before = before.filter(|before| writes.is_only_one_under_way() && before.covers == writes.ended());
        Change { remembered: self, account, before, write }
    }

    /// Looks for what came of transactions of which nobody knows, until the end is asked for.
    pub async fn settle(self: Arc<Self>, mut stop: Stop) {
        let mut asked: Option<(i64, Vec<u64>)> = None;
        while !stop.within(PAUSE).await {
            let settled = match asked.take() {
                None if self.is_settled() => Ok(None),
                None => {
                    let unsure = self.unsure();
                    // What is sent without BEGIN has no number before it does something, as late as this.
                    if stop.within(self.statement_time).await {
                        return;
                    }
                    transactions::mark(&self.pool).await.map(|mark| Some((mark, unsure)))
                }
                Some(waits) => self.answered(waits).await,
            };
            asked = settled.unwrap_or_else(|error| {
                tracing::warn!(%error, "it is not known yet what came of an install or uninstall");
                None
            });
        }
    }

    fn is_settled(&self) -> bool {
        self.writes.iter().enumerate().all(|(place, writes)| self.is_settled_at(place, writes.ended()))
    }

    fn is_settled_at(&self, place: usize, ended: Ended) -> bool {
        self.settled.get(place).is_some_and(|settled| settled.load(Ordering::Acquire) == ended.unsure)
    }

    fn unsure(&self) -> Vec<u64> {
        self.writes.iter().map(|writes| writes.ended().unsure).collect()
    }

    /// Nothing more to wait for when every transaction before the number has ended.
    async fn answered(&self, (mark, unsure): (i64, Vec<u64>)) -> Result<Option<(i64, Vec<u64>)>, Failure> {
        if transactions::look(&self.pool, None).await?.ended_before < mark {
            return Ok(Some((mark, unsure)));
        }
        self.settled.iter().zip(&unsure).for_each(|(settled, unsure)| settled.store(*unsure, Ordering::Release));
        Ok(None)
    }

    /// What is remembered, when nothing speaks against it.
    fn believed(&self, account: AccountId) -> Option<Known> {
        let most = match self.mode {
            InstallMemory::None => return None,
            InstallMemory::For(time) => Some(time),
            InstallMemory::OnlyWriter => None,
        };
        let writes = self.writes.of(account);
        // Asked first: what ends later counts as ended now.
        let quiet = !writes.are_under_way();
        let known = self.known.get(&account)?;
        let is_new = most.is_none_or(|most| known.read.elapsed() < most);
        (quiet && is_new && known.covers == writes.ended()).then_some(known)
    }
}

/// The connection of the statement before, or one of the pool.
async fn taken(connection: Option<Lone>, pool: &Pool) -> Result<Lone, Failure> {
    match connection {
        Some(connection) => Ok(connection),
        // Seldom, and larger than all else that is waited for here.
        None => Box::pin(pool.alone()).await,
    }
}

/// A change of what an account has installed, under way.
#[derive(Debug)]
pub struct Change<'a> {
    remembered: &'a Remembered,
    account: AccountId,
    /// What was remembered, when nobody else changes it.
    before: Option<Known>,
    write: Write,
}

impl Change<'_> {
    /// Has a statement done that commits by itself. `outcome` tells by its result of which widget the account then has this install, or
    /// none, and the rest as before; `None` when nothing has changed.
    ///
    /// # Errors
    ///
    /// As [`database::commit_by`].
    pub async fn commit_by<T: Send + 'static>(
        self,
        statement: impl Future<Output = Result<T, Failure>> + Send + 'static,
        outcome: impl FnOnce(&T) -> Option<(WidgetId, Option<Placed>)>,
    ) -> Result<T, Failure> {
        let Self { remembered, account, before, write } = self;
        let done = database::commit_by(statement, write).await?;
        let Some(Known { placements, covers, read }) = before else { return Ok(done) };
        let ended = remembered.writes.of(account).ended();
        // Only this one has ended since: then it is known what the account has.
        if ended == (Ended { all: covers.all + 1, ..covers })
            && let Some((widget, placed)) = outcome(&done)
        {
            let placements = Arc::new(placements.with(widget, placed));
            remembered.known.insert(account, Known { placements, covers: ended, read });
        }
        Ok(done)
    }
}
