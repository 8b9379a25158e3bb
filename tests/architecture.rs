//! The plan of the house, held against the code: which way imports run, where libraries may be named, how long files get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file before its tests.
const LONGEST: usize = 400;

/// What each part may import from this crate. A part that is not here fails the test: add it, and draw its arrows.
const ARROWS: [(&str, &[&str]); 41] = [
    ("sources", &[]),
    ("background", &["database"]),
    ("digest", &[]),
    ("log_context", &[]),
    ("encoding", &[]),
    ("data_dir", &[]),
    ("archive", &[]),
    ("outgoing", &[]),
    ("threads", &[]),
    ("metrics", &["threads"]),
    ("auth", &["digest", "sources", "whole_file"]),
    ("whole_file", &[]),
    ("config", &["archive", "auth", "data_dir", "http", "outgoing"]),
    ("database", &["auth", "config", "data_dir", "threads"]),
    ("sealing", &["auth", "config", "data_dir", "database", "digest", "sources", "whole_file"]),
    (
        "http",
        &[
            "auth",
            "background",
            "config",
            "database",
            "digest",
            "encoding",
            "log_context",
            "metrics",
            "sealing",
            "sources",
            "threads",
        ],
    ),
    ("audit", &["auth", "database", "digest", "http"]),
    ("blobs", &["archive", "database", "digest", "encoding"]),
    ("catalogue", &["archive", "audit", "auth", "background", "blobs", "database", "digest", "http"]),
    ("files", &["archive", "auth", "blobs", "catalogue", "database", "digest", "http"]),
    (
        "installs",
        &[
            "archive",
            "audit",
            "auth",
            "background",
            "catalogue",
            "config",
            "database",
            "http",
            "metrics",
            "sealing",
            "threads",
        ],
    ),
    ("integrations", &["audit", "auth", "catalogue", "database", "http", "sealing", "sources"]),
    ("ratings", &["archive", "auth", "catalogue", "database", "http"]),
    ("delivery", &["audit", "auth", "background", "database", "http", "metrics", "outgoing", "sealing", "sources"]),
    (
        "continuations",
        &[
            "archive",
            "auth",
            "background",
            "catalogue",
            "database",
            "delivery",
            "digest",
            "http",
            "installs",
            "integrations",
            "outgoing",
            "sealing",
            "sources",
        ],
    ),
    ("resealing", &["audit", "auth", "background", "database", "delivery", "installs", "integrations", "sealing"]),
    ("token_keys", &["auth", "background", "http", "outgoing"]),
    (
        "oauth",
        &["auth", "background", "catalogue", "database", "digest", "http", "integrations", "log_context", "sources"],
    ),
    ("revocations", &["audit", "auth", "background", "catalogue", "database", "http", "oauth", "sources"]),
    ("bot", &["continuations", "http"]),
    (
        "v4",
        &[
            "archive",
            "audit",
            "auth",
            "background",
            "catalogue",
            "config",
            "continuations",
            "database",
            "digest",
            "encoding",
            "http",
            "installs",
            "threads",
        ],
    ),
    ("health", &["database", "http", "v4"]),
    ("monitoring", &["background", "config", "continuations", "database", "delivery", "http", "metrics", "v4"]),
    (
        "openapi",
        &[
            "audit",
            "catalogue",
            "continuations",
            "delivery",
            "files",
            "health",
            "http",
            "installs",
            "integrations",
            "monitoring",
            "oauth",
            "ratings",
            "revocations",
            "routes",
            "token_keys",
            "v4",
        ],
    ),
    (
        "routes",
        &[
            "audit",
            "catalogue",
            "continuations",
            "delivery",
            "files",
            "health",
            "http",
            "installs",
            "integrations",
            "monitoring",
            "oauth",
            "openapi",
            "ratings",
            "revocations",
            "token_keys",
            "v4",
        ],
    ),
    ("telemetry", &["config", "log_context"]),
    ("server", &["http", "routes", "threads", "v4"]),
    (
        "app",
        &[
            "auth",
            "background",
            "catalogue",
            "config",
            "continuations",
            "data_dir",
            "database",
            "delivery",
            "http",
            "installs",
            "monitoring",
            "oauth",
            "outgoing",
            "resealing",
            "revocations",
            "sealing",
            "server",
            "sources",
            "token_keys",
            "v4",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "archive",
            "audit",
            "auth",
            "bot",
            "catalogue",
            "config",
            "continuations",
            "data_dir",
            "database",
            "installs",
            "openapi",
            "outgoing",
            "resealing",
            "sealing",
            "sources",
            "telemetry",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// Pairs of parts that name each other on purpose, and why.
const MUTUAL: [(&str, &str); 2] = [
    // The limits of requests are settings, and some settings are origins as the wire has them.
    ("config", "http"),
    // The document describes the routes and is one of them.
    ("openapi", "routes"),
];

/// Where a library may be named: folders end with a slash.
const LIBRARIES: [(&str, &[&str]); 10] = [
    ("sqlx", &["database/", "store.rs"]),
    (
        "actix_web",
        &["routes.rs", "app.rs", "server.rs", "health.rs", "openapi.rs", "v4/", "api.rs", "http/", "cli/bot/widget.rs"],
    ),
    ("actix_http", &["server.rs", "http/"]),
    ("zip", &["archive/"]),
    ("flate2", &["archive/", "blobs/", "encoding.rs"]),
    ("brotli", &["blobs/", "encoding.rs"]),
    ("zstd", &["encoding.rs"]),
    ("jsonwebtoken", &["auth/"]),
    ("reqwest", &["cli/", "outgoing/"]),
    ("prometheus_client", &["metrics/"]),
];

/// Who sees the rows of every account, in how many places, and why no single account will do. Everybody else says whose rows they want.
const ACROSS_ACCOUNTS: [(&str, usize, &str); 19] = [
    ("audit/store.rs", 1, "the registry's own chain belongs to no account"),
    ("catalogue/deletion/mod.rs", 1, "a deleted widget is taken out of every account"),
    ("catalogue/visibility/mod.rs", 1, "a widget is hidden only when no other account has it installed"),
    ("cli/audit.rs", 2, "the chains of all accounts are checked"),
    ("cli/keys/signing.rs", 1, "the registry's own chain belongs to no account"),
    ("continuations/store.rs", 1, "old records are removed, whoever's they are"),
    ("continuations/sweep.rs", 1, "deadlines are looked for in all accounts at once"),
    ("database/pool.rs", 2, "the definitions"),
    ("delivery/history/store.rs", 1, "old deliveries are removed, whoever's they are"),
    ("delivery/secret/store.rs", 1, "accounts are looked for whose secrets were never sealed"),
    ("delivery/store.rs", 1, "a worker takes the event that is due next, whoever's it is"),
    ("installs/counts/mod.rs", 1, "installs are counted over all accounts"),
    (
        "installs/store.rs",
        2,
        "a plan tells a widget's owner in how many accounts the settings will not fit; accounts are looked for whose settings were never sealed",
    ),
    ("monitoring/mod.rs", 1, "the numbers that are watched are of all accounts together"),
    ("oauth/mod.rs", 1, "old refresh tokens are removed, whoever's they are"),
    (
        "revocations/mod.rs",
        2,
        "every server holds the revocations of all accounts; old ones are removed, whoever's they are",
    ),
    (
        "sealing/rotation.rs",
        3,
        "a key is given up only when it wraps no account's data key; what each wraps is listed; turning to one is told in the registry's own log",
    ),
    ("sealing/start.rs", 1, "at the start every key is tried on data keys that it has wrapped"),
    (
        "sealing/store.rs",
        4,
        "accounts are looked for whose data keys are to be wrapped anew, or are to say that all is sealed; a plan needs the data keys of many accounts",
    ),
];

/// Who calls functions of the migrations that set their accounts themselves, in how many places, and which.
const ALONE: [(&str, usize, &str); 7] = [
    ("continuations/proceed/mod.rs", 1, "answer_bot"),
    ("database/pool.rs", 1, "the definition"),
    ("installs/api.rs", 1, "set_lead_source"),
    ("installs/remembered/mod.rs", 1, "installs_of, installs_at"),
    ("installs/store.rs", 1, "widget_seen_by"),
    ("v4/install.rs", 1, "install_widget"),
    ("v4/uninstall.rs", 1, "uninstall_widget"),
];

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 50, "the sources are found");
    found
}

/// The code of a file without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn code_of(file: &str) -> String {
    code(&sources().into_iter().find(|(name, _)| name == file).unwrap().1)
}

/// The parts that a text names after `crate::`, braces included.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split('}').next().unwrap().split(',').map(|item| word(item.trim()))),
            None => {
                found.insert(word(rest));
            }
        }
    }
    found
}

fn part(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

#[test]
fn imports_run_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let from = part(&file);
        let allowed = allowed.get(from).unwrap_or_else(|| panic!("{file}: the part `{from}` has no arrows here"));
        for to in imports(&code(&text)) {
            if to != from && !allowed.contains(&to.as_str()) && ARROWS.iter().any(|(part, _)| *part == to) {
                wrong.push(format!("{file} imports {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_arrow_runs_in_a_circle() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let skip = |from: &str, to: &str| MUTUAL.iter().any(|(a, b)| (*a, *b) == (from, to));
    for start in arrows.keys() {
        let mut reached = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(from) = next.pop() {
            for to in arrows[from].iter().copied().filter(|to| !skip(from, to)) {
                assert_ne!(to, *start, "{start} reaches itself through {from}");
                if reached.insert(to) {
                    next.push(to);
                }
            }
        }
    }
}

#[test]
fn features_are_unknown_to_the_ground_they_stand_on() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for ground in ["http", "auth", "database", "archive"] {
        for feature in ["catalogue", "installs", "continuations", "v4"] {
            assert!(!arrows[ground].contains(&feature), "{ground} must not import {feature}");
        }
    }
}

#[test]
fn libraries_stay_where_they_are_wrapped() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (library, places) in LIBRARIES {
            let named = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let named = named.into_iter().any(|word| word.starts_with(&format!("{library}::")));
            let fits = places.iter().any(|place| {
                if place.ends_with('/') {
                    file.starts_with(place)
                } else {
                    file == *place || file.ends_with(&format!("/{place}"))
                }
            });
            if named && !fits {
                wrong.push(format!("{file} names {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files that hold a text, and how often.
fn places(text: &str) -> Vec<(String, usize)> {
    let count = |(file, source): (String, String)| (file, code(&source).matches(text).count());
    let mut found: Vec<_> = sources().into_iter().map(count).filter(|(_, count)| *count > 0).collect();
    found.sort();
    found
}

#[test]
fn whoever_sees_every_account_has_a_reason() {
    let expected = ACROSS_ACCOUNTS.map(|(file, count, _)| (file.to_owned(), count));
    let mut found = BTreeMap::new();
    for (file, count) in [places("begin_across_accounts("), places("begin_queue(")].concat() {
        *found.entry(file).or_insert(0) += count;
    }
    assert_eq!(Vec::from_iter(found), expected);
}

#[test]
fn whoever_begins_no_transaction_calls_what_sets_its_account() {
    let expected = ALONE.map(|(file, count, _)| (file.to_owned(), count));
    let mut found = places("pool.alone(");
    found.push(("database/pool.rs".to_owned(), code_of("database/pool.rs").matches("fn alone(").count()));
    found.sort();
    assert_eq!(found, expected);
    // Whatever else is sent on such a connection sees no account's rows. The last definition counts.
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let text: String = (1..=widget_registry::database::migrations::known_version())
        .map(|version| {
            let begin = format!("V{version}__");
            let mut entries = fs::read_dir(&migrations).unwrap().map(|entry| entry.unwrap());
            let entry = entries.find(|entry| entry.file_name().to_str().unwrap().starts_with(&begin)).unwrap();
            fs::read_to_string(entry.path()).unwrap()
        })
        .collect();
    for name in
        ALONE.iter().filter(|(file, ..)| *file != "database/pool.rs").flat_map(|(_, _, names)| names.split(", "))
    {
        let body = text.rsplit_once(&format!("FUNCTION {name}(")).unwrap().1.split_once("BEGIN\n").unwrap().1;
        assert!(body.trim_start().starts_with("PERFORM set_config('widget_registry.account"), "{name}");
    }
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(file, text)| (text.split("#[cfg(test)]").next().unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_migration_is_skipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut versions = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let stem = name.strip_suffix(".sql").unwrap_or_else(|| panic!("{name} is no .sql file"));
        let (version, title) =
            stem.strip_prefix('V').and_then(|rest| rest.split_once("__")).unwrap_or_else(|| panic!("{name}"));
        // Other names are passed over in silence by the tool that embeds them.
        assert!(
            title.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') && !title.is_empty(),
            "{name}"
        );
        versions.push(version.parse::<i32>().unwrap());
    }
    versions.sort_unstable();
    let expected: Vec<i32> = (1..).take(versions.len()).collect();
    assert_eq!(versions, expected, "versions follow each other without a gap");
    assert_eq!(widget_registry::database::migrations::known_version(), *expected.last().unwrap());
}
