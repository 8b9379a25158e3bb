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
        assert!(run(&data_dir, &["verify", "--account", "2"]).0 && !run(&data_dir, &["verify", "--account", "1"]).0);
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
}
