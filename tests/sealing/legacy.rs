//! Rows that are older than sealing: read as they are, and sealed beside the requests. Once there is none any more, one that says that it
//! is older is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;
use widget_registry::auth::AccountId;
use widget_registry::background::Background;
use widget_registry::delivery::secret::sealed::in_force;
use widget_registry::integrations::secrets::valid;
use widget_registry::resealing;
use widget_registry::sealing::{Era, Fault, KeyEncryptionKey};

use super::{admin, everything, hex, install, integration, publish, read, secrets, settings, signing, webhook_secrets};
use crate::support::app::encryption_key;
use crate::support::{TestApp, record, test, test_after};

const ACCOUNTS: i64 = 5;

/// The name of all secrets that are written into rows as they are.
const OPEN: &str = "row from before sealing";

/// Has the database be as it was before there was sealing, but for its rows.
async fn forget_keys(app: &TestApp) {
    for forget in ["DELETE FROM data_keys", "DELETE FROM encryption_keys"] {
        sqlx::query(forget).execute(&app.pool).await.unwrap();
    }
}

/// Holds installs of an account, past the end of the service: who wants to seal them waits until the connection is closed.
async fn hold(app: &TestApp, account: i64) -> PgConnection {
    let mut holder = PgConnection::connect_with(&app.pool.connect_options()).await.unwrap();
    sqlx::query("BEGIN").execute(&mut holder).await.unwrap();
    let lock = "SELECT FROM installs WHERE account_id = $1 FOR UPDATE";
    sqlx::query(lock).bind(account).execute(&mut holder).await.unwrap();
    holder
}

/// Waits until every data key says that all is sealed.
async fn is_noted(app: &TestApp) {
    let silent = "SELECT count(*) FROM data_keys WHERE get_byte(wrapped, 0) <> 2";
    while sqlx::query_scalar::<_, i64>(silent).fetch_one(&app.pool).await.unwrap() > 0 {}
}

/// Writes rows as they were written before there was sealing: accounts with installs of two widgets, and each with secrets of an
/// integration and of webhooks. What is found open in the database afterwards.
async fn fill(app: &TestApp) -> Vec<String> {
    for code in ["one", "two"] {
        publish(app, code).await;
    }
    let mut open = vec![OPEN.to_owned()];
    for account in 1..=ACCOUNTS {
        let admin = admin(app, account);
        for code in ["one", "two"] {
            assert_eq!(install(&admin, code, "any").await.status, 200);
        }
        let (client, newest, old) = integration(&admin).await;
        let as_before =
            "UPDATE integrations SET secret = $2, old_secret = $3, is_sealed = false WHERE client_uuid = $1";
        let query = sqlx::query(as_before).bind(client).bind(newest.as_bytes()).bind(old.as_bytes());
        query.execute(&app.pool).await.unwrap();
        webhook_secrets(&admin).await;
        let as_before =
            "UPDATE webhook_secrets SET secret = $2, previous = $3, is_sealed = false WHERE account_id = $1";
        let query = sqlx::query(as_before).bind(account).bind([1_u8; 32].as_slice()).bind([0xfe_u8; 32].as_slice());
        query.execute(&app.pool).await.unwrap();
        record::note(OPEN, &newest);
        record::note(OPEN, &old);
        open.extend([hex(newest.as_bytes()), hex(old.as_bytes())]);
    }
    open.extend(["01".repeat(32), "fe".repeat(32)]);
    let as_before = "UPDATE installs SET settings = $1::json, sealed = NULL";
    sqlx::query(as_before).bind(settings(OPEN)).execute(&app.pool).await.unwrap();
    let everything = everything(app).await;
    for text in &open {
        assert!(everything.contains(text), "{text}");
    }
    forget_keys(app).await;
    open
}

/// Whether every value is what it was.
async fn all_is_right(app: &TestApp) {
    for account in 1..=ACCOUNTS {
        for code in ["one", "two"] {
            assert_eq!(read(&admin(app, account), code).await, settings(OPEN));
        }
        let [present, previous] = signing(app, account).await;
        assert!(present.unwrap().starts_with("whsec_AQEB") && previous.unwrap().starts_with("whsec_/v7+"));
    }
}

async fn unsealed(app: &TestApp) -> i64 {
    let count = "SELECT (SELECT count(*) FROM installs WHERE sealed IS NULL) \
                 + (SELECT count(*) FROM integrations WHERE secret IS NOT NULL AND NOT is_sealed) \
                 + (SELECT count(*) FROM webhook_secrets WHERE NOT is_sealed)";
    sqlx::query_scalar(count).fetch_one(&app.pool).await.unwrap()
}

async fn is_sealed(app: &TestApp, open: &[String]) {
    while unsealed(app).await > 0 {}
    let everything = everything(app).await;
    for text in open {
        assert!(!everything.contains(text), "{text} is still open");
    }
}

#[test]
fn old_rows_are_read_as_they_are_and_sealed_by_several_servers_at_once() {
    let before = async |app: &TestApp| (fill(app).await, hold(app, 1).await);
    test_after(before, async |first, second, (open, held)| {
        all_is_right(first).await;
        all_is_right(second).await;
        held.close().await.unwrap();
        is_sealed(first, &open).await;
        is_noted(first).await;
        all_is_right(first).await;
        all_is_right(second).await;
    });
}

#[test]
fn an_old_integration_can_be_changed_before_it_is_sealed() {
    let before = async |app: &TestApp| {
        publish(app, "one").await;
        let admin = admin(app, 1);
        assert_eq!(install(&admin, "one", "any").await.status, 200);
        let (client, newest, _) = integration(&admin).await;
        record::note(OPEN, &newest);
        let as_before = "UPDATE integrations SET secret = $1, old_secret = NULL, old_secret_until = NULL, is_sealed = false WHERE secret IS NOT NULL";
        sqlx::query(as_before).bind(newest.as_bytes()).execute(&app.pool).await.unwrap();
        let as_before = "UPDATE installs SET settings = $1::json, sealed = NULL";
        sqlx::query(as_before).bind(settings(OPEN)).execute(&app.pool).await.unwrap();
        forget_keys(app).await;
        // Installs come first, so the integration is not sealed meanwhile.
        (client, newest, hold(app, 1).await)
    };
    test_after(before, async |app, _, (client, newest, held)| {
        let rotated = admin(app, 1).post(&format!("/registry/v1/integrations/{client}/secrets"), "").await.json();
        assert_eq!(secrets(app, client).await, (rotated["secret"].as_str().unwrap().to_owned(), Some(newest.clone())));
        assert!(!everything(app).await.contains(&hex(newest.as_bytes())));
        held.close().await.unwrap();
    });
}

#[test]
fn a_row_that_is_no_secret_keeps_no_other_from_being_sealed() {
    let before = async |app: &TestApp| {
        let open = fill(app).await;
        // Text that is no UTF-8 was never an integration's secret.
        let broken = "UPDATE integrations SET secret = decode(repeat('ff', 64), 'hex'), old_secret = NULL, old_secret_until = NULL \
                      WHERE owner_account_id = 2";
        sqlx::query(broken).execute(&app.pool).await.unwrap();
        open
    };
    test_after(before, async |app, _, mut open| {
        while unsealed(app).await > 1 {}
        let everything = everything(app).await;
        open.retain(|text| everything.contains(text));
        assert_eq!(open, Vec::<String>::new());
        all_is_right(app).await;
        // While it is there nobody says that all is sealed; when it is gone, the next look does.
        let faults = resealing::seal_old_once(&app.service, &app.sealing, || false).await.unwrap();
        assert!(matches!(faults.as_slice(), [Fault::Unopened { table: "integrations", .. }]), "{faults:?}");
        assert_eq!(app.sealing.era(), Era::Mixed);
        sqlx::query("DELETE FROM integrations WHERE NOT is_sealed AND secret IS NOT NULL")
            .execute(&app.pool)
            .await
            .unwrap();
        assert_eq!(resealing::seal_old_once(&app.service, &app.sealing, || false).await.unwrap().len(), 0);
        assert_eq!(app.sealing.era(), Era::AllSealed);
        is_noted(app).await;
        all_is_right(app).await;
    });
}

#[test]
fn sealing_stops_when_it_is_asked_and_others_go_on() {
    // The second account's rows are held: who comes to them waits.
    let before = async |app: &TestApp| (fill(app).await, hold(app, 2).await);
    test_after(before, async |app, _, (open, held)| {
        let mut background = Background::default();
        let (pool, sealing) = (app.service.clone(), app.sealing.clone());
        background.start("sealing", move |stop| resealing::seal_old(pool.clone(), sealing.clone(), stop));
        app.blocked(3).await;
        let stopping = background.stop();
        held.close().await.unwrap();
        stopping.await;
        all_is_right(app).await;
        is_sealed(app, &open).await;
        all_is_right(app).await;
    });
}

/// Puts secrets in the place of those of account 1, as somebody who writes the tables would: as if they were older than sealing. The rows,
/// as faults name them.
async fn plant(app: &TestApp, client: Uuid) -> Vec<String> {
    let settings = settings(OPEN);
    for plant in [
        "UPDATE installs SET settings = $1::json, sealed = NULL WHERE account_id = 1",
        "UPDATE integrations SET secret = convert_to(left($1, 64), 'UTF8'), is_sealed = false WHERE secret IS NOT NULL",
        "UPDATE webhook_secrets SET secret = convert_to(left($1, 32), 'UTF8'), is_sealed = false WHERE account_id = 1",
    ] {
        assert_eq!(sqlx::query(plant).bind(&settings).execute(&app.pool).await.unwrap().rows_affected(), 1, "{plant}");
    }
    let widget: i64 = sqlx::query_scalar("SELECT id FROM widgets").fetch_one(&app.pool).await.unwrap();
    vec![
        format!("installs, row 1/{widget}"),
        "webhook_secrets, row 1/secret".to_owned(),
        "webhook_secrets, row 1/previous".to_owned(),
        format!("integrations, row {client}/secret"),
        format!("integrations, row {client}/old_secret"),
    ]
}

/// Whether what was planted is neither used nor sealed, and named.
async fn is_refused(app: &TestApp, client: Uuid, rows: &[String]) {
    admin(app, 1).get("/api/v4/widgets/one").await.problem(500);
    let refused = valid(&app.service, &app.sealing, client).await.unwrap_err();
    assert!(matches!(refused, Fault::Unsealed { table: "integrations", .. }), "{refused}");
    let refused = in_force(&app.service, &app.sealing, AccountId::new(1).unwrap()).await.unwrap_err();
    assert!(matches!(refused, Fault::Unsealed { table: "webhook_secrets", .. }), "{refused}");
    let faults = resealing::seal_old_once(&app.service, &app.sealing, || false).await.unwrap();
    let name = |fault: &Fault| fault.to_string().split(": is not sealed").next().unwrap().to_owned();
    assert_eq!(faults.iter().map(name).collect::<Vec<_>>(), rows);
    assert!(everything(app).await.contains(OPEN));
    assert_eq!(unsealed(app).await, 3);
}

/// An installation with a value of each kind; the integration.
async fn fresh(app: &TestApp) -> Uuid {
    publish(app, "one").await;
    for account in 1..=2 {
        assert_eq!(install(&admin(app, account), "one", "own").await.status, 200);
    }
    let (client, ..) = integration(&admin(app, 1)).await;
    webhook_secrets(&admin(app, 1)).await;
    client
}

#[test]
fn a_row_that_says_that_it_is_older_is_refused_in_a_fresh_installation_and_can_be_replaced() {
    test(async |app| {
        let client = fresh(app).await;
        let rows = plant(app, client).await;
        is_refused(app, client, &rows).await;
        let admin = admin(app, 1);
        assert_eq!(install(&admin, "one", "new").await.status, 200);
        assert_eq!(read(&admin, "one").await, settings("new"));
        let made = admin.post(&format!("/registry/v1/integrations/{client}/secrets"), "").await.json();
        assert_eq!(secrets(app, client).await, (made["secret"].as_str().unwrap().to_owned(), None));
        let made = admin.post("/registry/v1/webhook-secret", "").await.json();
        assert_eq!(signing(app, 1).await, [Some(made["secret"].as_str().unwrap().to_owned()), None]);
        assert_eq!(resealing::seal_old_once(&app.service, &app.sealing, || false).await.unwrap().len(), 0);
    });
}

#[test]
fn that_all_is_sealed_outlives_the_service_and_cannot_be_taken_back_without_the_keys() {
    let before = async |app: &TestApp| {
        let client = fresh(app).await;
        is_noted(app).await;
        // All that could be set back but the data keys themselves.
        sqlx::query("UPDATE encryption_keys SET finished_at = NULL, reencrypts = false")
            .execute(&app.pool)
            .await
            .unwrap();
        (client, plant(app, client).await)
    };
    test_after(before, async |first, second, (client, rows)| {
        for app in [first, second] {
            is_refused(app, client, &rows).await;
        }
        assert_eq!(read(&admin(first, 2), "one").await, settings("own"));
        // A data key that is to say otherwise opens no more, and neither does what it has sealed.
        let account = AccountId::new(2).unwrap();
        let wrapped: Vec<u8> = sqlx::query_scalar(
            "UPDATE data_keys SET wrapped = set_byte(wrapped, 0, 1) WHERE account_id = 2 RETURNING wrapped",
        )
        .fetch_one(&first.pool)
        .await
        .unwrap();
        let key = KeyEncryptionKey::of_bytes(&STANDARD.decode(encryption_key()).unwrap().into()).unwrap();
        assert!(key.open(account, 1, &wrapped).is_err());
    });
}

#[test]
fn what_is_older_is_refused_from_the_moment_that_all_is_sealed() {
    let before = async |app: &TestApp| {
        publish(app, "one").await;
        assert_eq!(install(&admin(app, 1), "one", "own").await.status, 200);
        let (client, newest, old) = integration(&admin(app, 1)).await;
        record::note(OPEN, &newest);
        record::note(OPEN, &old);
        webhook_secrets(&admin(app, 1)).await;
        let as_before = "UPDATE installs SET settings = $1::json, sealed = NULL";
        sqlx::query(as_before).bind(settings(OPEN)).execute(&app.pool).await.unwrap();
        for forget in [
            "DELETE FROM webhook_secrets",
            "UPDATE integrations SET secret = $1, old_secret = $2, is_sealed = false WHERE secret IS NOT NULL",
        ] {
            let query = sqlx::query(forget);
            let query = if forget.contains('$') { query.bind(newest.as_bytes()).bind(old.as_bytes()) } else { query };
            query.execute(&app.pool).await.unwrap();
        }
        forget_keys(app).await;
        client
    };
    test_after(before, async |first, second, client| {
        while unsealed(first).await > 0 {}
        is_noted(first).await;
        assert_eq!(read(&admin(first, 1), "one").await, settings(OPEN));
        webhook_secrets(&admin(first, 1)).await;
        // Each of the two has come to its end by itself, or does so now.
        for app in [first, second] {
            assert_eq!(resealing::seal_old_once(&app.service, &app.sealing, || false).await.unwrap().len(), 0);
        }
        let rows = plant(first, client).await;
        for app in [first, second] {
            is_refused(app, client, &rows).await;
        }
    });
}
