//! `keys`, beside a running service and without one.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded;

use super::{CLIENT, install, read, sample, settings, shown};
use crate::program::server::{Server, block_on, folder, program};
use crate::support::record::Run as _;
use crate::support::{Claims, Client};

const ACCOUNTS: i64 = 8;

fn keys(data_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("keys").args(arguments).arg("--data-dir").arg(data_dir).args(["--log", "warn"]);
    command
}

fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    keys(data_dir, arguments).run()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What `keys list` shows of encryption keys: id, state, data keys.
fn listed(data_dir: &Path) -> Vec<(String, String, String)> {
    let text = said(&run(data_dir, &["list"]));
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("KEY "), "{text}");
    assert!(lines.next().unwrap().contains("  signing  "), "{text}");
    let row = |line: &str| {
        let cells: Vec<_> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!((cells.len(), cells[1]), (4, "encryption"), "{text}");
        (cells[0].to_owned(), cells[2].to_owned(), cells[3].to_owned())
    };
    lines.map(row).collect()
}

fn caller(server: &Server, data_dir: &Path, account: i64) -> Client {
    let claims = Claims::admin(account, 7).client(CLIENT).scopes(&["publish", "publish:public"]);
    server.caller(data_dir, &claims)
}

async fn all_is_right(server: &Server, data_dir: &Path) {
    for account in 1..=ACCOUNTS {
        assert_eq!(read(&caller(server, data_dir, account), "one").await, settings(&format!("a{account}")));
    }
}

async fn database(data_dir: &Path) -> PgConnection {
    let socket = DataDir::peek(data_dir).unwrap().socket_dir();
    embedded::connect_options(&socket).connect().await.unwrap()
}

/// Starts a rotation, kills it while it waits for a row of the fifth account, and lets the row go.
async fn rotate_and_kill(data_dir: &Path, table: &str) {
    let mut holder = database(data_dir).await;
    let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut holder).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    let lock = sqlx::AssertSqlSafe(format!("SELECT FROM {table} WHERE account_id = 5 FOR UPDATE"));
    sqlx::query(lock).execute(&mut *held).await.unwrap();
    let mut rotating = keys(data_dir, &["rotate", "--reencrypt"]).stdout(Stdio::null()).spawn().unwrap();
    let mut watcher = database(data_dir).await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
    while sqlx::query_scalar::<_, i64>(waits).bind(own).fetch_one(&mut watcher).await.unwrap() == 0 {
        assert!(rotating.try_wait().unwrap().is_none(), "it waits");
    }
    rotating.kill().unwrap();
    rotating.wait().unwrap();
    held.rollback().await.unwrap();
}

#[test]
fn a_rotation_that_was_killed_goes_on_beside_a_running_service() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &[]);
    block_on(async {
        let path = format!("/registry/v1/widgets?code=one&visibility=public&client_uuid={CLIENT}");
        let answer = caller(&server, &data_dir, 1).post_bytes(&path, "application/zip", sample("one").zip()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        for account in 1..=ACCOUNTS {
            let answer = install(&caller(&server, &data_dir, account), "one", &format!("a{account}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    });
    let first = listed(&data_dir);
    assert!(matches!(first.as_slice(), [(_, state, count)] if state == "active" && count == "8"), "{first:?}");
    let first = &first[0].0;
    let file = data_dir.join("keys/encryption/0001.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o400);

    // Killed once among the data keys, and once among the values.
    block_on(rotate_and_kill(&data_dir, "data_keys"));
    let half = listed(&data_dir);
    assert_eq!((half[0].1.as_str(), half[0].2.as_str()), ("needed", "4"), "{half:?}");
    assert_eq!((half[1].1.as_str(), half[1].2.as_str()), ("active", "4"), "{half:?}");
    let refused = run(&data_dir, &["remove", first]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("wraps 4 data key(s)"), "{refused:?}");
    block_on(all_is_right(&server, &data_dir));
    block_on(rotate_and_kill(&data_dir, "installs"));
    block_on(all_is_right(&server, &data_dir));

    let finished = said(&run(&data_dir, &["rotate"]));
    assert!(finished.starts_with("finished the rotation to the encryption key "), "{finished}");
    assert!(finished.contains(&half[1].0) && finished.contains("the secrets of 8 account(s)"), "{finished}");
    block_on(all_is_right(&server, &data_dir));
    let done = listed(&data_dir);
    assert_eq!((done[0].1.as_str(), done[0].2.as_str()), ("not needed", "0"), "{done:?}");
    assert_eq!((done[1].1.as_str(), done[1].2.as_str()), ("active", "16"), "{done:?}");
    said(&run(&data_dir, &["remove", first]));
    assert!(!file.exists());
    block_on(all_is_right(&server, &data_dir));

    // Without a service the command runs the database itself.
    drop(server);
    let turned = said(&run(&data_dir, &["rotate"]));
    assert!(
        turned.starts_with("turned to the encryption key ") && turned.contains("wrapped 16 data key(s)"),
        "{turned}"
    );
    let server = Server::start(&data_dir, &[]);
    block_on(all_is_right(&server, &data_dir));
}

/// The widgets that a rotation under load is about; each account has a client for each.
const CODES: [&str; 3] = ["one", "two", "three"];
const ROTATIONS: usize = 10;
/// Requests a second of all clients together, or as many as the machine can.
const RATE: u64 = 250;
/// Requests between two rotations, at least.
const BETWEEN: usize = 100;

async fn publish(server: &Server, data_dir: &Path, code: &str) {
    let path = format!("/registry/v1/widgets?code={code}&visibility=public&client_uuid={CLIENT}");
    let answer = caller(server, data_dir, 1).post_bytes(&path, "application/zip", sample(code).zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Installs a widget again and again, reads what was installed, and what was installed before all that; one request at a time, each at its
/// time, until it is enough. Every value is looked at.
async fn keep_asking(client: Client, code: &str, own: String, done: &watch::Sender<usize>, is_enough: &Cell<bool>) {
    let clients = ACCOUNTS.unsigned_abs() * CODES.len() as u64;
    let mut tick = interval(Duration::from_micros(clients * 1_000_000 / RATE));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut word = String::new();
    for number in 0.. {
        tick.tick().await;
        if is_enough.get() {
            return;
        }
        match number % 3 {
            0 => {
                word = format!("{own}n{number}");
                assert_eq!(shown(&install(&client, code, &word).await), settings(&word));
            }
            1 => assert_eq!(read(&client, code).await, settings(&word)),
            _ => assert_eq!(read(&client, "before").await, settings("before")),
        }
        done.send_modify(|done| *done += 1);
    }
}

/// Keys are changed ten times, once killed in the middle and gone on with, while values are written and read all the time.
#[test]
fn ten_rotations_under_load_change_no_value_and_one_that_is_killed_goes_on() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    block_on(async {
        for code in CODES.into_iter().chain(["before"]) {
            publish(&server, &data_dir, code).await;
        }
        let clients: Vec<_> = (1..=ACCOUNTS).map(|account| (account, caller(&server, &data_dir, account))).collect();
        for (_, client) in &clients {
            assert_eq!(install(client, "before", "before").await.status, 200);
        }
        let (done, is_enough) = (watch::Sender::new(0), Cell::new(false));
        let started = Instant::now();
        let asking = clients.iter().flat_map(|(account, client)| CODES.map(|code| (account, client, code)));
        let asking = asking.map(|(account, client, code)| {
            keep_asking(client.clone(), code, format!("a{account}{code}"), &done, &is_enough)
        });
        let rotating = async {
            for round in 0..ROTATIONS {
                let goal = *done.borrow() + BETWEEN;
                done.subscribe().wait_for(|done| *done >= goal).await.unwrap();
                let is_killed = round == ROTATIONS / 2;
                if is_killed {
                    rotate_and_kill(&data_dir, "data_keys").await;
                }
                let arguments: &[&str] = if round % 2 == 0 { &["rotate", "--reencrypt"] } else { &["rotate"] };
                let mut command = keys(&data_dir, arguments);
                let said = said(&tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap());
                assert_eq!(said.starts_with("finished the rotation to "), is_killed, "{said}");
            }
            is_enough.set(true);
        };
        tokio::join!(join_all(asking), rotating);
        let (done, seconds) = (*done.borrow(), started.elapsed().as_secs_f64());
        let rate = f64::from(u32::try_from(done).unwrap()) / seconds;
        println!("{done} requests in {seconds:.1} s, {rate:.0} a second, beside {ROTATIONS} rotations");
        for (_, client) in &clients {
            assert_eq!(read(client, "before").await, settings("before"));
        }
    });
    let states = listed(&data_dir);
    let needed: Vec<_> = states.iter().filter(|(_, state, _)| state != "not needed").collect();
    assert_eq!((states.len(), needed.len()), (ROTATIONS + 1, 1), "{states:?}");
}

#[test]
fn a_lost_key_keeps_the_service_from_starting_and_is_named() {
    let home = folder();
    let data_dir = home.path().join("data");
    drop(Server::start(&data_dir, &[]));
    let first = listed(&data_dir)[0].0.clone();
    let file = data_dir.join("keys/encryption/0001.key");
    let away = home.path().join("away");
    std::fs::rename(&file, &away).unwrap();
    let refused = program().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir).run();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains(&format!("needs the encryption key {first}")), "{error}");
    // Another one was made where there was none; it changes nothing once the first is back.
    let new = said(&run(&data_dir, &["new"]));
    assert!(new.trim_end().ends_with("/keys/encryption/0002.key"), "{new}");
    std::fs::remove_file(&file).unwrap();
    std::fs::rename(&away, &file).unwrap();
    drop(Server::start(&data_dir, &[]));
    let states: Vec<_> = listed(&data_dir).into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, ["active", "prepared"]);
}

#[test]
fn a_damaged_data_key_is_named_by_the_start_and_by_a_rotation() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    block_on(async {
        let path = format!("/registry/v1/widgets?code=one&visibility=public&client_uuid={CLIENT}");
        let answer = caller(&server, &data_dir, 1).post_bytes(&path, "application/zip", sample("one").zip()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        for account in 1..=2 {
            assert_eq!(install(&caller(&server, &data_dir, account), "one", "marker").await.status, 200);
        }
        let change =
            "UPDATE data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE account_id = 2";
        sqlx::query(change).execute(&mut database(&data_dir).await).await.unwrap();
    });
    drop(server);
    let server = Server::start(&data_dir, &["--log", "warn"]);
    let log = server.log();
    assert!(log.contains("a data key does not open") && log.contains("account=2 number=1"), "{log}");
    let rotated = |arguments: &[&str]| {
        let output = run(&data_dir, arguments);
        let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(3), "{out}{error}");
        assert!(!out.contains("marker") && !error.contains("marker"), "{out}{error}");
        (out, error)
    };
    let (out, error) = rotated(&["rotate"]);
    assert!(
        out.contains("wrapped 1 data key(s)") && out.contains("data_keys, row 2/1: a sealed value does not open"),
        "{out}"
    );
    assert!(error.contains("error: 1 value(s) or key(s) do not open"), "{error}");
    // It can be repeated, and names each value, too.
    let (out, error) = rotated(&["rotate", "--reencrypt"]);
    assert!(out.starts_with("turned to the encryption key ") && out.contains("of 2 account(s)"), "{out}");
    for field in ["password", "pin", "logins"] {
        assert!(out.lines().any(|line| line.starts_with("installs, row 2/") && line.contains(field)), "{out}");
    }
    assert!(error.contains("error: 4 value(s) or key(s) do not open"), "{error}");
    block_on(async {
        let (one, other) = (caller(&server, &data_dir, 1), caller(&server, &data_dir, 2));
        assert_eq!(read(&one, "one").await, settings("marker"));
        other.get("/api/v4/widgets/one").await.problem(500);
        assert_eq!(install(&other, "one", "new").await.status, 200);
        assert_eq!(read(&other, "one").await, settings("new"));
    });
}
