//! `audit verify` and `audit head`, beside a running server and without one.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded;

use crate::program::server::{Server, block_on, folder, program};
use crate::support::record::Run as _;
use crate::support::{Claims, Sample};

/// Status, standard output and standard error of a command.
fn run(data_dir: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = program().arg("audit").args(arguments).arg("--data-dir").arg(data_dir).run();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Runs a statement past the running server.
async fn execute(data_dir: &Path, statement: &str) {
    let options = embedded::connect_options(&DataDir::peek(data_dir).unwrap().socket_dir());
    let mut connection = options.connect().await.unwrap();
    sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[test]
fn the_log_is_checked_beside_a_server_and_without_one() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &[]);
    let heads = home.path().join("heads");
    block_on(async {
        let admin = server.caller(&data_dir, &Claims::admin(1, 7).scopes(&["publish"]));
        let archive = Sample::plain("w").zip();
        let published = admin.post_bytes("/registry/v1/widgets?code=w", "application/zip", archive).await;
        assert_eq!(published.status, 201, "{published:?}");
        assert_eq!(admin.post("/api/v4/widgets/w", "{}").await.status, 200);
        let whole = "the audit log is whole: 1 chain(s) with 2 entries\n";
        let (good, out, error) = run(&data_dir, &["verify"]);
        assert!(good && out == whole, "{out}{error}");
        let (good, out, _) = run(&data_dir, &["head"]);
        assert!(good && out.starts_with("1 2 ") && out.lines().count() == 1, "{out}");
        fs::write(&heads, out).unwrap();
        assert_eq!(admin.delete("/api/v4/widgets/w").await.status, 204);
        execute(&data_dir, "UPDATE audit_entries SET by_user_id = 8 WHERE seq = 2").await;
        let (good, out, error) = run(&data_dir, &["verify"]);
        assert!(!good && out.contains("account 1: entry 2 was changed"), "{out}{error}");
        assert!(error.contains("1 chain(s) are broken"), "{error}");
        assert!(!run(&data_dir, &["verify", "--account", "1"]).0);
        for command in ["verify", "head"] {
            let (good, out, error) = run(&data_dir, &[command, "--account", "2"]);
            assert!(!good && out.is_empty() && error.contains("account 2 has no chain"), "{out}{error}");
        }
        execute(&data_dir, "UPDATE audit_entries SET by_user_id = 7 WHERE seq = 2").await;
    });
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let anchor = ["verify", "--anchor", heads.to_str().unwrap()];
    let (good, out, error) = run(&data_dir, &anchor);
    assert!(good && out.contains("with 3 entries"), "{out}{error}");
    // An account of which only the anchor is left.
    let lost = fs::read_to_string(&heads).unwrap() + &format!("5 1 {}\n", "0".repeat(64));
    fs::write(&heads, lost).unwrap();
    let (good, out, _) = run(&data_dir, &anchor);
    assert!(!good && out.contains("account 5: entry 1 is missing"), "{out}");
    fs::write(&heads, "1 2\n").unwrap();
    let (good, _, error) = run(&data_dir, &anchor);
    assert!(!good && error.contains("line 1 is no anchor"), "{error}");
    // What nothing is checked against is not whole.
    fs::write(&heads, "# of Monday\n").unwrap();
    let (good, out, error) = run(&data_dir, &anchor);
    assert!(!good && out.is_empty() && error.contains("there is no anchor in it"), "{out}{error}");
    fs::write(&heads, format!("5 1 {}\n", "0".repeat(64))).unwrap();
    let (good, out, error) = run(&data_dir, &[anchor.as_slice(), &["--account", "1"]].concat());
    assert!(!good && out.is_empty() && error.contains("has no anchor of account 1"), "{out}{error}");
}

/// A mistyped folder is not taken for a registry in which nothing ever happened.
#[test]
fn what_only_looks_makes_no_registry() {
    let home = folder();
    let absent = home.path().join("absent");
    // As the service leaves it that has a database of its own elsewhere.
    let other = home.path().join("other");
    fs::create_dir_all(other.join("keys")).unwrap();
    for arguments in [
        &["audit", "verify"][..],
        &["audit", "head"],
        &["keys", "list"],
        &["keys", "new"],
        &["keys", "rotate"],
        &["keys", "remove", "0123456789abcdef"],
        &["keys", "rotate-signing"],
    ] {
        for (data_dir, missing) in [(&absent, absent.clone()), (&other, other.join("postgres"))] {
            let output = program().args(arguments).arg("--data-dir").arg(data_dir).output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}: {error}");
            let named = error.contains(&missing.display().to_string());
            assert!(
                named && (error.contains("there is no registry in") || error.contains("there is no data directory")),
                "{arguments:?}: {error}"
            );
        }
        assert!(!absent.exists(), "{arguments:?}");
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "{arguments:?}");
        assert_eq!(fs::read_dir(other.join("keys")).unwrap().count(), 0, "{arguments:?}");
    }
}
