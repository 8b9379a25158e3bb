//! The connections. There is no way to one that does not say whose rows are to be seen on it, and the database holds it to that: the
//! policies of row-level security go by what is set here.
//!
//! What is set ends with its transaction, so nothing is left for the next one, also behind a transaction pooler. It goes to the database
//! together with BEGIN, in one message. `SET LOCAL` and not a function, because a distributed database passes only the former on to its
//! nodes. Or the statement is a call of a function that sets the account itself, and such a database runs the whole function where the
//! account is.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres};

use super::Failure;
use crate::auth::AccountId;
use crate::config::Limits;

/// A transaction. One that only reads need not be committed: dropped, it is rolled back on its connection's way back to the pool, and
/// nobody waits for that.
pub type Transaction = sqlx::Transaction<'static, Postgres>;

/// A connection for one statement that is alone in its transaction.
pub type Lone = PoolConnection<Postgres>;

/// Connections that have been unused for longer are asked whether they still live before they are used.
const TRUSTED_IDLE_TIME: Duration = Duration::from_secs(5);

/// A pool of connections; clones share it.
#[derive(Debug, Clone)]
pub struct Pool(pub(super) PgPool);

impl Pool {
    /// A pool that connects when it is first used.
    #[must_use]
    pub fn new(options: PgConnectOptions, connections: u32, limits: &Limits) -> Self {
        let pool = PgPoolOptions::new()
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
            // Poolers refuse this parameter, and nothing here reads a float.
            .connect_lazy_with(options.extra_float_digits(None));
        Self(pool)
    }

    /// Begins a transaction of one account: of what belongs to accounts it sees and changes what is this one's. The catalogue it sees,
    /// as every transaction does.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_for(&self, account: AccountId) -> Result<Transaction, Failure> {
        // A number, so there is nothing to escape.
        let begin = format!("BEGIN; SET LOCAL widget_registry.account_id = '{}'", account.get());
        Ok(self.0.begin_with(AssertSqlSafe(begin)).await?)
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
        Ok(self.0.begin_with("BEGIN; SET LOCAL widget_registry.all_accounts = 'on'").await?)
    }

    /// Begins a transaction that sees no account's rows, only the catalogue.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn begin_catalogue(&self) -> Result<Transaction, Failure> {
        Ok(self.0.begin().await?)
    }

    /// A connection for single statements that read the catalogue; it sees no account's rows.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn catalogue(&self) -> Result<PoolConnection<Postgres>, Failure> {
        Ok(self.0.acquire().await?)
    }

    /// A connection for one statement that is alone in its transaction: a call of a function of the migrations that sets, for that
    /// transaction, whose rows it is after. Nothing else sees any account's rows on it. Whoever calls this is listed in
    /// `tests/architecture.rs` with the functions.
    ///
    /// # Errors
    ///
    /// When the database cannot answer.
    pub async fn alone(&self) -> Result<Lone, Failure> {
        Ok(self.0.acquire().await?)
    }

    /// How many connections there are.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.0.size()
    }

    /// How many of them nobody uses.
    #[must_use]
    pub fn num_idle(&self) -> usize {
        self.0.num_idle()
    }

    /// Closes every connection, and waits for those that are in use.
    pub async fn close(&self) {
        self.0.close().await;
    }
}
