//! The commands that are not `serve`.

use std::fs;
use std::process::Output;

use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded;
use widget_registry::openapi;

use super::server::{Server, block_on, folder, program};
use crate::support::record::Run as _;
use crate::support::{Claims, Client, Sample, secret};

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).run()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_names_every_command_and_what_it_does() {
    let help = text(&run(&["--help"]).stdout);
    let commands = [
        "serve",
        "token",
        "keys",
        "validate",
        "publish",
        "list",
        "versions",
        "yank",
        "installs",
        "bot",
        "keys",
        "audit",
        "migrate",
        "healthcheck",
        "openapi",
        "config",
    ];
    for command in commands {
        assert!(help.contains(&format!("  {command} ")), "{help}");
        let own = run(&[command, "--help"]);
        assert!(own.status.success() && text(&own.stdout).contains("Usage: widget-registry"), "{command}");
    }
}

/// Whatever the start fails of, its database has ended when the program has.
#[test]
fn a_failed_start_leaves_no_database_running() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &["--log", "warn"]);
    block_on(async {
        let options = embedded::connect_options(&DataDir::peek(&data_dir).unwrap().socket_dir());
        let mut connection = options.connect().await.unwrap();
        let newer = "INSERT INTO refinery_schema_history SELECT 9999, 'newer', applied_on, checksum FROM refinery_schema_history LIMIT 1";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let data = data_dir.to_str().unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["keys", "list"], &["audit", "verify"], &["migrate"]] {
        let output = run(&[command, &["--data-dir", data]].concat());
        let complaint = text(&output.stderr);
        assert!(!output.status.success() && complaint.contains("9999"), "{command:?}: {complaint}");
        assert!(!data_dir.join("postgres/postmaster.pid").exists(), "{command:?}");
    }
}

#[test]
fn openapi_prints_the_document() {
    let printed: Value = serde_json::from_slice(&run(&["openapi"]).stdout).unwrap();
    assert_eq!(printed, serde_json::from_str::<Value>(&openapi::text().unwrap()).unwrap());
}

#[test]
fn config_shows_values_with_their_origin_and_every_mistake() {
    let mut command = program();
    command.env("WIDGET_REGISTRY_RATE", "5").env("DATABASE_URL", format!("postgres://u:{}@h/d", secret("hunter2")));
    let output = command.args(["config", "--data-dir", "/x", "--issuer", "me"]).run();
    let shown = text(&output.stdout);
    assert!(output.status.success());
    for part in [
        "/x  (flag --data-dir)",
        "5  (environment WIDGET_REGISTRY_RATE)",
        "(secret)  (environment DATABASE_URL)",
        "me  (flag --issuer)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hunter2"));
    let mut command = program();
    command.env("WIDGET_REGISTRY_RATE", "fast").env("WIDGET_REGISTRY_WORKERS", "-1");
    let output = command.args(["serve", "--data-dir", "/x", "--listen", "here"]).run();
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for part in ["3 mistake(s)", "rate: `fast`", "workers: `-1`", "listen: `here`"] {
        assert!(complaint.contains(part), "{part}: {complaint}");
    }
}

#[test]
fn a_token_is_all_that_is_printed_and_the_server_takes_it() {
    let home = folder();
    let data_dir = home.path().join("data");
    let path = data_dir.to_str().unwrap();
    let token = |more: &[&str]| {
        run(&[&["token", "--data-dir", path, "--account", "1", "--user", "7", "--role", "admin"], more].concat())
    };
    let before = token(&[]);
    assert_eq!(before.status.code(), Some(1));
    assert!(text(&before.stderr).contains("start the server once"), "{before:?}");
    let server = Server::start(&data_dir, &[]);
    let issued = text(&token(&["--scope", "publish,bots", "--ttl", "5m"]).stdout);
    let issued = issued.strip_suffix('\n').unwrap();
    assert_eq!(issued.split('.').count(), 3, "{issued}");
    let client = Client::new(reqwest::Client::new(), server.url.clone(), Some(issued.to_owned()));
    assert_eq!(block_on(client.get("/api/v4/widgets")).status, 200);
    for wrong in [["--account", "0"], ["--role", "root"], ["--scope", "all"], ["--ttl", "soon"]] {
        let output = token(&wrong);
        assert!(!output.status.success() && output.stdout.is_empty(), "{wrong:?}");
    }
}

#[test]
fn publish_packs_folders_and_tells_findings() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &[]);
    let sample = Sample::telephony();
    let widget = home.path().join("my_widget");
    fs::create_dir_all(widget.join("i18n")).unwrap();
    fs::write(widget.join("manifest.json"), sample.manifest_text()).unwrap();
    fs::write(widget.join("script.js"), &sample.script).unwrap();
    fs::write(widget.join("i18n/en.json"), sample.i18n[0].1.to_string()).unwrap();
    let archive = home.path().join("other-widget.zip");
    fs::write(&archive, Sample::plain("x").zip()).unwrap();
    let broken = home.path().join("broken.zip");
    fs::write(&broken, "this is no zip").unwrap();
    let token = text(
        &run(&[
            "token",
            "--data-dir",
            data_dir.to_str().unwrap(),
            "--account",
            "1",
            "--user",
            "7",
            "--role",
            "admin",
            "--scope",
            "publish,publish:public",
        ])
        .stdout,
    );
    let publish = |arguments: &[&std::path::Path], more: &[&str]| {
        let mut command = program();
        command.env("WIDGET_REGISTRY_TOKEN", token.trim()).args(["publish", "--server", &server.url]);
        command.args(more).args(arguments).run()
    };
    let both = publish(&[&widget, &archive], &["--public"]);
    assert!(both.status.success(), "{both:?}");
    let said = text(&both.stdout);
    assert!(
        said.contains("published: my_widget 1.1.6 (public)") && said.contains("published: other-widget 1.0.0 (public)"),
        "{said}"
    );
    let again = publish(&[&broken, &widget], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stdout).contains("was published before: my_widget 1.1.6"), "{again:?}");
    assert!(text(&again.stderr).contains("broken.zip: refused"), "{again:?}");
    let seen = block_on(server.caller(&data_dir, &Claims::user(2, 1)).get("/api/v4/widgets/my_widget"));
    assert_eq!(seen.status, 200);
}

#[test]
fn migrate_and_healthcheck_answer_by_exit_code() {
    let home = folder();
    let data_dir = home.path().join("data");
    let migrated = run(&["migrate", "--data-dir", data_dir.to_str().unwrap()]);
    assert!(migrated.status.success(), "{migrated:?}");
    assert!(text(&migrated.stdout).contains("the schema has version"));
    let mut server = Server::start(&data_dir, &[]);
    assert!(run(&["healthcheck", "--server", &server.url]).status.success());
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let output = run(&["healthcheck", "--server", &server.url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not answer"));
}
