//! Writing a file so that it is either whole or absent, whatever ends us while we do: beside its place first, then under its name.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file of this mode that is not there yet.
///
/// # Errors
///
/// When it is, or it cannot be written.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    draft(path, ".draft-", bytes, mode)?.persist_noclobber(path).map_err(|lost| lost.error)?;
    keep(path)
}

/// Writes a file of mode 0600, in the place of the one that is there. What a killed program leaves behind begins with `draft_prefix`.
///
/// # Errors
///
/// When it cannot be written; then what was there still is.
pub fn replace(path: &Path, bytes: &[u8], draft_prefix: &str) -> io::Result<()> {
    draft(path, draft_prefix, bytes, 0o600)?.persist(path).map_err(|lost| lost.error)?;
    keep(path)
}

/// The folder of a file.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn draft(path: &Path, prefix: &str, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new().prefix(prefix).tempfile_in(folder_of(path))?;
    draft.as_file().set_permissions(Permissions::from_mode(mode))?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    Ok(draft)
}

/// A name is only as lasting as its folder.
fn keep(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_name_is_taken_once_or_handed_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        create(&path, b"first", 0o400).unwrap();
        assert_eq!(create(&path, b"second", 0o400).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"first".to_vec(), 0o400));
        replace(&path, b"third", "draft").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"third".to_vec(), 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
    }
}
