//! The search behind a run of all tests: `tests/canary/suite` runs them with everything told that can be told, then this.
//!
//! What is searched for is every secret that the tests gave to a service or got from one ([`record`]). What is searched is what
//! [`Told`] lists, and what the database of all tests leaves behind: its log with every statement and its values, its write-ahead log,
//! and its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use super::search::{Searcher, without_page_headers};
use super::secrets::from_hex;
use super::world::files;
use crate::support::record::{self, SECRETS, Told};

/// Where a secret of this name may stand, and why.
const MAY_STAND: [(&str, &[&str], &str); 1] = [(
    "row from before sealing",
    &["rows", "tables", "database log", "write-ahead log", "database files"],
    "`sealing::legacy` writes such rows past the service, as they were before there was sealing",
)];

/// What is not secret and must be found in each place, and how many bytes the place has at least.
const SHOWN: [(&str, &str, usize); 11] = [
    ("log", "TRACE", 10_000_000),
    ("programs", "TRACE", 1_000_000),
    ("arguments", "serve", 10_000),
    ("errors", "application/problem+json", 1_000_000),
    ("metrics", "# EOF", 10_000),
    ("rows", "amo_asterisk", 1_000_000),
    ("tables", "amo_asterisk", 1_000_000),
    ("embedded", "amo_asterisk", 1_000_000),
    ("database log", "parameters: $1", 10_000_000),
    ("write-ahead log", "amo_asterisk", 10_000_000),
    ("database files", "pg_class", 1_000_000),
];

/// A run has some 27,000, most of them tokens; far fewer were not noted.
const SECRETS_AT_LEAST: usize = 10_000;

/// Names that some of them must have: each is noted in another place.
const NAMES: [&str; 11] = [
    "access_token",
    "hush",
    "key",
    "key-encryption key",
    "made secret",
    "private key",
    "refresh_token",
    "row from before sealing",
    "signing key",
    "token",
    "token for a widget",
];

/// Every secret with its names.
fn secrets(folder: &Path) -> BTreeMap<Vec<u8>, BTreeSet<String>> {
    let mut secrets: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join(SECRETS)).unwrap().lines() {
        let (name, digits) = line.split_once('\t').unwrap();
        let secret = from_hex(digits).unwrap();
        secrets.entry(secret).or_default().insert(name.to_owned());
    }
    secrets
}

/// What was seen of one place.
#[derive(Default)]
struct Seen {
    files: usize,
    bytes: usize,
    is_shown: bool,
    found: BTreeSet<String>,
}

impl Seen {
    fn look(&mut self, searcher: &Searcher, bytes: &[u8], shown: &str) {
        self.bytes += bytes.len();
        self.is_shown = self.is_shown || super::search::holds(bytes, shown.as_bytes());
        self.found.extend(searcher.find(bytes));
    }
}

/// Looks through a file piece by piece, none of which cuts what is searched for.
fn look_through(seen: &mut Seen, searcher: &Searcher, path: &Path, shown: &str) {
    const PIECE: u64 = 32 << 20;
    let Ok(mut file) = File::open(path) else { return };
    seen.files += 1;
    let mut piece = Vec::new();
    loop {
        let kept = piece.len().min(searcher.longest());
        piece.drain(..piece.len() - kept);
        if (&mut file).take(PIECE).read_to_end(&mut piece).unwrap() == 0 {
            return;
        }
        seen.look(searcher, &piece, shown);
    }
}

/// The files of each place.
fn places(folder: &Path) -> BTreeMap<String, Vec<std::path::PathBuf>> {
    let mut places: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for told in Told::ALL {
        places.insert(told.file(), vec![folder.join(told.file())]);
    }
    let cluster = folder.join("cluster");
    for path in files(&cluster) {
        let within = path.strip_prefix(&cluster).unwrap().to_str().unwrap();
        let place = match within {
            _ if within.starts_with("log") => "database log",
            _ if within.starts_with("data/pg_wal/") => "write-ahead log",
            _ => "database files",
        };
        places.entry(place.to_owned()).or_default().push(path);
    }
    places
}

#[test]
#[ignore = "`tests/canary/suite` runs it, after the others"]
fn nothing_of_the_run_shows_a_secret() {
    let folder = record::folder().expect("the variable that `tests/canary/suite` sets names a folder");
    // The database ends after the tests; until then it may write.
    while folder.join("cluster/data/postmaster.pid").exists() {
        std::thread::yield_now();
    }
    let secrets = secrets(folder);
    let names: Vec<(String, &[u8])> = secrets
        .iter()
        .map(|(secret, names)| (names.iter().map(String::as_str).collect::<Vec<_>>().join(", "), secret.as_slice()))
        .collect();
    let searcher = Searcher::new(names.iter().map(|(name, secret)| (name.as_str(), *secret)));
    let places = places(folder);
    let mut found = Vec::new();
    let mut too_little = Vec::new();
    let (mut all_files, mut all_bytes) = (0, 0);
    for (place, shown, least) in SHOWN {
        let mut seen = Seen::default();
        for path in places.get(place).into_iter().flatten() {
            if place == "write-ahead log" {
                seen.files += 1;
                seen.look(&searcher, &without_page_headers(&fs::read(path).unwrap()), shown);
            } else {
                look_through(&mut seen, &searcher, path, shown);
            }
        }
        println!("{place}: {} bytes in {} files", seen.bytes, seen.files);
        all_files += seen.files;
        all_bytes += seen.bytes;
        if seen.bytes < least || !seen.is_shown {
            too_little.push(format!("{place}: {} bytes, which show `{shown}`: {}", seen.bytes, seen.is_shown));
        }
        let may_stand = |told: &str| {
            let names = told.split_once(" (").map_or(told, |(names, _)| names);
            let mut allowed = MAY_STAND.iter().filter(|(_, places, _)| places.contains(&place));
            allowed.any(|(name, ..)| names.split(", ").any(|one| one == *name))
        };
        found.extend(seen.found.iter().filter(|told| !may_stand(told)).map(|told| format!("{place}: {told}")));
    }
    let (count, patterns) = searcher.size();
    println!("{count} secrets in {patterns} forms, {all_bytes} bytes in {all_files} files");
    let shown: Vec<&String> = found.iter().take(100).collect();
    assert!(found.is_empty(), "{} found:\n{shown:#?}", found.len());
    assert!(count >= SECRETS_AT_LEAST, "{count} secrets are too few");
    for name in NAMES {
        assert!(secrets.values().any(|names| names.contains(name)), "no secret is a {name}");
    }
    assert!(too_little.is_empty(), "{too_little:#?}");
}
