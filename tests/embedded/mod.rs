//! The embedded database: started, killed in every way, and started again.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what supports tests fails and prints like tests"
)]

mod binaries;
mod data_dir;
mod helper;
mod start;
mod survival;
mod temporary;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use widget_registry::database::embedded::{Cluster, Durability, Options};

/// A folder that vanishes with the test and that the user of PostgreSQL can enter.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

fn options(folder: &Path) -> Options {
    Options {
        cluster_dir: folder.join("postgres"),
        socket_dir: folder.join("socket"),
        bin_dir: None,
        durability: Durability::Throwaway,
        max_connections: 20,
        log: folder.join("log"),
    }
}

async fn started(folder: &Path) -> Cluster {
    Cluster::start(options(folder)).await.unwrap()
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect_with(&cluster.connect_options()).await.unwrap()
}

/// Leaves a fact in the database that [`assert_fact`] finds again.
async fn write_fact(cluster: &Cluster) {
    let mut connection = connect(cluster).await;
    sqlx::query("CREATE TABLE IF NOT EXISTS facts (fact text)").execute(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO facts VALUES ('kept')").execute(&mut connection).await.unwrap();
}

async fn assert_fact(cluster: &Cluster) {
    let mut connection = connect(cluster).await;
    let fact: String = sqlx::query_scalar("SELECT fact FROM facts").fetch_one(&mut connection).await.unwrap();
    assert_eq!(fact, "kept");
}

/// The process that `postmaster.pid` names.
fn postmaster_of(cluster_dir: &Path) -> Pid {
    let text = fs::read_to_string(cluster_dir.join("postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}

fn kill_9(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
}

/// Whether the process runs. A dead one that its parent has not collected yet does not.
fn lives(pid: Pid) -> bool {
    let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
    kill(pid, None).is_ok() && !zombie
}

/// Waits until something is so, which must take less than half a minute.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < limit, "waited in vain until {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
