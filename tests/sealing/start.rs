//! Keys with which the service does not start.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretSlice;
use widget_registry::app::App;
use widget_registry::config::{Config, Sources};
use widget_registry::sealing::KeyEncryptionKey;
use widget_registry::sources::{Clock, Identifiers};

use super::{admin, install, publish};
use crate::support::app::encryption_key;
use crate::support::randomness;
use crate::support::{TestApp, test};

/// Starts another service on the same database with this setting; why that fails.
async fn start(app: &TestApp, setting: (&'static str, &str)) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let flags = BTreeMap::from([
        ("listen", "127.0.0.1:0".to_owned()),
        ("data_dir", dir.path().to_str().unwrap().to_owned()),
        ("database_url", app.database_url.clone()),
        (setting.0, setting.1.to_owned()),
    ]);
    let config = Config::read(Sources { flags, ..Sources::default() }).config.map_err(|error| error.to_string())?;
    let started = App::start(config, Clock::system(), Identifiers::random(), randomness()).await;
    let running = started.map_err(|error| error.to_string())?;
    running.run_until(std::future::ready(()), std::future::pending()).await.map_err(|error| error.to_string())
}

fn id_of(text: &str) -> String {
    KeyEncryptionKey::of_bytes(&SecretSlice::from(STANDARD.decode(text).unwrap())).unwrap().id.to_string()
}

fn key_file(folder: &Path, name: &str, content: &[u8], mode: u32) {
    fs::write(folder.join(name), content).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_missing_key_is_named() {
    test(async |app| {
        let other = STANDARD.encode([9; 32]);
        let missed = async || {
            let error = start(app, ("encryption_keys", &other)).await.unwrap_err();
            assert!(error.contains(&id_of(&encryption_key())), "{error}");
            assert!(error.contains("the setting encryption_keys"), "{error}");
            assert!(!error.contains(&other), "a key is not shown");
        };
        // The active key is missed also before it has wrapped anything.
        missed().await;
        publish(app, "one").await;
        assert_eq!(install(&admin(app, 1), "one", "marker").await.status, 200);
        missed().await;
        assert_eq!(start(app, ("encryption_keys", &format!("{},{other}", encryption_key()))).await, Ok(()));
    });
}

#[test]
fn a_wrong_key_is_named() {
    test(async |app| {
        publish(app, "one").await;
        assert_eq!(install(&admin(app, 1), "one", "marker").await.status, 200);
        // The database says that another key of the ring has wrapped what it has not.
        let other = STANDARD.encode([9; 32]);
        let claim = "INSERT INTO encryption_keys (id, reencrypts) VALUES ($1, false)";
        sqlx::query(claim).bind(id_of(&other)).execute(&app.pool).await.unwrap();
        sqlx::query("UPDATE data_keys SET kek_id = $1").bind(id_of(&other)).execute(&app.pool).await.unwrap();
        let error = start(app, ("encryption_keys", &format!("{},{other}", encryption_key()))).await.unwrap_err();
        assert!(error.contains(&format!("the encryption key {} does not open", id_of(&other))), "{error}");
    });
}

#[test]
fn a_single_damaged_data_key_stops_nothing_and_many_are_a_wrong_key() {
    test(async |app| {
        publish(app, "one").await;
        let damage = async |account: i64| {
            assert_eq!(install(&admin(app, account), "one", "marker").await.status, 200);
            let change =
                "UPDATE data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE account_id = $1";
            sqlx::query(change).bind(account).execute(&app.pool).await.unwrap();
        };
        damage(1).await;
        assert_eq!(start(app, ("encryption_keys", &encryption_key())).await, Ok(()));
        damage(2).await;
        let error = start(app, ("encryption_keys", &encryption_key())).await.unwrap_err();
        assert!(error.contains(&format!("the encryption key {} does not open", id_of(&encryption_key()))), "{error}");
        assert!(error.contains("number 1 of account 1"), "{error}");
        // One that opens shows that the key is right.
        assert_eq!(install(&admin(app, 3), "one", "marker").await.status, 200);
        assert_eq!(start(app, ("encryption_keys", &encryption_key())).await, Ok(()));
    });
}

#[test]
fn a_database_of_ones_own_needs_a_key() {
    test(async |app| {
        let error = start(app, ("workers", "1")).await.unwrap_err();
        for words in ["no encryption key is configured", "openssl rand -base64 32", "WIDGET_REGISTRY_ENCRYPTION_KEYS"] {
            assert!(error.contains(words), "{error}");
        }
    });
}

#[test]
fn key_files_are_for_their_owner_only() {
    test(async |app| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        let start = async || start(app, ("encryption_key_dir", path)).await;
        let key = STANDARD.decode(encryption_key()).unwrap();
        let error = start().await.unwrap_err();
        assert!(error.contains(path) && error.contains("keys new"), "{error}");
        for mode in [0o440, 0o404, 0o640, 0o644, 0o420] {
            key_file(folder.path(), "1.key", &key, mode);
            let error = start().await.unwrap_err();
            assert!(error.contains(&format!("{path}/1.key can be read by others (mode {mode:o})")), "{error}");
            fs::remove_file(folder.path().join("1.key")).unwrap();
        }
        for mode in [0o400, 0o600] {
            key_file(folder.path(), "1.key", &key, mode);
            assert_eq!(start().await, Ok(()));
            fs::remove_file(folder.path().join("1.key")).unwrap();
        }
        for length in [0, 31, 33, 10_000] {
            key_file(folder.path(), "1.key", &vec![b'k'; length], 0o400);
            let error = start().await.unwrap_err();
            assert!(error.contains("1.key has") && error.contains("has 32"), "{error}");
            fs::remove_file(folder.path().join("1.key")).unwrap();
        }
        // Others' files are passed over: drafts, notes, and what orchestrators swap.
        key_file(folder.path(), "1.key", &key, 0o400);
        key_file(folder.path(), "README", b"notes", 0o644);
        key_file(folder.path(), ".2.key", b"draft", 0o644);
        assert_eq!(start().await, Ok(()));
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path().join("1.key"), Some(12_345), None).unwrap();
            let error = start().await.unwrap_err();
            assert!(error.contains("belongs to another user (id 12345)"), "{error}");
        }
    });
}
