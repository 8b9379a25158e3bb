//! What the database holds, to tell whether a request changed it.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::app::TestApp;

/// Every table, its number of rows, and a digest of them.
pub type Contents = BTreeMap<String, (i64, String)>;

impl TestApp {
    /// What every table holds now.
    pub async fn contents(&self) -> Contents {
        // What is counted beside the requests is none of their doing.
        self.count_installs().await;
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
                .fetch_all(&self.pool)
                .await
                .unwrap();
        assert!(tables.len() > 5, "{tables:?}");
        let one = |table: &String| {
            format!(
                "SELECT '{table}', count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM \"{table}\" t"
            )
        };
        let all = tables.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ");
        let rows: Vec<(String, i64, String)> = sqlx::query_as(AssertSqlSafe(all)).fetch_all(&self.pool).await.unwrap();
        rows.into_iter().map(|(table, count, digest)| (table, (count, digest))).collect()
    }
}
