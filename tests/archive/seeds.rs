//! What the fuzz targets begin with: made here, kept in `fuzz/seeds`, so that a fuzzer needs no tests to be run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::builder::{Descriptor, Entry, deflate};
use super::hostile;
use super::widget::{EN, MANIFEST, RU, edited, files, with_settings, zip};

/// Set it to have the files written instead of compared.
const UPDATE: &str = "UPDATE_SEEDS";
/// Larger ones slow a fuzzer down and teach it little.
const LARGEST: usize = 2_500;
/// Bytes of all together.
const MOST: usize = 300 << 10;

/// By target and name.
type Seeds = BTreeMap<PathBuf, Vec<u8>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

fn add(seeds: &mut Seeds, target: &str, name: &str, bytes: impl Into<Vec<u8>>) {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let bytes = bytes.into();
    if bytes.len() <= LARGEST {
        assert!(seeds.insert(Path::new(target).join(&name), bytes).is_none(), "{target}/{name} is made twice");
    }
}

fn archives(seeds: &mut Seeds) {
    let described = zip().and(Entry::stored("a/b.txt", b"stored").described_by(Descriptor::Signed));
    add(seeds, "archive", "lawful", zip().bytes());
    add(seeds, "archive", "lawful with a descriptor", described.bytes());
    add(seeds, "archive", "lawful with a directory", zip().and(Entry::directory("empty/")).bytes());
    for one in hostile::all() {
        add(seeds, "archive", one.name, one.bytes);
    }
}

fn entries(seeds: &mut Seeds) {
    for (name, bytes) in files() {
        add(seeds, "entry", &name, deflate(&bytes).0);
    }
    let noise: Vec<u8> = (0_u32..1_000).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    add(seeds, "entry", "nothing", deflate(b"").0);
    add(seeds, "entry", "noise", deflate(&noise).0);
    add(seeds, "entry", "repetition", deflate(&b"abcabcabd".repeat(40)).0);
    add(seeds, "entry", "two stored blocks", b"\0\x01\0\xFE\xFFx\x01\x01\0\xFE\xFFy");
    add(seeds, "entry", "stored block without an end", b"\0\x01\0\xFE\xFFx");
    add(seeds, "entry", "one byte too many", [deflate(b"x").0, vec![0]].concat());
    add(seeds, "entry", "unknown block", [7]);
}

fn manifests(seeds: &mut Seeds) {
    let settings = ["text", "pass", "users", "users_lp", "custom"].map(|kind| {
        format!(r#""{kind}": {{"name": {{"ru": "Имя", "en": "Name"}}, "type": "{kind}", "required": false}}"#)
    });
    let dp =
        r#""locations": ["digital_pipeline"], "dp": {"webhook_url": "https://example.ru/hook", "settings": {}}, "x""#;
    let named = [
        ("plain", MANIFEST.to_owned()),
        ("settings", with_settings(&format!("{{{}}}", settings.join(",")))),
        ("secret", edited(r#""init_once""#, r#""secret_key": "abc", "code": "old_one", "init_once""#)),
        ("digital pipeline", edited(r#""locations""#, dp)),
        ("flags as texts", edited("\"init_once\": false", "\"init_once\": \"Y\"")),
        ("escapes", edited("widget.name", r"\u00e9\ud83d\ude00\n\/")),
        ("lone surrogate", edited("widget.name", r"\ud800")),
        ("byte order mark", format!("\u{feff}{MANIFEST}")),
        ("deep", with_settings(&"[".repeat(40))),
        ("comment", edited("{", "{ // no JSON\n")),
        ("trailing comma", with_settings("{},")),
    ];
    for (name, manifest) in named {
        add(seeds, "manifest", name, format!("{manifest}\0{RU}"));
    }
    add(seeds, "manifest", "without texts", MANIFEST);
    add(seeds, "manifest", "broken texts", format!("{MANIFEST}\0{{'widget': 1}}"));
}

fn bodies(seeds: &mut Seeds) {
    for (name, body) in [
        (
            "settings",
            r#"{"login": "example", "password": "eXaMp1E", "phones": {"504141": "1039"}, "x": {"name": "Y"}}"#,
        ),
        ("numbers", r"[0, -0, -0.0, 1e5, 1E+99, 12345678901234567890123, 0.10, -9223372036854775808, 1e999]"),
        ("texts", r#"["\u0041\/\b", "\ud83d\ude00", "\u00e9", "", "\\\""]"#),
        ("twice", r#"{"a": 1, "\u0061": 2}"#),
        ("nul", r#"{"a": "\u0000"}"#),
        ("lone surrogate", r#""\udc00""#),
        ("deep", "[[[[[[[[[[]]]]]]]]]]"),
        ("blanks", " \r\n\t{ \"a\" : [ true , false , null ] } "),
        ("form feed", "\u{c}1\u{c}"),
        ("trailing", "{} {}"),
        ("english", EN),
    ] {
        add(seeds, "json", name, body);
    }
}

fn codes_and_versions(seeds: &mut Seeds) {
    let long = "a".repeat(65);
    for (name, code) in [
        ("plain", "amo_asterisk"),
        ("all kinds", "_a.b-c9\0_a.b-c9"),
        ("dots", "..\0."),
        ("upper", "A\0é"),
        ("long", &long),
    ] {
        add(seeds, "code", name, code);
    }
    let long = format!("{}\0{}", "9".repeat(64), "0".repeat(65));
    for (name, version) in [
        ("plain", "1.0.0"),
        ("equal", "1.2\x001.2.0.0\x0001.2"),
        ("longer", "1.10\x001.9\x001.9.0.1"),
        ("wrong", "1.\x00.1\x001.0-beta"),
        ("five", "1.2.3.4.5\0"),
        ("long", &long),
    ] {
        add(seeds, "version", name, version);
    }
}

fn kept() -> Seeds {
    let mut seeds = Seeds::new();
    for target in fs::read_dir(folder()).into_iter().flatten() {
        for file in fs::read_dir(target.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            seeds.insert(path.strip_prefix(folder()).unwrap().to_owned(), fs::read(&path).unwrap());
        }
    }
    seeds
}

#[test]
fn seeds_are_what_is_made_here() {
    let mut seeds = Seeds::new();
    archives(&mut seeds);
    entries(&mut seeds);
    manifests(&mut seeds);
    bodies(&mut seeds);
    codes_and_versions(&mut seeds);
    assert!(seeds.values().map(Vec::len).sum::<usize>() < MOST);
    if env::var_os(UPDATE).is_some() {
        for path in kept().keys().filter(|path| !seeds.contains_key(*path)) {
            fs::remove_file(folder().join(path)).unwrap();
        }
        for (path, bytes) in &seeds {
            let path = folder().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
    let kept = kept();
    let differ = |path: &&PathBuf| kept.get(*path) != seeds.get(*path);
    let differing: Vec<_> = seeds.keys().chain(kept.keys()).filter(differ).collect();
    assert!(differing.is_empty(), "run the tests once with {UPDATE}=1, and look at {differing:?}");
}
