//! Turning to new keys while the service is used.

use std::cell::Cell;
use std::path::Path;

use futures_util::future::join_all;
use widget_registry::resealing::{self, Rotated};
use widget_registry::sealing::rotation::{self, RotationError};
use widget_registry::sealing::{KeyId, Sealing, Source};
use widget_registry::sources::Clock;

use super::{admin, install, integration, publish, read, secrets, settings, shown, signing, webhook_secrets};
use crate::support::randomness;
use crate::support::{Setup, TestApp, test, test_with};

fn source(folder: &Path) -> Source {
    Source::Folder { folder: folder.to_owned(), own: false }
}

/// Rotates as a process of its own does: with keys that it reads itself.
async fn rotate(app: &TestApp, source: &Source, reencrypt: bool) -> Result<Rotated, RotationError> {
    resealing::rotate(&app.service, &command(app, source).await, reencrypt).await
}

async fn command(app: &TestApp, source: &Source) -> Sealing {
    let (ring, secrets) = (source.load().unwrap(), randomness());
    Sealing::start(app.service.clone(), source.clone(), ring, secrets, Clock::system()).await.unwrap()
}

/// A service whose keys are in a folder that has one.
fn test_with_folder(body: impl AsyncFnOnce(&TestApp, &Source)) {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    source.add(&randomness()).unwrap();
    let setup = Setup::default().set("encryption_key_dir", folder.path().display());
    test_with(setup, async |app| body(app, &source).await);
}

/// Installs again and again and reads what was installed, until it is enough; how many requests that took.
async fn use_it(app: &TestApp, account: i64, is_enough: &Cell<bool>) -> usize {
    let admin = admin(app, account);
    let mut count = 0;
    while !is_enough.get() {
        let word = format!("a{account}n{count}");
        assert_eq!(shown(&install(&admin, "one", &word).await), settings(&word));
        assert_eq!(read(&admin, "one").await, settings(&word));
        // This one was installed before, and is only read.
        assert_eq!(read(&admin, "two").await, settings("old"));
        count += 3;
    }
    count
}

async fn wrapping(app: &TestApp) -> Vec<String> {
    sqlx::query_scalar("SELECT DISTINCT kek_id FROM data_keys").fetch_all(&app.pool).await.unwrap()
}

#[test]
fn ten_rotations_under_traffic_change_no_value() {
    test_with_folder(async |app, source| {
        for code in ["one", "two"] {
            publish(app, code).await;
        }
        for account in 1..=6 {
            assert_eq!(install(&admin(app, account), "two", "old").await.status, 200);
        }
        let admin = admin(app, 1);
        let (client, newest, old) = integration(&admin).await;
        let webhooks = webhook_secrets(&admin).await;
        let is_enough = Cell::new(false);
        let rotations = async {
            let mut seen = Vec::new();
            for round in 0..10 {
                source.add(&randomness()).unwrap();
                let rotated = rotate(app, source, round % 2 == 0).await.unwrap();
                assert!(!rotated.rotation.is_resumed && rotated.rewrapped > 0, "{rotated:?}");
                assert_eq!(wrapping(app).await, [rotated.rotation.key.to_string()]);
                assert!(!seen.contains(&rotated.rotation.key));
                seen.push(rotated.rotation.key);
                assert_eq!(secrets(app, client).await, (newest.clone(), Some(old.clone())));
                assert_eq!(signing(app, 1).await, webhooks.clone().map(Some));
            }
            is_enough.set(true);
        };
        let (counts, ()) = tokio::join!(join_all((1..=6).map(|account| use_it(app, account, &is_enough))), rotations);
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
        // Half of the rotations gave each account a new key; the ones that use it are the newest.
        let keys: i32 = sqlx::query_scalar("SELECT max(id) FROM data_keys").fetch_one(&app.pool).await.unwrap();
        assert_eq!(keys, 6);
        // All keys but the last can be given up, and nothing is lost with them.
        let listed = rotation::list(&app.service, source).await.unwrap();
        assert_eq!(listed.len(), 11);
        for key in listed {
            let removed = resealing::remove(&app.service, source, &key.id).await;
            assert_eq!(removed.is_ok(), !key.is_active, "{key:?}");
        }
        assert_eq!(source.load().unwrap().ids().count(), 1);
        // Each of that is told in the registry's own log.
        let told: Vec<(String, i64)> = sqlx::query_as(
            "SELECT action, count(DISTINCT subject) FROM audit_entries WHERE account_id = 0 AND acted_as = 'cli' GROUP BY 1 ORDER BY 1",
        )
        .fetch_all(&app.pool)
        .await
        .unwrap();
        assert_eq!(told, [("key.removed".to_owned(), 10), ("key.rotated".to_owned(), 10)]);
        let fresh = command(app, source).await;
        for account in 1..=6 {
            let id = widget_registry::auth::AccountId::new(account).unwrap();
            let keys = (1..=6).map(|number| (id, number));
            fresh.prepare(keys).await.unwrap();
            assert_eq!(read(&super::admin(app, account), "two").await, settings("old"));
        }
        // What was installed under a key that the service still held is under the newest after the next rotation.
        app.pass(61);
        assert_eq!(install(&admin, "one", "last").await.status, 200);
        assert_eq!(read(&admin, "one").await, settings("last"));
    });
}

#[test]
fn a_rotation_that_broke_off_goes_on() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        for account in 1..=5 {
            assert_eq!(install(&admin(app, account), "one", "old").await.status, 200);
        }
        let before = wrapping(app).await;
        source.add(&randomness()).unwrap();
        // It comes to the third account and no further.
        for hold in [
            "SELECT FROM data_keys WHERE account_id = 3 FOR UPDATE",
            "SELECT FROM installs WHERE account_id = 3 FOR UPDATE",
        ] {
            let mut held = app.pool.begin().await.unwrap();
            sqlx::query(hold).execute(&mut *held).await.unwrap();
            tokio::select! {
                ended = rotate(app, source, true) => panic!("{ended:?}"),
                () = app.blocked(1) => {}
            }
            held.rollback().await.unwrap();
            app.undisturbed().await;
            for account in 1..=5 {
                assert_eq!(read(&admin(app, account), "one").await, settings("old"));
            }
        }
        // A key that is added meanwhile is not the one that it goes on to.
        source.add(&randomness()).unwrap();
        let rotated = rotate(app, source, false).await.unwrap();
        assert!(rotated.rotation.is_resumed && rotated.rotation.reencrypts, "{rotated:?}");
        assert_eq!(rotated.accounts, 5);
        assert_ne!(wrapping(app).await, before);
        assert_eq!(wrapping(app).await, [rotated.rotation.key.to_string()]);
        for account in 1..=5 {
            assert_eq!(read(&admin(app, account), "one").await, settings("old"));
        }
        // Every value is under the account's new key.
        let old: i64 =
            sqlx::query_scalar("SELECT count(*) FROM data_keys WHERE id = 2").fetch_one(&app.pool).await.unwrap();
        assert_eq!(old, 5);
        sqlx::query("DELETE FROM data_keys WHERE id = 1").execute(&app.pool).await.unwrap();
        let fresh = command(app, source).await;
        let id = widget_registry::auth::AccountId::new(3).unwrap();
        assert!(fresh.numbered(id, 1).await.unwrap().is_none());
        // The key that was added meanwhile is the next one's.
        assert!(!rotate(app, source, false).await.unwrap().rotation.is_resumed);
    });
}

#[test]
fn a_key_that_is_needed_is_not_given_up() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        assert_eq!(install(&admin(app, 1), "one", "old").await.status, 200);
        let first = source.load().unwrap().last().unwrap().id.clone();
        let refused = resealing::remove(&app.service, source, &first).await.unwrap_err();
        assert!(matches!(refused, RotationError::Active(_)), "{refused}");
        // There is no other key to turn to.
        let refused = rotate(app, source, false).await.unwrap_err();
        assert!(matches!(refused, RotationError::NoNewKey { .. }), "{refused}");
        source.add(&randomness()).unwrap();
        let rotation =
            rotation::begin(&app.service, &command(app, source).await, false, async |_, _| Ok(())).await.unwrap();
        let refused = resealing::remove(&app.service, source, &first).await.unwrap_err();
        assert!(matches!(refused, RotationError::Needed { data_keys: 1, .. }), "{refused}");
        // The database itself holds it.
        let forgotten = sqlx::query("DELETE FROM encryption_keys WHERE id = $1").bind(first.as_str());
        assert!(forgotten.execute(&app.pool).await.unwrap_err().to_string().contains("data_keys_kek_fkey"));
        assert!(rotate(app, source, false).await.unwrap().rotation.key == rotation.key);
        resealing::remove(&app.service, source, &first).await.unwrap();
        let unknown: KeyId = "0123456789abcdef".parse().unwrap();
        let refused = resealing::remove(&app.service, source, &unknown).await.unwrap_err();
        assert!(matches!(refused, RotationError::Unknown(_)), "{refused}");
        assert_eq!(read(&admin(app, 1), "one").await, settings("old"));
    });
}

#[test]
fn a_value_that_does_not_open_keeps_a_rotation_from_its_end_and_no_other_value_from_it() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        for account in 1..=3 {
            assert_eq!(install(&admin(app, account), "one", "old").await.status, 200);
        }
        let swap =
            "UPDATE installs i SET settings = o.settings FROM installs o WHERE i.account_id = 1 AND o.account_id = 2";
        sqlx::query(swap).execute(&app.pool).await.unwrap();
        source.add(&randomness()).unwrap();
        let refused = rotate(app, source, true).await.unwrap_err();
        assert!(matches!(refused, RotationError::Unopened { count: 1 }), "{refused}");
        sqlx::query("DELETE FROM data_keys WHERE id = 1").execute(&app.pool).await.unwrap();
        assert_eq!(read(&admin(app, 3), "one").await, settings("old"));
        assert_eq!(install(&admin(app, 1), "one", "mended").await.status, 200);
    });
}

#[test]
fn a_plan_and_a_list_of_installs_judge_what_is_sealed() {
    test(async |app| {
        publish(app, "one").await;
        for account in 1..=3 {
            assert_eq!(install(&admin(app, account), "one", "old").await.status, 200);
        }
        let stricter = super::sample("one").version("1.1.0");
        let answer = app.admin().post_bytes("/registry/v1/widgets/one/plan", "application/zip", stricter.zip()).await;
        assert_eq!(
            (answer.json()["installs"].as_i64(), answer.json()["unfit"].as_i64()),
            (Some(3), Some(0)),
            "{answer:?}"
        );
        let list = admin(app, 2).get("/registry/v1/installs").await;
        assert_eq!(list.json()["installs"][0]["misfits"], serde_json::json!([]), "{list:?}");
        assert!(!list.text().contains("old"));
    });
}
