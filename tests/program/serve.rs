//! `serve`: its first line, the demo, its end, and a data directory that is taken.

use std::io::Read as _;

use nix::sys::signal::Signal;

use super::server::{Server, block_on, folder, program};
use crate::support::Claims;
use crate::support::record::Run as _;

#[test]
fn the_demo_prints_a_command_for_each_method_and_they_work() {
    let home = folder();
    let data_dir = home.path().join("data");
    let mut server = Server::start(&data_dir, &["--demo"]);
    block_on(async {
        let list = server.caller(&data_dir, &Claims::user(1, 8)).get("/api/v4/widgets").await;
        assert_eq!(list.json()["_embedded"]["widgets"].as_array().unwrap().len(), 7);
    });
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    let mut text = String::new();
    server.rest.read_to_string(&mut text).unwrap();
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 5, "{text}");
    for part in ["/api/v4/widgets?limit=2", "/api/v4/widgets/demo_telephony", "-X DELETE", "/continue/"] {
        assert!(commands.iter().any(|command| command.contains(part)), "{part}: {text}");
    }
    assert!(text.contains("export ADMIN=ey") && text.contains("export USER_TOKEN=ey"), "{text}");
}

#[test]
fn a_data_directory_in_use_is_refused_with_a_sentence() {
    let home = folder();
    let data_dir = home.path().join("data");
    let server = Server::start(&data_dir, &[]);
    let second = program().args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir).run();
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8(second.stderr).unwrap();
    let pid = server.child.id().to_string();
    assert!(complaint.contains("in use by another running copy") && complaint.contains(&pid), "{complaint}");
    assert!(second.stdout.is_empty());
}

#[test]
fn an_address_in_use_is_refused_with_a_sentence() {
    let home = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program().args(["serve", "--listen", &address, "--data-dir"]).arg(home.path().join("data")).run();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        complaint.contains(&format!("cannot listen on {address}")) && complaint.contains("--listen"),
        "{complaint}"
    );
}

#[test]
fn without_postgres_the_message_names_the_ways_out() {
    let home = folder();
    let empty = folder();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("data"));
    let output = command.arg("--postgres-bin").arg(empty.path()).run();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.contains("--postgres-bin"), "{complaint}");
}
