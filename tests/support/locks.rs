//! Locks that a test holds in the database, and waiting until somebody waits for them.

use sqlx::{AssertSqlSafe, Postgres, Transaction};

use super::app::TestApp;

impl TestApp {
    /// Locks tables against every use until the transaction ends.
    pub async fn lock(&self, tables: &str) -> Transaction<'static, Postgres> {
        let mut transaction = self.pool.begin().await.unwrap();
        let statement = AssertSqlSafe(format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"));
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
        transaction
    }

    /// Waits until this many of the service's statements wait for a lock. What goes on beside the requests does not count: its
    /// statements pass over locked rows, but not over locked tables; and so do the look for old listings
    /// after the start, and the catalogue in memory when it reads what has changed.
    pub async fn blocked(&self, count: i64) {
        while self.waiters().await != count {}
    }

    /// Waits until nobody waits for a lock any more.
    pub async fn undisturbed(&self) {
        self.blocked(0).await;
    }

    async fn waiters(&self) -> i64 {
        let statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
             AND query NOT LIKE '%SKIP LOCKED%' AND query NOT LIKE '%l.edition < $1%' \
             AND query NOT LIKE '%w.owner_user_id FROM widgets w JOIN%'";
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
    }
}
