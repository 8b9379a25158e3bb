//! Uploads while the server is killed: each version is there whole, or not at all.

use std::path::Path;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::Value;
use widget_registry::archive;
use widget_registry::digest::Sha256;

use super::server::{Server, block_on, folder};
use crate::support::{Claims, Client, Sample};

const PUBLISHERS: i64 = 6;
const VERSIONS: usize = 400;
const KILL_AFTER: usize = 25;

/// Some pieces of bytes that no other version has.
fn bytes(publisher: i64, version: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in 0..30_000_u64 {
        let seed = [publisher.cast_unsigned(), version as u64, block].map(u64::to_le_bytes).concat();
        bytes.extend_from_slice(&seed);
    }
    bytes
}

fn zip(code: &str, publisher: i64, version: usize) -> Vec<u8> {
    let mut files = Sample::plain(code).version(&format!("1.{version}")).files();
    files.push(("data.bin".to_owned(), bytes(publisher, version)));
    archive::pack(&files).unwrap()
}

fn publisher(server: &Server, data_dir: &Path, number: i64) -> Client {
    server.caller(data_dir, &Claims::admin(number, 7).scopes(&["publish", "publish:public"]))
}

/// Publishes one version; whether it was acknowledged.
async fn publish(client: &Client, number: i64, version: usize) -> bool {
    let code = format!("of_{number}");
    let path = format!("/registry/v1/widgets?code={code}&visibility=public");
    let request = client.request("POST", &path).header("content-type", "application/zip");
    let Ok(answer) = request.body(zip(&code, number, version)).send().await else { return false };
    let status = answer.status();
    status == 201 && answer.bytes().await.is_ok()
}

/// Checks a version's files, all that its archive had, against the digests that the service shows.
async fn assert_whole(client: &Client, number: i64, version: &str) {
    let code = format!("of_{number}");
    let detail = client.get(&format!("/registry/v1/widgets/{code}/versions/{version}")).await.json();
    let files = detail["files"].as_array().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["data.bin", "i18n/en.json", "manifest.json", "script.js"], "{code} {version}");
    for file in files {
        let path = file["path"].as_str().unwrap();
        let answer = client.get(&format!("/widgets/{code}/{version}/{path}")).await;
        let hex = Sha256::of(&[&answer.body]).to_string();
        assert_eq!((answer.status, Value::from(hex)), (200, file["sha256"].clone()), "{code} {version} {path}");
        assert_eq!(file["size"], answer.body.len(), "{code} {version} {path}");
    }
}

/// The versions that the service has of a publisher's widget.
async fn versions(client: &Client, number: i64) -> Vec<String> {
    let answer = client.get(&format!("/registry/v1/widgets/of_{number}/versions")).await;
    if answer.status == 404 {
        return Vec::new();
    }
    let list = answer.json()["versions"].clone();
    list.as_array().unwrap().iter().map(|version| version["version"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_killed_server_has_every_version_whole_or_not_at_all() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &[]);
    let acknowledged = block_on(async {
        let count = std::cell::Cell::new(0);
        let publish_all = async |number: i64| {
            let client = publisher(&server, &data_dir, number);
            let mut acknowledged = Vec::new();
            for version in 0..VERSIONS {
                if !publish(&client, number, version).await {
                    break;
                }
                acknowledged.push(format!("1.{version}"));
                count.set(count.get() + 1);
                // The others are anywhere in theirs.
                if count.get() == KILL_AFTER {
                    server.signal(Signal::SIGKILL);
                }
            }
            acknowledged
        };
        join_all((1..=PUBLISHERS).map(publish_all)).await
    });
    server.wait();
    let server = Server::start(&data_dir, &[]);
    block_on(async {
        for (number, acknowledged) in (1..).zip(acknowledged) {
            let client = publisher(&server, &data_dir, number);
            let there = versions(&client, number).await;
            assert!(acknowledged.iter().all(|version| there.contains(version)), "{acknowledged:?} {there:?}");
            for version in &there {
                assert_whole(&client, number, version).await;
            }
            // And the next, as well as the one that was cut, can be published.
            assert!(publish(&client, number, VERSIONS).await);
        }
    });
}
