//! Which PostgreSQL is taken.

use widget_registry::database::embedded::{EmbeddedError, find_binaries};

#[test]
fn the_machine_has_one() {
    let found = find_binaries(None, None, None).unwrap();
    assert!(found.major >= 14);
    assert_eq!(find_binaries(Some(&found.dir), Some(found.major), None).unwrap(), found);
}

#[test]
fn links_on_the_path_are_followed() {
    let real = find_binaries(None, None, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(real.dir.join("postgres"), folder.path().join("postgres")).unwrap();
    let found = find_binaries(None, Some(real.major), Some(folder.path().as_os_str())).unwrap();
    assert_eq!(found.dir, real.dir.canonicalize().unwrap());
}

#[test]
fn a_wrong_setting_is_an_error_even_when_others_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let error = find_binaries(Some(folder.path()), None, None).unwrap_err();
    assert!(matches!(error, EmbeddedError::NotBinaries { .. }), "{error:?}");
    assert!(error.to_string().contains("--postgres-bin"), "{error}");
}

#[test]
fn data_of_a_version_that_is_not_installed_says_what_to_install() {
    let error = find_binaries(None, Some(99), None).unwrap_err();
    assert!(matches!(error, EmbeddedError::MajorMissing { wanted: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("install PostgreSQL 99"), "{error}");
}
