//! Keys that change while the service runs.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use widget_registry::auth::{self, SigningKey};
use widget_registry::sources::Clock;

use super::{Signer, jwks};
use crate::support::{Answer, Claims, Setup, TestApp, test, test_with};

const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(app: &TestApp, signer: &Signer) -> Answer {
    app.with_token(Some(signer.token(app).sign())).get("/api/v4/widgets").await
}

/// Waits until tokens of this key are answered like that.
async fn until(app: &TestApp, signer: &Signer, status: u16) {
    let since = Instant::now();
    while ask(app, signer).await.status != status {
        assert!(since.elapsed() < PATIENCE, "{} is not answered {status}", signer.kid);
    }
}

fn behind(text: &str) -> bool {
    text.contains("\nwidget_registry_token_keys_behind 1\n")
}

async fn until_behind(app: &TestApp, expected: bool) {
    let since = Instant::now();
    while behind(app.with_token(None).get("/metrics").await.text()) != expected {
        assert!(since.elapsed() < PATIENCE, "behind is not {expected}");
    }
}

fn write_set(path: &Path, signers: &[&Signer]) {
    std::fs::write(path, jwks(signers)).unwrap();
}

#[test]
fn a_file_that_changes_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.json");
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    write_set(&path, &[&old]);
    test_with(Setup::default().set("verification_keys", format!("jwks={}", path.display())), async |app| {
        assert_eq!(ask(app, &old).await.status, 200);
        // A token with a key that nobody knows has the files looked at: nobody waits.
        write_set(&path, &[&old, &new]);
        assert_eq!(ask(app, &new).await.status, 200);
        // A key that is taken out is noticed by itself.
        write_set(&path, &[&new]);
        until(app, &old, 401).await;
        assert_eq!(ask(app, &new).await.status, 200);
    });
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.json");
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    write_set(&path, &[&old]);
    test_with(Setup::default().set("verification_keys", format!("jwks={}", path.display())), async |app| {
        for bad in ["", "{", "{\"keys\":[]}"] {
            std::fs::write(&path, bad).unwrap();
            until_behind(app, true).await;
            assert_eq!(ask(app, &old).await.status, 200);
            write_set(&path, &[&old]);
            until_behind(app, false).await;
        }
        std::fs::remove_file(&path).unwrap();
        until_behind(app, true).await;
        assert_eq!((ask(app, &old).await.status, ask(app, &Signer::of(app)).await.status), (200, 200));
        write_set(&path, &[&new]);
        assert_eq!(ask(app, &new).await.status, 200);
        until(app, &old, 401).await;
    });
}

#[test]
fn a_bad_signing_key_changes_nothing() {
    test(async |app| {
        let path = app.data_dir.path().join("keys/signing.pem");
        let (good, own) = (std::fs::read(&path).unwrap(), Signer::of(app));
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA").unwrap();
        until_behind(app, true).await;
        assert_eq!(ask(app, &own).await.status, 200);
        std::fs::write(&path, good).unwrap();
        until_behind(app, false).await;
        assert_eq!(ask(app, &own).await.status, 200);
    });
}

/// What kept the files from being used may pass without a trace: here in a file of a folder of which only the folder is looked at.
#[test]
fn a_failure_that_passes_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own.pem");
    SigningKey::load_or_create(&own).unwrap();
    auth::rotate(&own, Duration::from_hours(1), &Clock::system()).unwrap();
    let ring = auth::Keyring::open("widget-registry".to_owned(), own, Vec::new(), Clock::system()).unwrap();
    let retired = std::fs::read_dir(dir.path().join("own.retired")).unwrap().next().unwrap().unwrap().path();
    let good = std::fs::read(&retired).unwrap();
    std::fs::write(&retired, "garbage").unwrap();
    assert!(!ring.reload() && ring.is_behind());
    assert!(!ring.reload_if_changed() && ring.is_behind());
    std::fs::write(&retired, good).unwrap();
    assert!(ring.reload_if_changed() && !ring.is_behind());
    assert!(!ring.reload_if_changed());
    assert_eq!(ring.public().keys.len(), 2);
}

/// The set of public keys, by id.
async fn published(app: &TestApp) -> Vec<String> {
    let answer = app.with_token(None).get("/.well-known/jwks.json").await;
    let headers = ["content-type", "cache-control"].map(|name| answer.header(name).to_owned());
    assert_eq!((answer.status, headers), (200, ["application/json".to_owned(), "public, max-age=300".to_owned()]));
    answer.json()["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_old_key_counts_until_its_tokens_have_expired() {
    test(async |app| {
        let path = app.data_dir.path().join("keys/signing.pem");
        let before = Signer::of(app);
        let now = app.now();
        let rotation = auth::rotate(&path, Duration::from_secs(500), &Clock::new(move || now)).unwrap();
        let after = Signer::in_file(&path);
        assert_eq!((&after.kid, &before.kid), (&rotation.new, &rotation.old));
        for signer in [&after, &before] {
            assert_eq!(ask(app, signer).await.status, 200);
        }
        assert_eq!(published(app).await, [after.kid.clone(), before.kid.clone()]);
        app.pass(490);
        assert_eq!(ask(app, &before).await.status, 200);
        app.pass(11);
        ask(app, &before).await.problem(401);
        assert_eq!(ask(app, &after).await.status, 200);
        assert_eq!(published(app).await, [after.kid]);
    });
}

/// Others read our set and check our tokens with it: here a second registry.
#[test]
fn the_set_checks_our_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.json");
    test(async |app| {
        auth::rotate(&app.data_dir.path().join("keys/signing.pem"), Duration::from_hours(1), &Clock::system()).unwrap();
        let newer = SigningKey::load(&app.data_dir.path().join("keys/signing.pem")).unwrap();
        let tokens = [&app.key, &newer].map(|key| Claims::user(1, 8).sign(key, app.now()));
        assert_eq!(app.with_token(Some(tokens[1].clone())).get("/api/v4/widgets").await.status, 200);
        let set = app.with_token(None).get("/.well-known/jwks.json").await;
        for key in set.json()["keys"].as_array().unwrap() {
            let members: Vec<&String> = key.as_object().unwrap().keys().collect();
            assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
            assert_eq!(
                (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
                (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"), &json!("sig"))
            );
        }
        std::fs::write(&path, set.body).unwrap();
        let own = dir.path().join("own.pem");
        SigningKey::load_or_create(&own).unwrap();
        let sources = vec![auth::KeySource::Jwks(path.clone())];
        let ring = auth::Keyring::open("widget-registry".to_owned(), own, sources, Clock::system()).unwrap();
        for token in &tokens {
            auth::check(token, &ring.keys().verifier, &auth::Revocations::default(), &Clock::system()).unwrap();
        }
    });
}
