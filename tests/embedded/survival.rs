//! `kill -9` of PostgreSQL, of its owner, and of both.

use widget_registry::data_dir::{DataDir, DataDirError};
use widget_registry::database::embedded::EmbeddedError;

use super::helper::Helper;
use super::{assert_fact, connect, folder, kill_9, lives, postmaster_of, started, until, write_fact};

#[tokio::test]
async fn a_killed_postgres_is_noticed_and_started_again() {
    let folder = folder();
    let mut cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    for _ in 0..2 {
        kill_9(postmaster_of(&folder.path().join("postgres")));
        let died = cluster.exited().await;
        assert!(matches!(&died, EmbeddedError::Died { status, .. } if status.contains('9')), "{died:?}");
        cluster.restart().await.unwrap();
        assert_fact(&cluster).await;
    }
    cluster.stop().await.unwrap();
}

/// The connection keeps a process of the killed PostgreSQL busy, which holds on to its memory.
#[tokio::test]
async fn a_busy_postgres_is_killed_and_started_again() {
    let folder = folder();
    let mut cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    let mut connection = connect(&cluster).await;
    let busy = tokio::spawn(async move { sqlx::query("SELECT pg_sleep(1000)").execute(&mut connection).await });
    kill_9(postmaster_of(&folder.path().join("postgres")));
    cluster.exited().await;
    cluster.restart().await.unwrap();
    assert_fact(&cluster).await;
    assert!(busy.await.unwrap().is_err());
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_end_that_was_asked_for_is_no_surprise_to_the_next_start() {
    let folder = folder();
    let cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    let pid = postmaster_of(&folder.path().join("postgres"));
    drop(cluster);
    let cluster = started(folder.path()).await;
    assert!(!lives(pid));
    assert_fact(&cluster).await;
    cluster.stop().await.unwrap();
}

/// Without `setpriv` PostgreSQL outlives its owner; a forgotten cluster stands for it.
#[tokio::test]
async fn an_orphan_is_ended_by_the_next_start() {
    let folder = folder();
    let cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    let orphan = postmaster_of(&folder.path().join("postgres"));
    std::mem::forget(cluster);
    let cluster = started(folder.path()).await;
    assert!(!lives(orphan));
    assert_fact(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_killed_owner_leaves_nothing_in_the_way() {
    let folder = folder();
    let mut helper = Helper::run("owner", folder.path(), &[]);
    assert_eq!(helper.says(), "started");
    match DataDir::open(folder.path()) {
        Err(DataDirError::InUse { pid: Some(pid), .. }) => assert_eq!(pid, helper.pid().as_raw().cast_unsigned()),
        other => panic!("two owners: {other:?}"),
    }
    helper.kill_9();
    let _data_dir = DataDir::open(folder.path()).unwrap();
    let cluster = started(folder.path()).await;
    assert_fact(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn both_killed_at_once_lose_nothing() {
    let folder = folder();
    let mut helper = Helper::run("owner", folder.path(), &[]);
    assert_eq!(helper.says(), "started");
    kill_9(postmaster_of(&folder.path().join("postgres")));
    helper.kill_9();
    let _data_dir = DataDir::open(folder.path()).unwrap();
    let cluster = started(folder.path()).await;
    assert_fact(&cluster).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_owner_killed_in_its_first_start_leaves_no_half_cluster() {
    let folder = folder();
    let mut helper = Helper::run("owner", folder.path(), &[]);
    let building_site = folder.path().join("postgres.new");
    until("initdb is at work", || building_site.exists()).await;
    helper.kill_9();
    let _data_dir = DataDir::open(folder.path()).unwrap();
    let cluster = started(folder.path()).await;
    write_fact(&cluster).await;
    assert!(!building_site.exists());
    cluster.stop().await.unwrap();
}
