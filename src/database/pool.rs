//! The connections. There is no way to one that does not say whose rows are to be seen on it, and the database holds it to that: the
//! policies of row-level security go by what is set here.
//!
//! What is set ends with its transaction, so nothing is left for the next one, also behind a transaction pooler. It goes to the database
//! together with BEGIN, in one message. `SET LOCAL` and not a function, because a distributed database passes only the former on to its
//! nodes. Or the statement is a call of a function that sets the account itself, and such a database runs the whole function where the
//! account is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, select_all};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::{Failure, in_any_case};
use crate::auth::AccountId;
use crate::config::Limits;
use crate::threads;

/// A transaction. One that only reads need not be committed: dropped, it is rolled back on its connection's way back to the pool, and
/// nobody waits for that.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// A connection for one statement that is alone in its transaction.
pub type Lone = PoolConnection<Postgres>;

/// Connections that have been unused for longer are asked whether they still live before they are used.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(5);

/// Connections that a part of a pool has at least: with fewer, those who share it would wait for each other.
const LEAST: u32 = 4;

/// A pool of connections; clones share it.
///
/// What the database answers wakes the thread that opened the connection. If somebody on another thread waits for it, that one has to be
/// woken too. So where there are connections enough, at least four for each and a quarter for all else,
/// threads that answer requests have a part each, else they share parts. One of another part is taken when all of the own are in use.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// For what is done beside requests; for everything when there are no others.
    beside: PgPool,
    /// Of the threads that answer requests.
    answering: Vec<PgPool>,
}

impl Parts {
    fn iter(&self) -> impl Iterator<Item = &PgPool> {
        self.answering.iter().chain(std::iter::once(&self.beside))
    }
}

impl Pool {
    /// A pool that connects when it is first used, and opens so many connections at most: for so many threads that answer requests.
    #[must_use]
    pub fn new(options: PgConnectOptions, connections: u32, threads: usize, limits: &Limits) -> Self {
        // Poolers refuse this parameter, and nothing here reads a float.
        let options = options.extra_float_digits(None);
        let part = |connections| Self::part(options.clone(), connections, limits);
        let (beside, answering) = shares(connections, threads);
        Self(Arc::new(Parts { beside: part(beside), answering: answering.into_iter().map(part).collect() }))
    }

    fn part(options: PgConnectOptions, connections: u32, limits: &Limits) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(limits.connection_time)
            // A question before each use costs as much as the statement itself.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE_TIME {
                        sqlx::Connection::ping(connection).await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options)
    }

    /// The part that has a connection for this thread, its own before any other; `None` when all connections are in use.
    fn nearest(&self) -> Option<&PgPool> {
        let Parts { beside, answering } = &*self.0;
        let of_thread = |number: usize| answering.get(number % answering.len().max(1));
        let own = threads::number().and_then(of_thread).unwrap_or(beside);
        let has_one = |part: &&PgPool| part.num_idle() > 0 || part.size() < part.options().get_max_connections();
        std::iter::once(own).chain(self.0.iter()).find(has_one)
    }

    /// Begins a transaction with what is set for it, whether or not anybody waits for it any more: when it is given up between BEGIN and the answer
    /// to it, the connection would go back to the pool as if none had begun, and what others do on it would be rolled back with it.
    async fn begin(&self, setting: Option<&str>) -> Result<Transaction, Failure> {
        let words = setting.map_or_else(|| "BEGIN".to_owned(), |setting| format!("BEGIN; SET LOCAL {setting}"));
        let part = if let Some(part) = self.nearest() {
            part.clone()
        } else {
            // It is the part of this connection that has one again.
            let waiting = self.0.iter().map(|part| Box::pin(async { part.acquire().await.map(|_| part.clone()) }));
            select_all(waiting).await.0?
        };
        in_any_case(async move { Ok(part.begin_with(AssertSqlSafe(words)).await?) }).await
    }

    /// Begins a transaction of one account: of what belongs to accounts it sees and changes what is this one's. The catalogue it sees,
    /// as every transaction does.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_for(&self, account: AccountId) -> Result<Transaction, Failure> {
        self.begin(Some(&rows_of(Some(account)))).await
    }

    /// [`Self::begin_for`] the caller's account, or [`Self::begin_catalogue`] when nobody in particular calls.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_for_caller(&self, account: Option<AccountId>) -> Result<Transaction, Failure> {
        match account {
            Some(account) => self.begin_for(account).await,
            None => self.begin_catalogue().await,
        }
    }

    /// Begins a transaction that sees and changes the rows of every account: for work that belongs to none. Whoever calls this is listed
    /// in `tests/architecture.rs` with the reason.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_across_accounts(&self) -> Result<Transaction, Failure> {
        self.begin(Some(&rows_of(None))).await
    }

    /// Begins a transaction of one account, or with `None` across all, that finds rows by indexes alone: for the work of a queue. A plan
    /// that was made while its table was empty reads all of it, and is still in use when it is long.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_queue(&self, whose: Option<AccountId>) -> Result<Transaction, Failure> {
        self.begin(Some(&format!("{}; SET LOCAL enable_seqscan = off", rows_of(whose)))).await
    }

    /// Begins a transaction that sees no account's rows, only the catalogue.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_catalogue(&self) -> Result<Transaction, Failure> {
        self.begin(None).await
    }

    /// A connection for single statements that read the catalogue; it sees no account's rows.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn catalogue(&self) -> Result<PoolConnection<Postgres>, Failure> {
        if let Some(part) = self.nearest() {
            return Ok(part.acquire().await?);
        }
        // The first that is free again, whichever part it is of.
        let (first, ..) = select_all(self.0.iter().map(|part| Box::pin(part.acquire()))).await;
        Ok(first?)
    }

    /// A connection for one statement that is alone in its transaction: a call of a function of the migrations that sets, for that
    /// transaction, whose rows it is after. Nothing else sees any account's rows on it. Whoever calls this is listed in
    /// `tests/architecture.rs` with the functions.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn alone(&self) -> Result<Lone, Failure> {
        self.catalogue().await
    }

    /// Whether somebody who needs a connection would find one.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.nearest().is_some()
    }

    /// How many connections there are.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.0.iter().map(PgPool::size).sum()
    }

    /// How many of them nobody uses.
    #[must_use]
    pub fn num_idle(&self) -> usize {
        self.0.iter().map(PgPool::num_idle).sum()
    }

    /// Closes every connection, and waits for those that are in use.
    pub async fn close(&self) {
        join_all(self.0.iter().map(PgPool::close)).await;
    }
}

/// The setting that shows the rows of one account, or with `None` of all.
fn rows_of(account: Option<AccountId>) -> String {
    match account {
        // A number, so there is nothing to escape.
        Some(account) => format!("widget_registry.account_id = '{}'", account.get()),
        None => "widget_registry.all_accounts = 'on'".to_owned(),
    }
}

/// How many connections there are at most for what is done beside requests, and for each part of the threads that answer them. Where there
/// are few, all are in the first.
fn shares(connections: u32, threads: usize) -> (u32, Vec<u32>) {
    let beside = connections / 4;
    let rest = connections - beside;
    let count = (rest / LEAST).min(u32::try_from(threads).unwrap_or(u32::MAX));
    if beside == 0 || count == 0 {
        return (connections, Vec::new());
    }
    (beside, (0..count).map(|number| rest / count + u32::from(number < rest % count)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_parts_of_their_own_where_there_are_connections_enough() {
        for (connections, threads, expected) in [
            (16, 2, (4, vec![6, 6])),
            (16, 1, (4, vec![12])),
            (16, 64, (4, vec![4, 4, 4])),
            (17, 2, (4, vec![7, 6])),
            (6, 2, (1, vec![5])),
            (5, 2, (1, vec![4])),
            (4, 2, (4, vec![])),
            (1, 2, (1, vec![])),
            (16, 0, (16, vec![])),
        ] {
            let (beside, answering) = shares(connections, threads);
            assert_eq!(beside + answering.iter().sum::<u32>(), connections);
            assert_eq!((beside, answering), expected, "{connections} {threads}");
        }
    }
}
