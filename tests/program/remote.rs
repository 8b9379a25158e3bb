//! The commands that ask a server: dry runs, versions, yanking, installs.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Output;

use nix::pty::{OpenptyResult as Pty, openpty};
use tempfile::TempDir;
use widget_registry::archive;
use widget_registry::digest::Sha256;

use super::server::{Server, block_on, folder, program};
use crate::support::record::Run as _;
use crate::support::{Claims, Sample};

/// A server, and a folder with archives to send to it.
struct Registry {
    home: TempDir,
    server: Server,
    token: String,
}

impl Registry {
    fn start() -> Self {
        let home = folder();
        let data_dir = home.path().join("data");
        let server = Server::start(&data_dir, &[]);
        let mut registry = Self { home, server, token: String::new() };
        registry.token = registry.token_with("publish,publish:public");
        registry
    }

    fn token_with(&self, scopes: &str) -> String {
        let mut command = program();
        command.args(["token", "--account", "1", "--user", "7", "--role", "admin", "--scope", scopes, "--data-dir"]);
        let output = command.arg(self.data_dir()).run();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    /// Writes an archive.
    fn put(&self, name: &str, sample: &Sample) {
        fs::write(self.home.path().join(name), sample.zip()).unwrap();
    }

    /// Runs a command where the archives are.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = program();
        command.env("WIDGET_REGISTRY_TOKEN", &self.token).env("WIDGET_REGISTRY_SERVER", &self.server.url);
        command.current_dir::<&Path>(self.home.path()).args(arguments).run()
    }

    /// What a command that succeeds prints.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that fails complains about.
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), [].as_slice()), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn install(&self, account: i64, settings: &str) {
        let caller = self.server.caller(&self.data_dir(), &Claims::admin(account, 7));
        let answer = block_on(caller.post("/api/v4/widgets/evolving", settings));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

fn old() -> Sample {
    let settings =
        [("login", "Login", "text", true), ("note", "Note", "text", false), ("lines", "Lines", "users", false)];
    Sample::new("evolving", "1.0.0", &settings)
}

fn new() -> Sample {
    let settings =
        [("login", "Login", "text", true), ("lines", "Lines", "users_lp", false), ("key", "Key", "pass", true)];
    Sample::new("evolving", "1.1.0", &settings)
}

/// A line with its time, which is another one every day, and its digest left out.
fn timeless(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let is_time = word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
        let is_digest = word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_time {
            "TIME"
        } else if is_digest {
            "DIGEST"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What a command writes to a terminal that is its standard error.
fn on_terminal(registry: &Registry, arguments: &[&str]) -> String {
    let Pty { master, slave } = openpty(None, None).unwrap();
    let reading = std::thread::spawn(move || {
        let (mut text, mut master) = (Vec::new(), fs::File::from(master));
        // It ends with an error when nobody can write any more.
        let _ = master.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    });
    let mut command = program();
    command.env("WIDGET_REGISTRY_TOKEN", &registry.token).env("WIDGET_REGISTRY_SERVER", &registry.server.url);
    command.current_dir(registry.home.path()).args(arguments).stderr(slave);
    command.run();
    // It holds the last end of the terminal that can be written to.
    drop(command);
    reading.join().unwrap()
}

#[test]
fn a_terminal_shows_how_far_an_upload_is() {
    let registry = Registry::start();
    let mut files = old().files();
    files.push(("data.bin".to_owned(), (0_u64..40_000).flat_map(|n| Sha256::of(&[&n.to_le_bytes()]).0).collect()));
    fs::write(registry.home.path().join("evolving.zip"), archive::pack(&files).unwrap()).unwrap();
    for arguments in [["publish", "--dry-run", "evolving.zip"].as_slice(), &["publish", "evolving.zip"]] {
        let shown = on_terminal(&registry, arguments);
        let lines: Vec<&str> = shown.split("\r\u{1b}[K").collect();
        assert!(lines.len() > 10 && lines[0].is_empty() && lines[lines.len() - 1].is_empty(), "{shown:?}");
        assert!(lines[1].starts_with("evolving.zip [=  ") && lines[1].contains("] 64 KiB of 1.2 MiB"), "{shown:?}");
        assert_eq!(lines[lines.len() - 2], format!("evolving.zip [{}] 1.2 MiB of 1.2 MiB", "=".repeat(24)));
    }
    // The same archive, where nobody watches.
    assert_eq!(registry.run(&["publish", "evolving.zip"]).stderr, b"");
    assert!(on_terminal(&registry, &["publish", "missing.zip"]).starts_with("missing.zip: "));
}

#[test]
fn a_dry_run_tells_what_would_change_and_stores_nothing() {
    let registry = Registry::start();
    registry.put("evolving.zip", &old());
    let first = registry.said(&["publish", "--dry-run", "evolving.zip"]);
    assert_eq!(
        first,
        "evolving.zip: would publish evolving 1.0.0; no version is current now\n  \
           settings added: login, note, lines\n  \
           settings newly required: login\n  \
           no account has it installed\n"
    );
    registry.said(&["publish", "--public", "evolving.zip"]);
    registry.install(1, r#"{"login":"a","note":"n","lines":{"5":"1","6":"2"}}"#);
    registry.install(2, r#"{"login":"b"}"#);
    registry.put("evolving.zip", &new());
    let second = registry.said(&["publish", "--dry-run", "evolving.zip"]);
    assert_eq!(
        second,
        "evolving.zip: would publish evolving 1.1.0; 1.0.0 is current now\n  \
           settings added: key\n  \
           settings removed: note\n  \
           settings with another type: lines (from users to users_lp)\n  \
           settings newly required: key\n  \
           2 installs: the settings of 2 would no longer fit\n    \
             2 accounts: key is missing (FieldMissing)\n    \
             1 account: lines has another type (InvalidType)\n"
    );
    assert_eq!(registry.said(&["versions", "evolving"]).lines().count(), 2);
    fs::write(registry.home.path().join("evolving.zip"), "this is no zip").unwrap();
    let refused = registry.complaint(&["publish", "--dry-run", "evolving.zip"]);
    let lines: Vec<_> = refused.lines().collect();
    assert!(lines[0].starts_with("error[archive.not-a-zip]: "), "{refused}");
    assert_eq!(
        lines[1..],
        [
            " --> evolving.zip",
            "evolving.zip: refused: Bad Request: The archive was refused: 1 error(s), see `findings`"
        ]
    );
}

#[test]
fn versions_are_listed_yanked_and_restored() {
    let registry = Registry::start();
    for sample in [old(), new(), old().version("1.0.5")] {
        registry.put("evolving.zip", &sample);
        registry.said(&["publish", "evolving.zip"]);
    }
    assert_eq!(registry.said(&["yank", "evolving", "1.0.0"]), "evolving 1.0.0 is yanked; 1.1.0 is current now\n");
    let listed = registry.said(&["versions", "evolving"]);
    assert_eq!(
        listed.lines().map(timeless).collect::<Vec<_>>(),
        [
            "VERSION PUBLISHED SHA-256 STATE",
            "1.0.5 TIME DIGEST",
            "1.1.0 TIME DIGEST current",
            "1.0.0 TIME DIGEST yanked"
        ]
    );
    registry.said(&["yank", "evolving", "1.0.5"]);
    assert_eq!(registry.said(&["yank", "evolving", "1.1.0"]), "evolving 1.1.0 is yanked; no version is current now\n");
    assert_eq!(
        registry.said(&["yank", "evolving", "1.0.0", "--restore"]),
        "evolving 1.0.0 is restored; 1.0.0 is current now\n"
    );
    let url = &registry.server.url;
    assert_eq!(
        registry.complaint(&["yank", "evolving", "7"]),
        format!("error: {url} refuses: Not Found: The widget has no such version\n")
    );
    assert_eq!(
        registry.complaint(&["versions", "unknown"]),
        format!("error: {url} refuses: Not Found: Widget isn't found or is unavailable\n")
    );
    let unauthorized = registry.complaint(&["versions", "evolving", "--token", "wrong"]);
    assert!(unauthorized.contains("refuses: Unauthorized: ") && unauthorized.contains("--token"), "{unauthorized}");
    let scopeless = registry.token_with("bots");
    let forbidden = registry.complaint(&["yank", "evolving", "1.0.0", "--token", &scopeless]);
    assert!(forbidden.contains("refuses: Forbidden: "), "{forbidden}");
}

#[test]
fn every_page_of_versions_is_listed() {
    let registry = Registry::start();
    let publisher = registry.server.caller(&registry.data_dir(), &Claims::admin(1, 7).scopes(&["publish"]));
    block_on(async {
        for number in 0..103 {
            let archive = Sample::plain("evolving").version(&format!("1.{number}")).zip();
            let answer = publisher.post_bytes("/registry/v1/widgets?code=evolving", "application/zip", archive).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    });
    let listed = registry.said(&["versions", "evolving"]);
    assert_eq!(listed.lines().count(), 104);
    assert!(listed.lines().last().unwrap().starts_with("1.0 "), "{listed}");
}

#[test]
fn installs_are_listed_with_what_no_longer_fits() {
    let registry = Registry::start();
    assert_eq!(registry.said(&["installs"]), "nothing is installed\n");
    registry.put("evolving.zip", &old());
    registry.said(&["publish", "evolving.zip"]);
    registry.install(1, r#"{"login":"a","lines":{"5":"1"}}"#);
    let lines = |text: String| text.lines().map(timeless).collect::<Vec<_>>();
    assert_eq!(
        lines(registry.said(&["installs"])),
        ["CODE VERSION INSTALLED BY USER SETTINGS", "evolving 1.0.0 TIME 7 fit", "1 install; all settings fit"]
    );
    registry.put("evolving.zip", &new());
    registry.said(&["publish", "evolving.zip"]);
    let told = registry.said(&["installs"]);
    assert!(told.contains("\n  key: This field is missing. (FieldMissing)\n"), "{told}");
    assert_eq!(
        lines(told),
        [
            "CODE VERSION INSTALLED BY USER SETTINGS",
            "evolving 1.1.0 TIME 7 no longer fit",
            "lines.5: This value should be of type object. (InvalidType)",
            "key: This field is missing. (FieldMissing)",
            "1 install; the settings of 1 no longer fit",
        ]
    );
}

#[test]
fn widgets_are_listed_over_all_pages() {
    let registry = Registry::start();
    assert_eq!(registry.said(&["list"]), "no widget was found\n");
    let publisher = registry.server.caller(&registry.data_dir(), &Claims::admin(1, 7).scopes(&["publish"]));
    block_on(async {
        for number in 0..252 {
            let (path, archive) =
                (format!("/registry/v1/widgets?code=w{number:03}"), Sample::plain(&format!("w{number:03}")).zip());
            let answer = publisher.post_bytes(&path, "application/zip", archive).await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
    });
    registry.put("evolving.zip", &old());
    registry.said(&["publish", "--public", "evolving.zip"]);
    let listed = registry.said(&["list", "evolv", "--visibility", "public", "--setting-type", "users", "--mine"]);
    assert_eq!(
        listed,
        "CODE      VERSION  NAME      VISIBILITY  RATING  INSTALLS\n\
         evolving  1.0.0    evolving  public      0       0\n"
    );
    let codes = |arguments: &[&str]| {
        let text = registry.said(arguments);
        text.lines().skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let every = codes(&["list", "--sort", "name", "--limit", "1000"]);
    let expected: Vec<_> = ["evolving".to_owned()].into_iter().chain((0..252).map(|n| format!("w{n:03}"))).collect();
    assert_eq!(every, expected);
    assert_eq!(codes(&["list", "--sort", "name", "--limit", "251"]), expected[..251]);
    assert_eq!(codes(&["list", "--limit", "1"]), ["evolving"]);
    assert_eq!(codes(&["list", "--installed", "true"]), Vec::<String>::new());
    let json = registry.said(&["list", "--limit", "2", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["code"]), (2, &serde_json::json!("evolving")));
    assert!(!registry.run(&["list", "--sort", "best"]).status.success());
}

#[test]
fn a_server_that_is_none_is_named() {
    let run = |server: &str| {
        let output = program().args(["installs", "--token", "t", "--server", server]).run();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run("http://127.0.0.1:1").starts_with("error: http://127.0.0.1:1 does not answer: "));
    assert!(run("localhost").starts_with("error: --server is not a URL"));
    assert!(run("localhost:8080").starts_with("error: --server is not a URL"));
}
