//! Temporary clusters leave nothing behind, however they end.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, PgConnection};
use widget_registry::database::embedded::Temporary;

use super::helper::Helper;
use super::{kill_9, lives, postmaster_of, until};

async fn answers(cluster: &Temporary) -> bool {
    let mut connection = PgConnection::connect_with(&cluster.connect_options()).await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await.unwrap();
    one == 1
}

#[tokio::test]
async fn nothing_is_left_after_its_end() {
    let cluster = Temporary::start().await.unwrap();
    assert!(answers(&cluster).await);
    let folder = cluster.folder().to_owned();
    let pid = postmaster_of(&folder.join("data"));
    drop(cluster);
    assert!(!folder.exists());
    assert!(!lives(pid));
}

#[tokio::test]
async fn several_do_not_meet() {
    let (one, other) = tokio::join!(Temporary::start(), Temporary::start());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.folder(), other.folder());
    drop(one);
    assert!(answers(&other).await);
}

/// The runtime of the test that starts it ends long before the suite does.
#[test]
fn it_outlives_the_runtime_that_started_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = std::thread::spawn(move || runtime().block_on(Temporary::start()).unwrap());
    let cluster = started.join().unwrap();
    assert!(runtime().block_on(answers(&cluster)));
}

#[tokio::test]
async fn nothing_is_left_when_postgres_was_killed() {
    let cluster = Temporary::start().await.unwrap();
    let folder = cluster.folder().to_owned();
    kill_9(postmaster_of(&folder.join("data")));
    drop(cluster);
    assert!(!folder.exists());
}

#[tokio::test]
async fn nothing_is_left_after_the_end_of_a_process() {
    let mut helper = Helper::run("suite", Path::new(""), &[]);
    let (folder, pid) = start_of(&mut helper);
    helper.finish();
    until("the folder is gone", || !folder.exists()).await;
    assert!(!lives(pid));
}

#[tokio::test]
async fn nothing_is_left_when_the_process_was_killed() {
    let mut helper = Helper::run("suite", Path::new(""), &[]);
    let (folder, pid) = start_of(&mut helper);
    helper.kill_9();
    until("the folder is gone", || !folder.exists()).await;
    assert!(!lives(pid));
}

#[tokio::test]
async fn nothing_is_left_when_the_process_was_killed_during_the_start() {
    let mut helper = Helper::run("suite", Path::new(""), &[]);
    assert_eq!(helper.says(), "starting");
    let prefix = format!("widget-registry-{}-", helper.pid());
    let mut folder = None;
    until("initdb is at work", || {
        folder = find(&prefix).filter(|folder| folder.join("data.new").exists());
        folder.is_some()
    })
    .await;
    helper.kill_9();
    let folder = folder.unwrap();
    until("the folder is gone", || !folder.exists()).await;
}

fn start_of(helper: &mut Helper) -> (PathBuf, nix::unistd::Pid) {
    assert_eq!(helper.says(), "starting");
    let folder = PathBuf::from(helper.says());
    let pid = postmaster_of(&folder.join("data"));
    (folder, pid)
}

fn find(prefix: &str) -> Option<PathBuf> {
    let bases = [PathBuf::from("/dev/shm"), std::env::temp_dir(), PathBuf::from("/tmp")];
    let entries = bases.iter().filter_map(|base| fs::read_dir(base).ok()).flatten().flatten();
    entries.map(|entry| entry.path()).find(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix))
}
