//! Finds the PostgreSQL programs of this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::EmbeddedError;

/// The oldest major version that the registry's SQL is tested with.
const OLDEST_MAJOR: u32 = 14;

/// Where packages put PostgreSQL; one `*` stands for the rest of a name.
const USUAL_FOLDERS: [&str; 14] = [
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // PostgreSQL's own RPMs
    "/usr/bin",                                           // Fedora, Arch
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/lib/postgresql*/bin",                           // openSUSE
    "/usr/lib64/postgresql-*/bin",                        // Gentoo
    "/opt/homebrew/opt/postgresql*/bin",                  // Homebrew
    "/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew on Linux
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
    "/opt/local/lib/postgresql*/bin",                     // MacPorts
    "/usr/local/pgsql/bin",                               // built from source
    "/usr/local/bin",                                     // FreeBSD, the official Docker image
    "/run/current-system/sw/bin",                         // NixOS
];

/// A folder with the programs `postgres` and `initdb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder, without links.
    pub dir: PathBuf,
    /// The major version, for example 17.
    pub major: u32,
}

impl Binaries {
    pub(super) fn postgres(&self) -> PathBuf {
        self.dir.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.dir.join("initdb")
    }

    /// Asks the program in `dir` for its version; `None` when there is no working PostgreSQL.
    fn probe(dir: &Path) -> Option<Self> {
        // Packages link single programs from /usr/bin; their libraries and time zones lie beside the real ones.
        let dir = fs::canonicalize(dir.join("postgres")).ok()?.parent()?.to_owned();
        if !dir.join("initdb").is_file() {
            return None;
        }
        let mut command = Command::new(dir.join("postgres"));
        command.arg("--version").env_clear().current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { dir, major })
    }
}

/// Finds the programs: in the folder of the setting and nowhere else if there is a setting, else in the folders of
/// `path_env` (the value of `PATH`) and then in the usual folders. The newest major version wins, from 14 on, but for
/// existing data only the major version that wrote it can be used.
///
/// # Errors
/// [`EmbeddedError::NotBinaries`] and [`EmbeddedError::TooOld`] for a wrong setting, [`EmbeddedError::MajorMissing`]
/// when only other versions than that of the data are there, [`EmbeddedError::NoBinaries`] when there are none.
pub fn find_binaries(
    setting: Option<&Path>,
    existing_major: Option<u32>,
    path_env: Option<&OsStr>,
) -> Result<Binaries, EmbeddedError> {
    match setting {
        Some(dir) => from_setting(dir, existing_major),
        None => choose(candidates(path_env, &USUAL_FOLDERS), existing_major),
    }
}

fn from_setting(dir: &Path, existing_major: Option<u32>) -> Result<Binaries, EmbeddedError> {
    let binaries = Binaries::probe(dir).ok_or_else(|| EmbeddedError::NotBinaries { dir: dir.to_owned() })?;
    match existing_major {
        Some(wanted) if wanted != binaries.major => {
            Err(EmbeddedError::MajorMissing { wanted, found: vec![binaries.major] })
        }
        _ if binaries.major < OLDEST_MAJOR => Err(EmbeddedError::TooOld { dir: dir.to_owned(), major: binaries.major }),
        _ => Ok(binaries),
    }
}

fn candidates(path_env: Option<&OsStr>, usual: &[&str]) -> Vec<Binaries> {
    let from_path = path_env.into_iter().flat_map(std::env::split_paths);
    let mut found: Vec<Binaries> = Vec::new();
    for dir in from_path.chain(usual.iter().flat_map(|pattern| expand(pattern))) {
        if let Some(binaries) = Binaries::probe(&dir).filter(|binaries| !found.contains(binaries)) {
            found.push(binaries);
        }
    }
    found
}

fn choose(found: Vec<Binaries>, existing_major: Option<u32>) -> Result<Binaries, EmbeddedError> {
    let mut majors: Vec<u32> = found.iter().map(|binaries| binaries.major).collect();
    majors.sort_unstable();
    majors.dedup();
    let wanted = existing_major.or_else(|| majors.last().copied().filter(|newest| *newest >= OLDEST_MAJOR));
    match wanted.and_then(|wanted| found.into_iter().find(|binaries| binaries.major == wanted)) {
        Some(binaries) => Ok(binaries),
        None => match existing_major {
            Some(wanted) if !majors.is_empty() => Err(EmbeddedError::MajorMissing { wanted, found: majors }),
            _ => Err(EmbeddedError::NoBinaries),
        },
    }
}

/// The folders that a pattern of [`USUAL_FOLDERS`] means here, in the order of their names.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![PathBuf::from(pattern)] };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut folders: Vec<PathBuf> = named.map(|entry| entry.path().join(after.trim_start_matches('/'))).collect();
    folders.sort_unstable();
    folders
}

/// The 17 of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)`, the 18 of `postgres (PostgreSQL) 18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split("(PostgreSQL)").nth(1)?.trim_start();
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(major: u32) -> Binaries {
        Binaries { dir: PathBuf::from(format!("/pg/{major}")), major }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_major("postgres (PostgreSQL) 17.2 (Debian 17.2-1.pgdg120+1)\n"), Some(17));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("nonsense"), None);
    }

    #[test]
    fn the_newest_is_chosen_unless_data_exists() {
        assert_eq!(choose(vec![of(15), of(17), of(13)], None).unwrap(), of(17));
        assert_eq!(choose(vec![of(15), of(17), of(13)], Some(15)).unwrap(), of(15));
    }

    #[test]
    fn data_of_another_version_is_named() {
        let error = choose(vec![of(17), of(15)], Some(16)).unwrap_err().to_string();
        assert!(error.contains("PostgreSQL 16") && error.contains("15, 17"), "{error}");
    }

    #[test]
    fn nothing_usable_shows_the_four_ways_out() {
        for found in [vec![], vec![of(13)]] {
            let error = choose(found, None).unwrap_err().to_string();
            for way in ["DATABASE_URL", "apt-get install postgresql", "docker compose", "--postgres-bin"] {
                assert!(error.contains(way), "{way} is missing in: {error}");
            }
        }
    }

    #[test]
    fn the_usual_folders_are_expanded() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["pgsql-15", "pgsql-17", "other"] {
            fs::create_dir_all(folder.path().join(name).join("bin")).unwrap();
        }
        let found = expand(&format!("{}/pgsql-*/bin", folder.path().display()));
        assert_eq!(found, [folder.path().join("pgsql-15/bin"), folder.path().join("pgsql-17/bin")]);
    }
}
