//! Starts on ground that is clean, used, or littered.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use sqlx::Executor as _;
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{Cluster, Durability, EmbeddedError, Options};

use super::helper::Helper;
use super::{assert_fact, connect, folder, lives, options, postmaster_of, started, write_fact};

#[tokio::test]
async fn data_outlives_a_stop() {
    let folder = folder();
    let durable = || Options { durability: Durability::Durable, ..options(folder.path()) };
    let cluster = Cluster::start(durable()).await.unwrap();
    write_fact(&cluster).await;
    cluster.stop().await.unwrap();
    assert!(!folder.path().join("postgres/postmaster.pid").exists());
    assert!(!folder.path().join("postgres.new").exists());
    assert!(!folder.path().join("socket").exists());
    let cluster = Cluster::start(durable()).await.unwrap();
    assert_fact(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_set_up_as_promised() {
    let folder = folder();
    let cluster = Cluster::start(Options { durability: Durability::Durable, ..options(folder.path()) }).await.unwrap();
    let mut connection = connect(&cluster).await;
    for (setting, expected) in [
        ("listen_addresses", ""),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "20"),
        ("TimeZone", "UTC"),
        ("application_name", "widget-registry"),
    ] {
        let query = sqlx::query_scalar("SELECT current_setting($1)").bind(setting);
        let value: String = query.fetch_one(&mut connection).await.unwrap();
        assert_eq!(value, expected, "{setting}");
    }
    for name in ["postgres", "socket"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{name}");
    }
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_forgotten() {
    let folder = folder();
    let leftover = folder.path().join("postgres.new/4242/base");
    fs::create_dir_all(&leftover).unwrap();
    fs::write(leftover.join("1"), "half").unwrap();
    let cluster = started(folder.path()).await;
    assert!(!folder.path().join("postgres.new").exists());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn something_else_in_the_place_of_the_data_is_left_alone() {
    let folder = folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/holiday.jpg"), "").unwrap();
    let refused = Cluster::start(options(folder.path())).await;
    assert!(matches!(refused, Err(EmbeddedError::NotACluster { .. })), "{refused:?}");
    assert!(folder.path().join("postgres/holiday.jpg").exists());
}

#[tokio::test]
async fn an_unreadable_pid_file_does_not_stop_a_start() {
    let folder = folder();
    started(folder.path()).await.stop().await.unwrap();
    for text in ["", "garbage\n", "-\n"] {
        fs::write(folder.path().join("postgres/postmaster.pid"), text).unwrap();
        started(folder.path()).await.stop().await.unwrap();
    }
}

/// The number in the file belongs to a process that has nothing to do with us, but could be killed by us.
#[tokio::test]
async fn an_unrelated_process_survives_a_stale_pid_file() {
    let folder = folder();
    let cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    cluster.stop().await.unwrap();
    let cluster_dir = folder.path().join("postgres");
    let owner = fs::metadata(&cluster_dir).unwrap();
    let mut unrelated = Command::new("sleep").arg("1000").uid(owner.uid()).gid(owner.gid()).spawn().unwrap();
    fs::write(cluster_dir.join("postmaster.pid"), format!("{}\n{}\n", unrelated.id(), cluster_dir.display())).unwrap();
    let cluster = started(folder.path()).await;
    assert_fact(&cluster).await;
    assert!(unrelated.try_wait().unwrap().is_none());
    cluster.stop().await.unwrap();
    unrelated.kill().unwrap();
    unrelated.wait().unwrap();
}

#[tokio::test]
async fn a_postgres_of_another_directory_survives_a_stale_pid_file() {
    let (folder, other_folder) = (folder(), folder());
    started(folder.path()).await.stop().await.unwrap();
    let other = started(other_folder.path()).await;
    write_fact(&other).await;
    let pid_file = other_folder.path().join("postgres/postmaster.pid");
    fs::copy(pid_file, folder.path().join("postgres/postmaster.pid")).unwrap();
    let cluster = started(folder.path()).await;
    assert!(lives(postmaster_of(&other_folder.path().join("postgres"))));
    assert_fact(&other).await;
    cluster.stop().await.unwrap();
    other.stop().await.unwrap();
}

#[tokio::test]
async fn a_deep_data_directory_is_no_problem() {
    let folder = folder();
    let data_dir = DataDir::open(&folder.path().join("d".repeat(100))).unwrap();
    assert!(!data_dir.socket_dir().starts_with(data_dir.path()));
    let options =
        || Options { cluster_dir: data_dir.cluster_dir(), socket_dir: data_dir.socket_dir(), ..options(folder.path()) };
    let cluster = Cluster::start(options()).await.unwrap();
    connect(&cluster).await;
    cluster.stop().await.unwrap();
    assert!(!data_dir.socket_dir().exists());
    let too_long = Options { socket_dir: data_dir.path().join("socket"), ..options() };
    let refused = Cluster::start(too_long).await;
    assert!(matches!(refused, Err(EmbeddedError::SocketPathTooLong { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_socket_folder_of_somebody_else_is_refused() {
    let folder = folder();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("socket")).unwrap();
    let refused = Cluster::start(options(folder.path())).await;
    assert!(matches!(refused, Err(EmbeddedError::SocketDirTaken { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_failed_start_shows_what_postgres_said() {
    let folder = folder();
    started(folder.path()).await.stop().await.unwrap();
    fs::write(folder.path().join("postgres/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let error = Cluster::start(options(folder.path())).await.unwrap_err();
    assert!(matches!(error, EmbeddedError::Start { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

/// Root's own folder is closed to others, and PostgreSQL does not run as root.
#[tokio::test]
async fn a_closed_folder_on_the_way_is_named() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let closed = folder();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let error = Cluster::start(options(&closed.path().join("inner"))).await.unwrap_err();
    let EmbeddedError::NotTraversable { blocker, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*blocker, closed.path().canonicalize().unwrap());
}

#[tokio::test]
async fn the_environment_does_not_reach_the_database() {
    let folder = folder();
    let mut helper = Helper::run("owner", folder.path(), &[]);
    assert_eq!(helper.says(), "started");
    helper.finish();
}

#[tokio::test]
async fn session_options_in_the_environment_are_refused() {
    let folder = folder();
    let mut helper = Helper::run("owner", folder.path(), &[("PGOPTIONS", "-c search_path=elsewhere")]);
    let said = helper.says();
    assert!(said.contains("PGOPTIONS"), "{said}");
}

#[tokio::test]
async fn many_starts_in_a_row_do_not_trip() {
    let folder = folder();
    for _ in 0..5 {
        let cluster = started(folder.path()).await;
        connect(&cluster).await.execute("SELECT 1").await.unwrap();
        cluster.stop().await.unwrap();
    }
}
