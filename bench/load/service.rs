//! The service under test, a process of its own, and the database behind it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{Cluster, Durability, Options};

use super::client::{self, Request};
use super::cpu::{Whose, resident};
use super::database::{Database, postmaster};
use super::tokens;

/// Connections that the embedded PostgreSQL takes for the service, which uses as many as it has requests at once: pgbench and peers, which keep
/// theirs open, need some too.
const CONNECTIONS: &str = "128";
/// How long a service that listens may take until it is ready, and how often it is asked.
const PATIENCE: Duration = Duration::from_mins(2);
const BETWEEN: Duration = Duration::from_millis(5);

/// What every service of a run has in common.
#[derive(Debug, Clone)]
pub struct Setup {
    pub program: PathBuf,
    pub secret_file: PathBuf,
    pub workers: usize,
    pub log: String,
}

/// A process that ends with whoever holds this.
struct Running(Child);

/// A running service.
pub struct Service {
    child: Running,
    pub address: SocketAddr,
    pub data_dir: PathBuf,
    pub database: Database,
    /// From its start to the first answer that shows that it is ready.
    pub started_in: Duration,
    /// Bytes of memory after that.
    pub resident: u64,
}

/// A PostgreSQL that the service does not run itself, with the two roles that the documentation asks for.
pub struct External {
    cluster: Cluster,
    pub database: Database,
}

impl Setup {
    /// The settings that the services get, as they are printed.
    pub fn settings(&self) -> Vec<(String, String)> {
        let setting = |name: &str, value: String| (format!("WIDGET_REGISTRY_{name}"), value);
        vec![
            setting("LOG", self.log.clone()),
            setting("WORKERS", self.workers.to_string()),
            setting("DATABASE_CONNECTIONS", CONNECTIONS.to_owned()),
            setting("VERIFICATION_KEYS", tokens::setting(&self.secret_file)),
        ]
    }

    /// Starts a service; `database` is an external one.
    pub async fn start(&self, data_dir: &Path, database: Option<&Database>) -> anyhow::Result<Service> {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        command.envs(self.settings()).env("WIDGET_REGISTRY_DATA_DIR", data_dir).env_remove("DATABASE_URL");
        if let Some(database) = database {
            let url = |role: &str| database.url().replace("//postgres@", &format!("//{role}@"));
            command.env("WIDGET_REGISTRY_DATABASE_URL", url(database.service_role));
            command.env("WIDGET_REGISTRY_DATABASE_MIGRATION_URL", url("registry_owner"));
            command.env("WIDGET_REGISTRY_ENCRYPTION_KEYS", STANDARD.encode([7; 32]));
        }
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut child = Running(child);
        let mut lines = BufReader::new(child.0.stdout.take().context("no output")?).lines();
        let line = lines.next().context("the service does not start")??;
        let address = line.strip_prefix("listening on http://").context("the service says something else")?.parse()?;
        let is_ready = Request::new("GET", "/registry/v1/health/ready", &[], "", 200);
        // One that has read a large catalogue first has to look what came meanwhile.
        let listens = Instant::now();
        while let Err(error) = client::ask(address, &is_ready).await {
            ensure!(listens.elapsed() < PATIENCE, "the service does not get ready: {error}");
            tokio::time::sleep(BETWEEN).await;
        }
        let started_in = begun.elapsed();
        let database = match database {
            Some(database) => database.clone(),
            None => embedded(data_dir)?,
        };
        let resident = resident(child.0.id()).context("no memory")?;
        Ok(Service { child, address, data_dir: data_dir.to_owned(), database, started_in, resident })
    }
}

fn embedded(data_dir: &Path) -> anyhow::Result<Database> {
    let data_dir = DataDir::peek(data_dir)?;
    Ok(Database {
        socket_dir: data_dir.socket_dir(),
        name: "postgres",
        service_role: "widget_registry",
        log: data_dir.database_log(),
        postmaster: postmaster(&data_dir.cluster_dir())?,
    })
}

impl Service {
    pub fn server(&self) -> Whose {
        Whose::Process(self.child.0.id())
    }

    /// Bytes of memory now.
    pub fn resident_now(&self) -> u64 {
        resident(self.child.0.id()).unwrap_or(0)
    }

    /// Lets it end as its supervisor would.
    pub fn stop(mut self) -> anyhow::Result<()> {
        terminate(&self.child.0)?;
        ensure!(self.child.0.wait()?.success(), "the service does not end well");
        Ok(())
    }
}

impl Drop for Running {
    /// After an error nobody stops it.
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = terminate(&self.0);
            let _ = self.0.wait();
        }
    }
}

/// Asks a process to end.
pub fn terminate(child: &Child) -> anyhow::Result<()> {
    Ok(kill(Pid::from_raw(child.id().try_into()?), Signal::SIGTERM)?)
}

impl External {
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let (cluster_dir, socket_dir, log) =
            (folder.join("cluster"), folder.join("socket"), folder.join("postgres.log"));
        let options = Options {
            cluster_dir: cluster_dir.clone(),
            socket_dir: socket_dir.clone(),
            bin_dir: None,
            durability: Durability::Durable,
            max_connections: 100,
            log: log.clone(),
        };
        let cluster = Cluster::start(options).await?;
        let database = Database {
            socket_dir,
            name: "registry",
            service_role: "registry_service",
            log,
            postmaster: postmaster(&cluster_dir)?,
        };
        let first = Database { name: "postgres", ..database.clone() };
        first.run("CREATE ROLE registry_owner LOGIN; CREATE ROLE registry_service LOGIN".to_owned()).await?;
        first.run("CREATE DATABASE registry OWNER registry_owner".to_owned()).await?;
        Ok(Self { cluster, database })
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        Ok(self.cluster.stop().await?)
    }
}
