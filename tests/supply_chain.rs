//! What the program is built from, as far as it can be told without another tool; the rest is `deny.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn table(name: &str) -> toml::Table {
    read(name).parse().unwrap()
}

/// The packages of `Cargo.lock`: name, source, checksum.
fn locked() -> Vec<(String, Option<String>, Option<String>)> {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key).map(|value| value.as_str().unwrap().to_owned());
    packages.iter().map(|one| (text(one, "name").unwrap(), text(one, "source"), text(one, "checksum"))).collect()
}

#[test]
fn every_package_is_of_the_registry_and_has_its_digest() {
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    let packages = locked();
    assert!(packages.len() > 100);
    for (name, source, checksum) in packages.iter().filter(|(name, ..)| name != "widget-registry") {
        assert_eq!(source.as_deref(), Some(registry), "{name}");
        assert_eq!(checksum.as_deref().map(str::len), Some(64), "{name}");
    }
}

#[test]
fn no_package_is_banned() {
    let deny = table("deny.toml");
    let banned = deny["bans"]["deny"].as_array().unwrap();
    let banned: BTreeSet<_> = banned.iter().map(|one| one["crate"].as_str().unwrap().to_owned()).collect();
    assert!(banned.contains("openssl-sys") && banned.contains("rsa"), "{banned:?}");
    // Only what is built: the lock names packages of features, too, that nobody asks for.
    let tree = ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let tree = Command::new(env!("CARGO")).args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let built = String::from_utf8(tree.stdout).unwrap();
    let built: BTreeSet<_> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("sqlx") && built.contains("actix-web"), "{built:?}");
    let found: Vec<_> = built.into_iter().filter(|name| banned.contains(*name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// What builds something, and so must build what was locked.
const BUILDS: [&str; 7] = ["build", "run", "test", "install", "clippy", "doc", "bench"];

#[test]
fn everything_is_built_as_it_is_locked() {
    let mut found = 0;
    for file in [
        ".ci/run",
        ".ci/fuzz",
        ".ci/generate",
        "tests/canary/suite",
        "tests/canary/sabotage/run",
        "tests/clients/run",
        "tests/durability/run",
        "Dockerfile",
        "README.md",
        "CONTRIBUTING.md",
        "docs/BENCHMARKS.md",
    ] {
        for line in read(file).lines().filter(|line| !line.trim_start().starts_with('#')) {
            for command in line.split("cargo ").skip(1) {
                // To the end of the command: a quotation, a bracket or another command.
                let command = command.split(['`', ')', '|', ';', '&']).next().unwrap();
                let own = command.split(" -- ").next().unwrap();
                if BUILDS.iter().any(|build| own.split_whitespace().next() == Some(build)) {
                    assert!(own.split_whitespace().any(|word| word == "--locked"), "{file}: cargo {command}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 10, "{found}");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn the_program_links_to_nothing_but_the_c_library() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/linked");
    let links = |program: &str| {
        let output = Command::new(&script).arg(program).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (only, what) = links(env!("CARGO_BIN_EXE_widget-registry"));
    assert!(only && what.contains("libc.so.6"), "{what}");
}
