//! The database of a service under test, reached past it as its superuser.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use widget_registry::database::embedded;

/// Puts widgets and installs into an empty registry.
const FILL: &str = include_str!("fill.sql");

/// Where a database is.
#[derive(Debug, Clone)]
pub struct Database {
    pub socket_dir: PathBuf,
    pub name: &'static str,
    /// The role of the service.
    pub service_role: &'static str,
    /// PostgreSQL's messages.
    pub log: PathBuf,
    /// The process that all of PostgreSQL descends from.
    pub postmaster: u32,
}

/// How much is put into a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub widgets: u64,
    pub accounts: u64,
}

impl Database {
    pub fn options(&self) -> PgConnectOptions {
        embedded::connect_options(&self.socket_dir).database(self.name)
    }

    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect_with(&self.options()).await?)
    }

    /// A URL of its superuser, as libpq and its relatives read it.
    pub fn url(&self) -> String {
        let socket_dir = self.socket_dir.to_string_lossy().replace('%', "%25").replace('/', "%2F");
        format!("postgres://postgres@localhost/{}?host={socket_dir}", self.name)
    }

    /// Runs statements.
    pub async fn run(&self, statements: String) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Fills it, and tells how long that took.
    pub async fn fill(&self, size: Size) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let settings = format!("SET bench.widgets = '{}'; SET bench.accounts = '{}';", size.widgets, size.accounts);
        self.run(format!("{settings}\n{FILL}")).await.context("the database cannot be filled")?;
        // What the database does by itself in its own time.
        self.run("VACUUM ANALYZE".to_owned()).await?;
        Ok(begun.elapsed())
    }
}

/// The number of the process that holds a cluster.
pub fn postmaster(cluster_dir: &Path) -> anyhow::Result<u32> {
    let file = cluster_dir.join("postmaster.pid");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().next().context("no process")?.trim().parse()?)
}
