//! Turning to new keys while the service is used.

use std::cell::Cell;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use widget_registry::config::{Config, Sources};
use widget_registry::database::{Pool, options_of};
use widget_registry::delivery::secret::sealed::in_force;
use widget_registry::integrations::secrets::valid;
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

/// Changes the last byte of the column of a row.
async fn damage(app: &TestApp, table: &str, column: &str, row: &str) {
    let change = format!(
        "UPDATE {table} SET {column} = set_byte({column}, length({column}) - 1, get_byte({column}, length({column}) - 1) # 1) WHERE {row}"
    );
    let done = sqlx::query(sqlx::AssertSqlSafe(change)).execute(&app.pool).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{table} {row}");
}

fn told(rotated: &Rotated) -> Vec<String> {
    let row = |text: String| text.split(": a sealed value").next().unwrap().to_owned();
    rotated.faults.iter().map(|fault| row(fault.to_string())).collect()
}

#[test]
fn what_does_not_open_keeps_a_rotation_neither_from_the_rest_nor_from_its_end() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        for account in 1..=3 {
            assert_eq!(install(&admin(app, account), "one", "old").await.status, 200);
        }
        let (client, newest, old) = integration(&admin(app, 2)).await;
        let webhooks = webhook_secrets(&admin(app, 3)).await;
        // One value of account 1 is that of account 2; the others of its row stay.
        let texts: Vec<String> = sqlx::query_scalar("SELECT settings::text FROM installs ORDER BY account_id")
            .fetch_all(&app.pool)
            .await
            .unwrap();
        let pin = |text: &String| text.split(r#""pin":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let swapped = texts[0].replace(&pin(&texts[0]), &pin(&texts[1]));
        let swap = "UPDATE installs SET settings = $1::json WHERE account_id = 1";
        sqlx::query(swap).bind(swapped).execute(&app.pool).await.unwrap();
        damage(app, "integrations", "secret", "secret IS NOT NULL").await;
        damage(app, "webhook_secrets", "secret", "account_id = 3").await;
        let widget: i64 = sqlx::query_scalar("SELECT id FROM widgets").fetch_one(&app.pool).await.unwrap();
        let all = [
            format!("installs, row 1/{widget}/pin"),
            "webhook_secrets, row 3/secret".to_owned(),
            format!("integrations, row {client}/secret"),
        ];
        // Each rotation comes to its end, and the next one begins anew.
        for _ in 0..2 {
            source.add(&randomness()).unwrap();
            let rotated = rotate(app, source, true).await.unwrap();
            assert_eq!(told(&rotated), all);
            assert!(!rotated.rotation.is_resumed && rotated.accounts == 3, "{rotated:?}");
            assert_eq!(wrapping(app).await, [rotated.rotation.key.to_string()]);
        }
        // What opens is under the newest keys, also beside what does not.
        let at_hand = "DELETE FROM data_keys WHERE id = 2";
        sqlx::query(at_hand).execute(&app.pool).await.unwrap();
        assert_eq!(read(&admin(app, 3), "one").await, settings("old"));
        damage(app, "integrations", "secret", "secret IS NOT NULL").await;
        damage(app, "webhook_secrets", "secret", "account_id = 3").await;
        let fresh = command(app, source).await;
        let text = |secret: &secrecy::SecretString| secrecy::ExposeSecret::expose_secret(secret).to_owned();
        let valid = valid(&app.service, &fresh, client).await.unwrap().unwrap();
        assert_eq!((text(&valid.newest), valid.old.as_ref().map(text)), (newest, Some(old)));
        let account = widget_registry::auth::AccountId::new(3).unwrap();
        let in_force = in_force(&app.service, &fresh, account).await.unwrap().unwrap();
        assert_eq!(text(&in_force.present.text()), webhooks[0]);
    });
}

#[test]
fn what_does_not_open_can_be_replaced() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        let admin = admin(app, 1);
        assert_eq!(install(&admin, "one", "old").await.status, 200);
        let (client, ..) = integration(&admin).await;
        webhook_secrets(&admin).await;
        let mut replaced = Vec::new();
        // First a damaged value of each, then the key of all of them.
        for round in 0..2 {
            if round == 0 {
                sqlx::query("UPDATE installs SET sealed = 9").execute(&app.pool).await.unwrap();
                damage(app, "integrations", "secret", "secret IS NOT NULL").await;
                damage(app, "webhook_secrets", "secret", "true").await;
            } else {
                damage(app, "data_keys", "wrapped", "true").await;
                app.pass(61);
                source.add(&randomness()).unwrap();
                // Another server, which has no key at hand.
                let sealing = command(app, source).await;
                let begun = rotation::begin(&app.service, &sealing, false, async |_, _| Ok(())).await.unwrap();
                let rewrapped = rotation::rewrap(&app.service, &sealing, &begun, &mut Vec::new()).await;
                assert_eq!(rewrapped.unwrap(), 0);
            }
            assert_eq!(install(&admin, "one", "new").await.status, 200);
            let answer = admin.post(&format!("/registry/v1/integrations/{client}/secrets"), "").await;
            assert_eq!(answer.status, 201, "{answer:?}");
            replaced.push(answer.json()["secret"].as_str().unwrap().to_owned());
            let answer = admin.post("/registry/v1/webhook-secret", "").await;
            assert_eq!(answer.status, 201, "{answer:?}");
            assert_eq!(read(&admin, "one").await, settings("new"));
            assert_eq!(secrets(app, client).await.0, *replaced.last().unwrap());
            let signs = signing(app, 1).await;
            assert_eq!(signs[0].as_deref(), answer.json()["secret"].as_str());
            if round == 0 {
                assert_eq!((secrets(app, client).await.1, &signs[1]), (None, &None), "what does not open is not kept");
            }
        }
    });
}

#[test]
fn a_damaged_data_key_keeps_no_other_from_being_wrapped_anew() {
    test_with_folder(async |app, source| {
        publish(app, "one").await;
        for account in 1..=3 {
            assert_eq!(install(&admin(app, account), "one", "old").await.status, 200);
        }
        let first = source.load().unwrap().last().unwrap().id.clone();
        damage(app, "data_keys", "wrapped", "account_id = 2").await;
        source.add(&randomness()).unwrap();
        let rotated = rotate(app, source, false).await.unwrap();
        assert_eq!((told(&rotated), rotated.rewrapped), (vec!["data_keys, row 2/1".to_owned()], 2));
        // Its key is kept for it, and when it is put back from a backup the next rotation takes it along.
        let refused = resealing::remove(&app.service, source, &first).await.unwrap_err();
        assert!(matches!(refused, RotationError::Needed { data_keys: 1, .. }), "{refused}");
        damage(app, "data_keys", "wrapped", "account_id = 2").await;
        source.add(&randomness()).unwrap();
        let rotated = rotate(app, source, false).await.unwrap();
        assert_eq!((told(&rotated), rotated.rewrapped), (Vec::new(), 3));
        assert_eq!(wrapping(app).await, [rotated.rotation.key.to_string()]);
        assert_eq!(read(&admin(app, 2), "one").await, settings("old"));
    });
}

#[test]
fn no_second_connection_is_waited_for_while_one_is_held() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path());
    source.add(&randomness()).unwrap();
    let setup = Setup::default().set("encryption_key_dir", folder.path().display());
    test_with(setup, async |app| {
        publish(app, "one").await;
        let admin = admin(app, 1);
        assert_eq!(install(&admin, "one", "old").await.status, 200);
        integration(&admin).await;
        webhook_secrets(&admin).await;
        source.add(&randomness()).unwrap();
        let limits = Config::read(Sources::default()).config.unwrap().limits;
        let options = options_of(&app.database_url.clone().into()).unwrap();
        let pool = Pool::new(options, 1, 0, &limits);
        let (ring, secrets) = (source.load().unwrap(), randomness());
        let sealing = Sealing::start(pool.clone(), source.clone(), ring, secrets, Clock::system()).await.unwrap();
        let rotated = resealing::rotate(&pool, &sealing, true).await.unwrap();
        assert_eq!((told(&rotated), rotated.accounts), (Vec::new(), 1));
        assert_eq!(read(&admin, "one").await, settings("old"));
    });
}

#[test]
fn a_key_of_a_setting_is_taken_out_there_before_it_is_given_up() {
    test(async |app| {
        let given = |keys: &[u8]| Source::Given(keys.iter().map(|byte| vec![*byte; 32].into()).collect());
        let own = STANDARD.decode(crate::support::app::encryption_key()).unwrap();
        let both = Source::Given(vec![own.clone().into(), vec![9; 32].into()]);
        let first = both.load().unwrap().ids().next().unwrap().clone();
        rotate(app, &both, false).await.unwrap();
        let known = async || {
            let known = "SELECT (SELECT count(*) FROM encryption_keys), (SELECT count(*) FROM audit_entries WHERE action = 'key.removed')";
            sqlx::query_as::<_, (i64, i64)>(known).fetch_one(&app.pool).await.unwrap()
        };
        let refused = resealing::remove(&app.service, &both, &first).await.unwrap_err();
        assert!(matches!(refused, RotationError::InSetting(_)), "{refused}");
        assert_eq!(known().await, (2, 0), "nothing was changed");
        resealing::remove(&app.service, &given(&[9]), &first).await.unwrap();
        assert_eq!(known().await, (1, 1));
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
