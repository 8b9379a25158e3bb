//! What was acknowledged is there after the server, its database, or both were killed.

use std::path::Path;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::server::{Server, block_on, folder};
use crate::support::{Claims, Client, Sample, secret};

const INSTALLS: i64 = 1_000;
const KILL_AFTER: usize = 300;

async fn publish(server: &Server, data_dir: &Path) {
    let publisher = server.caller(data_dir, &Claims::admin(1, 7).scopes(&["publish", "publish:public"]));
    let path = "/registry/v1/widgets?code=amo_asterisk&visibility=public";
    let answer = publisher.post_bytes(path, "application/zip", Sample::telephony().zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// Installs in one account; the account when it was acknowledged.
async fn install(client: Client, account: i64) -> Option<i64> {
    let password = secret("p");
    let body = format!(r#"{{"login":"{account}","password":"{password}","phones":{{"1":"2"}},"script_path":"s"}}"#);
    let request = client.request("POST", "/api/v4/widgets/amo_asterisk").header("content-type", "application/json");
    let answer = request.body(body).send().await.ok()?;
    if answer.status() != 200 {
        return None;
    }
    answer.bytes().await.ok()?;
    Some(account)
}

/// Sends the installs, sixteen at a time, and calls `fault` once after some were acknowledged; returns those that were.
async fn installs_with_a_fault(server: &Server, data_dir: &Path, fault: impl Fn()) -> Vec<i64> {
    let client = |account| server.caller(data_dir, &Claims::admin(account, 7));
    let mut next = (1..=INSTALLS).map(|account| install(client(account), account));
    let mut running: FuturesUnordered<_> = next.by_ref().take(16).collect();
    let mut acknowledged = Vec::new();
    let mut faulted = false;
    while let Some(outcome) = running.next().await {
        acknowledged.extend(outcome);
        if acknowledged.len() >= KILL_AFTER && !faulted {
            faulted = true;
            fault();
        }
        running.extend(next.next());
    }
    assert!(faulted, "enough installs were acknowledged to pull the plug in the middle");
    acknowledged
}

async fn all_are_there(server: &Server, data_dir: &Path, accounts: &[i64]) {
    for account in accounts {
        let client = server.caller(data_dir, &Claims::user(*account, 8));
        let answer = client.get("/api/v4/widgets/amo_asterisk").await;
        assert_eq!(
            answer.json()["is_active_in_account"],
            true,
            "the acknowledged install of account {account} is lost"
        );
    }
}

#[test]
fn acknowledged_installs_survive_a_killed_server() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &[]);
    let acknowledged = block_on(async {
        publish(&server, &data_dir).await;
        installs_with_a_fault(&server, &data_dir, || server.signal(Signal::SIGKILL)).await
    });
    server.wait();
    assert!(acknowledged.len() < usize::try_from(INSTALLS).unwrap());
    let server = Server::start(&data_dir, &[]);
    block_on(all_are_there(&server, &data_dir, &acknowledged));
}

#[test]
fn a_killed_database_comes_back_with_everything() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &[]);
    let pid_file = data_dir.join("postgres/postmaster.pid");
    let kill_database = || {
        let text = std::fs::read_to_string(&pid_file).unwrap();
        kill(Pid::from_raw(text.lines().next().unwrap().parse().unwrap()), Signal::SIGKILL).unwrap();
    };
    let acknowledged = block_on(async {
        publish(&server, &data_dir).await;
        let acknowledged = installs_with_a_fault(&server, &data_dir, kill_database).await;
        // The server starts it again by itself; readiness says when.
        let probe = server.caller(&data_dir, &Claims::user(1, 8));
        while probe.get("/registry/v1/health/ready").await.status != 200 {}
        acknowledged
    });
    block_on(all_are_there(&server, &data_dir, &acknowledged));
}
