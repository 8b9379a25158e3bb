//! Every hostile archive, sent to the service: it is told off, and nothing of it stays, neither a row nor a file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::hostile_archives;
use crate::program::server::{Server, block_on, folder, program};
use crate::support::{Answer, Claims, Client, test};

async fn publish(client: &Client, bytes: Vec<u8>) -> Answer {
    client.post_bytes("/registry/v1/widgets?code=hostile&visibility=public", "application/zip", bytes).await
}

/// Whether the client is at fault, in the words of a problem.
fn assert_refused(name: &str, answer: &Answer) {
    match answer.status {
        413 => _ = answer.problem(413),
        _ => assert!(answer.problem(400).starts_with("The archive was refused"), "{name}: {answer:?}"),
    }
}

#[test]
fn are_refused_and_leave_no_row() {
    test(async |app| {
        let before = app.contents().await;
        let publisher = app.admin();
        for (name, bytes) in hostile_archives() {
            assert_refused(name, &publish(&publisher, bytes).await);
        }
        assert_eq!(app.contents().await, before);
    });
}

fn files(below: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        found.insert(path);
    }
    found
}

#[test]
fn leave_no_file() {
    let home = folder();
    let [data, scratch, work] = ["data", "scratch", "a/b/c/d/work"].map(|name| home.path().join(name));
    fs::create_dir(&scratch).unwrap();
    fs::create_dir_all(&work).unwrap();
    let mut command = program();
    command.current_dir(&work).env("TMPDIR", &scratch);
    let server = Server::run(command, &data, &[]);
    // Its own folders aside: the database writes there all the time.
    let outside = || -> BTreeSet<_> {
        files(home.path()).into_iter().filter(|path| !path.starts_with(data.join("postgres"))).collect()
    };
    let before = outside();
    assert!(before.contains(&work) && before.len() > 8, "{before:?}");
    block_on(async {
        let publisher = server.caller(&data, &Claims::admin(1, 7).scopes(&["publish", "publish:public"]));
        for (name, bytes) in hostile_archives() {
            assert_refused(name, &publish(&publisher, bytes).await);
        }
    });
    assert_eq!(outside(), before);
}
