//! Changing the signing key beside a running server: under load, and killed in the middle.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use nix::sys::signal::Signal;
use tokio::time::{MissedTickBehavior, interval};
use widget_registry::auth::SigningKey;
use widget_registry::sources::Clock;

use super::server::{Server, block_on, folder, program};
use crate::support::record::Run as _;
use crate::support::{Claims, Client};

const CHANGES: usize = 10;
/// Requests between two changes, at 200 a second.
const BETWEEN: usize = 100;

fn rotation(data_dir: &Path) -> Command {
    let mut command = program();
    command.args(["keys", "rotate-signing", "--data-dir"]).arg(data_dir);
    command
}

fn rotate(data_dir: &Path) {
    let output = rotation(data_dir).run();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && out.contains(" signs from now on; tokens of "), "{out}{err}");
}

fn token(key: &SigningKey) -> String {
    Claims::user(1, 8).sign(key, Clock::system().now())
}

fn current(data_dir: &Path) -> SigningKey {
    SigningKey::load(&data_dir.join("keys/signing.pem")).unwrap()
}

async fn status(client: Client) -> u16 {
    client.get("/api/v4/widgets?limit=1").await.status
}

/// 200 requests a second, or as many as the machine can. Half of the requests with a token of the first key, half with one of the key that has just been made: so the change is seen at once, and
/// nobody has waited for the server to notice.
#[test]
fn ten_changes_under_load() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    block_on(async {
        let first = server.with_token(&token(&current(&data_dir)));
        let mut tick = interval(Duration::from_millis(5));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut running = FuturesUnordered::new();
        let (mut statuses, mut kids) = (BTreeMap::<u16, usize>::new(), Vec::new());
        let started = Instant::now();
        let mut changing: Option<tokio::task::JoinHandle<()>> = None;
        for number in 0..(CHANGES + 1) * BETWEEN {
            if number % BETWEEN == BETWEEN / 2 && number / BETWEEN < CHANGES {
                let data_dir = data_dir.clone();
                // Beside the requests, which go on while the key is changed.
                changing = Some(tokio::task::spawn_blocking(move || rotate(&data_dir)));
            }
            if number % BETWEEN == BETWEEN - 1
                && let Some(change) = changing.take()
            {
                change.await.unwrap();
                kids.push(current(&data_dir).kid().to_owned());
            }
            let newest = server.with_token(&token(&current(&data_dir)));
            running.push(status(if number % 2 == 0 { first.clone() } else { newest }));
            while running.len() >= 64 {
                *statuses.entry(running.next().await.unwrap()).or_default() += 1;
            }
            tokio::select! {
                _ = tick.tick() => {}
                Some(status) = running.next() => *statuses.entry(status).or_default() += 1,
            }
        }
        while let Some(status) = running.next().await {
            *statuses.entry(status).or_default() += 1;
        }
        let rate = f64::from(u32::try_from((CHANGES + 1) * BETWEEN).unwrap()) / started.elapsed().as_secs_f64();
        println!("{statuses:?}, {rate:.0} requests a second");
        assert_eq!(statuses, BTreeMap::from([(200, (CHANGES + 1) * BETWEEN)]));
        kids.sort();
        kids.dedup();
        assert_eq!(kids.len(), CHANGES, "each change made another key");
    });
}

/// Whenever it is killed, there is a whole key, and no token of a key that has signed is refused.
#[test]
fn killed_in_the_middle_no_key_is_lost() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    let mut tokens: BTreeMap<String, String> = BTreeMap::new();
    let mut see = || {
        let key = current(&data_dir);
        tokens.entry(key.kid().to_owned()).or_insert_with(|| token(&key));
        tokens.len()
    };
    see();
    let whole = Instant::now();
    rotate(&data_dir);
    let whole = whole.elapsed();
    // From the first instruction to the last.
    for step in 0..40 {
        see();
        let mut child = rotation(&data_dir).spawn().unwrap();
        let until = Instant::now() + whole * step / 36;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        // It may be through.
        let _ = child.kill();
        child.wait().unwrap();
    }
    rotate(&data_dir);
    assert!(see() >= 3, "some were killed after their change");
    block_on(async {
        for (kid, token) in &tokens {
            assert_eq!(status(server.with_token(token)).await, 200, "{kid}");
        }
    });
    let keys = std::fs::read_dir(data_dir.join("keys")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = keys.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.starts_with(".signing-draft")), "{names:?}");
}

/// A key that is known to others counts no more, at once.
#[test]
fn a_key_that_got_out_is_not_kept() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    let old = token(&current(&data_dir));
    let output = rotation(&data_dir).args(["--keep", "0s"]).run();
    assert!(output.status.success());
    block_on(async {
        // A token of the new key has the files looked at.
        assert_eq!(status(server.with_token(&token(&current(&data_dir)))).await, 200);
        assert_eq!(status(server.with_token(&old)).await, 401);
    });
    let listed = || {
        let output = program().args(["keys", "list", "--data-dir"]).arg(&data_dir).run();
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.contains("signing")).count()
    };
    assert_eq!(listed(), 1);
    rotate(&data_dir);
    assert_eq!(listed(), 2, "the key before is listed while its tokens are valid");
}

/// A key that turns out to be known after it was replaced.
#[test]
fn a_replaced_key_is_withdrawn_beside_a_running_server() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    let first = current(&data_dir);
    let (kid, old) = (first.kid().to_owned(), token(&first));
    let remove = |id: &str| {
        let output = program().args(["keys", "remove-signing", id, "--data-dir"]).arg(&data_dir).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (done, said) = remove(&kid);
    assert!(!done && said.contains("is the key that signs"), "{said}");
    rotate(&data_dir);
    let (done, said) = remove("0123456789abcdef");
    assert!(!done && said.contains("no tokens of a signing key 0123456789abcdef are valid"), "{said}");
    block_on(async { assert_eq!(status(server.with_token(&old)).await, 200) });
    let (done, said) = remove(&kid);
    assert!(done && said.contains("removed the signing key"), "{said}");
    block_on(async {
        let since = Instant::now();
        while status(server.with_token(&old)).await != 401 {
            assert!(since.elapsed() < Duration::from_secs(20), "it still counts");
        }
        assert_eq!(status(server.with_token(&token(&current(&data_dir)))).await, 200);
        let operator = server.caller(&data_dir, &Claims::user(1, 3).scopes(&["operator"]));
        let told = operator.get("/registry/v1/audit?account_id=0").await.json();
        let told: Vec<String> = told["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["subject"].as_str().unwrap()))
            .collect();
        let now = current(&data_dir).kid().to_owned();
        assert_eq!(told[..2], [format!("key.removed signing {kid}"), format!("key.rotated signing {now}")]);
    });
    assert!(!remove(&kid).0);
}

/// What the log cannot tell is not done.
#[test]
fn without_an_entry_the_key_stays() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &["--log", "warn"]);
    let before = current(&data_dir).kid().to_owned();
    drop(server);
    // Nobody can be reached there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = rotation(&data_dir).args(["--database-url", &format!("postgres://x@{closed}/x")]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("so the key was not changed"), "{said}");
    assert_eq!(current(&data_dir).kid(), before);
}

#[test]
fn sighup_has_the_keys_read() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &["--log", "info"]);
    server.signal(Signal::SIGHUP);
    block_on(async {
        let caller = server.caller(&data_dir, &Claims::user(1, 8));
        assert_eq!(status(caller).await, 200);
        // The first reading was the start's.
        let since = Instant::now();
        while !server.log().contains("SIGHUP: reading the keys of tokens anew")
            || !server.log().contains("the keys of tokens were read")
        {
            assert!(since.elapsed() < Duration::from_secs(20), "{}", server.log());
        }
    });
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

#[test]
fn without_a_key_nothing_is_made() {
    let home = folder();
    let output = rotation(home.path()).run();
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no registry in"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    let output = program().args(["keys", "rotate-signing", "--keep", "soon", "--data-dir", "/x"]).run();
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not a time"));
}
