//! `SECURITY.md` names the tests that prove what it says: each must be there.

use std::fs;
use std::path::Path;

/// The tests that a text names as `folder/file.rs::name`.
fn named(text: &str) -> Vec<(String, String)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let named = quoted.filter_map(|quoted| quoted.split_once(".rs::"));
    named.map(|(file, name)| (format!("{file}.rs"), name.to_owned())).collect()
}

/// Whether a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let function = format!("fn {name}()");
    let mut lines = source.lines().map(str::trim);
    let mut attributes = Vec::new();
    lines.any(|line| {
        if line.starts_with("#[") {
            attributes.push(line.to_owned());
            return false;
        }
        let attributes = std::mem::take(&mut attributes);
        let is_test = attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        is_test && line.trim_start_matches("async ").starts_with(&function)
    })
}

#[test]
fn every_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named = named(&text);
    assert!(named.len() > 25, "{named:?}");
    for (file, name) in named {
        let source = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, &name), "{file} has no test {name}");
    }
    let proofs = text.split("| abuse |").nth(1).unwrap().split("\n## ").next().unwrap();
    for row in proofs.lines().skip(2).filter(|line| line.starts_with('|')) {
        assert!(row.contains(".rs::"), "no test proves: {row}");
    }
}

#[test]
fn a_test_is_told_from_what_only_looks_like_one() {
    assert!(has_test("#[test]\nfn one() {", "one") && has_test("    #[tokio::test(x)]\n    async fn one() {", "one"));
    for wrong in ["fn one() {", "#[test]\nfn one_more() {", "#[test]\n\nfn other() {}\nfn one() {", "// fn one()"] {
        assert!(!has_test(wrong, "one"), "{wrong}");
    }
    assert_eq!(named("a `tests/x.rs::one` b `c` `src/y/z.rs::two`").len(), 2);
}
