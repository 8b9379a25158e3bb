//! The data directory and its lock.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use widget_registry::data_dir::{DataDir, DataDirError};

#[test]
fn a_new_one_is_open_and_its_keys_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let data_dir = DataDir::open(&path).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(data_dir.path()), 0o755);
    assert_eq!(mode(&folder.path().join("a")), 0o755);
    assert_eq!(mode(&data_dir.keys_dir()), 0o700);
}

#[test]
fn one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let owner = DataDir::open(folder.path()).unwrap();
    let error = DataDir::open(folder.path()).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, DataDirError::InUse { pid: Some(found), .. } if found == pid), "{error:?}");
    assert!(error.to_string().contains(&pid.to_string()), "{error}");
    assert_eq!(DataDir::peek(folder.path()).unwrap().keys_dir(), owner.keys_dir());
    drop(owner);
    DataDir::open(folder.path()).unwrap();
}

#[test]
fn a_look_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    assert!(matches!(DataDir::peek(&path), Err(DataDirError::Missing { .. })));
    assert!(!path.exists());
}

#[test]
fn a_file_in_its_place_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(DataDir::open(&path), Err(DataDirError::Io { .. })));
    assert!(matches!(DataDir::peek(&path), Err(DataDirError::Missing { .. })));
}
