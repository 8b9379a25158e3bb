//! Makes the data directory with `initdb`, whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use super::error::EmbeddedError;
use super::log::last_lines;
use super::postmaster::dying_with_us;
use super::{Durability, Site};

/// The major version that wrote the data in `cluster_dir`; `None` when there is no data.
pub(super) fn existing_major(cluster_dir: &Path) -> Result<Option<u32>, EmbeddedError> {
    let path = cluster_dir.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => {
            text.trim().parse().map(Some).map_err(|_| EmbeddedError::NotACluster { dir: cluster_dir.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let empty = fs::read_dir(cluster_dir).map_or(true, |mut entries| entries.next().is_none());
            if empty { Ok(None) } else { Err(EmbeddedError::NotACluster { dir: cluster_dir.to_owned() }) }
        }
        Err(error) => Err(EmbeddedError::io("read", &path)(error)),
    }
}

/// Makes the data directory of `site`, which must be missing or empty. It is built beside its place and moved there
/// when it is complete: no crash leaves half of one.
pub(super) fn initialize(site: &Site) -> Result<(), EmbeddedError> {
    tracing::info!(dir = %site.cluster_dir.display(), major = site.binaries.major, "making the database's data directory");
    let building_site = beside(&site.cluster_dir);
    remove_leftover(&building_site)?;
    fs::create_dir(&building_site).map_err(EmbeddedError::io("make", &building_site))?;
    // A folder per process inside: an initdb that outlives a killed registry for a moment cannot reach into ours.
    let fresh = building_site.join(std::process::id().to_string());
    make_owned(site, &fresh)?;
    let mut output = run_initdb(site, &fresh, "C.UTF-8")?;
    if !output.status.success() && said(&output).contains("invalid locale") {
        remove_leftover(&fresh)?;
        make_owned(site, &fresh)?;
        output = run_initdb(site, &fresh, "C")?;
    }
    if !output.status.success() {
        let (status, output) = (output.status.to_string(), last_lines(&said(&output)));
        // What the attempt left must not hide why it failed.
        let _ = remove_leftover(&building_site);
        return Err(EmbeddedError::Initdb { dir: site.cluster_dir.clone(), status, output });
    }
    fs::rename(&fresh, &site.cluster_dir).map_err(EmbeddedError::io("move the new data to", &site.cluster_dir))?;
    if let (Durability::Durable, Some(parent)) = (site.durability, site.cluster_dir.parent()) {
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(EmbeddedError::io("write", parent))?;
    }
    remove_leftover(&building_site)
}

fn beside(cluster_dir: &Path) -> PathBuf {
    let mut name = cluster_dir.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// Removes a folder, with patience: an `initdb` whose owner was killed may be writing to it, or removing it too.
fn remove_leftover(folder: &Path) -> Result<(), EmbeddedError> {
    let mut attempts = 100;
    while let Err(error) = fs::remove_dir_all(folder) {
        let raced = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty);
        match folder.symlink_metadata() {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => break,
            _ if raced && attempts > 0 => attempts -= 1,
            _ => return Err(EmbeddedError::io("remove", folder)(error)),
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn make_owned(site: &Site, folder: &Path) -> Result<(), EmbeddedError> {
    fs::create_dir(folder).map_err(EmbeddedError::io("make", folder))?;
    site.run_as.give(folder)
}

fn run_initdb(site: &Site, folder: &Path, locale: &str) -> Result<Output, EmbeddedError> {
    let program = site.binaries.initdb();
    let mut command: Command = dying_with_us(site, &program, "TERM");
    // Nobody but the socket's owner reaches the database, so nobody has to prove who they are.
    command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--data-checksums", "--no-instructions"]);
    command.arg(format!("--locale={locale}"));
    match site.durability {
        Durability::Durable => {}
        Durability::Throwaway => _ = command.arg("--no-sync"),
    }
    command.arg("-D").arg(folder);
    command.output().map_err(|source| EmbeddedError::Spawn { program, source })
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_data_or_nothing_or_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let cluster = folder.path().join("postgres");
        assert_eq!(existing_major(&cluster).unwrap(), None);
        fs::create_dir(&cluster).unwrap();
        assert_eq!(existing_major(&cluster).unwrap(), None);
        fs::write(cluster.join("PG_VERSION"), "17\n").unwrap();
        assert_eq!(existing_major(&cluster).unwrap(), Some(17));
        fs::remove_file(cluster.join("PG_VERSION")).unwrap();
        fs::write(cluster.join("holiday.jpg"), "").unwrap();
        assert!(matches!(existing_major(&cluster), Err(EmbeddedError::NotACluster { .. })));
    }
}
