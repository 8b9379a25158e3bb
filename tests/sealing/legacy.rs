//! Rows that are older than sealing: read as they are, and sealed beside the requests.

use widget_registry::background::Background;
use widget_registry::resealing;

use super::{admin, everything, hex, install, integration, publish, read, secrets, settings, signing, webhook_secrets};
use crate::support::{TestApp, record, test, test_two};

const ACCOUNTS: i64 = 5;

/// The name of all secrets that are written into rows as they are.
const OPEN: &str = "row from before sealing";

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

fn begin(app: &TestApp, background: &mut Background) {
    let (pool, sealing) = (app.service.clone(), app.sealing.clone());
    background.start("sealing", move |stop| resealing::seal_old(pool.clone(), sealing.clone(), stop));
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
    test_two(async |first, second| {
        let open = fill(first).await;
        all_is_right(second).await;
        let mut background = Background::default();
        begin(first, &mut background);
        begin(second, &mut background);
        is_sealed(first, &open).await;
        background.stop().await;
        all_is_right(first).await;
        all_is_right(second).await;
    });
}

#[test]
fn an_old_integration_can_be_changed_before_it_is_sealed() {
    test(async |app| {
        let admin = admin(app, 1);
        let (client, newest, _) = integration(&admin).await;
        record::note(OPEN, &newest);
        let as_before =
            "UPDATE integrations SET secret = $1, old_secret = NULL, old_secret_until = NULL, is_sealed = false";
        sqlx::query(as_before).bind(newest.as_bytes()).execute(&app.pool).await.unwrap();
        let rotated = admin.post(&format!("/registry/v1/integrations/{client}/secrets"), "").await.json();
        assert_eq!(secrets(app, client).await, (rotated["secret"].as_str().unwrap().to_owned(), Some(newest.clone())));
        assert!(!everything(app).await.contains(&hex(newest.as_bytes())));
    });
}

#[test]
fn a_row_that_is_no_secret_keeps_no_other_from_being_sealed() {
    test(async |app| {
        let mut open = fill(app).await;
        // Text that is no UTF-8 was never an integration's secret.
        let broken = "UPDATE integrations SET secret = decode(repeat('ff', 64), 'hex'), old_secret = NULL, old_secret_until = NULL \
                      WHERE owner_account_id = 2";
        sqlx::query(broken).execute(&app.pool).await.unwrap();
        let mut background = Background::default();
        begin(app, &mut background);
        while unsealed(app).await > 1 {}
        background.stop().await;
        let everything = everything(app).await;
        open.retain(|text| everything.contains(text));
        assert_eq!(open, Vec::<String>::new());
        all_is_right(app).await;
    });
}

#[test]
fn sealing_stops_when_it_is_asked_and_goes_on_later() {
    test(async |app| {
        let open = fill(app).await;
        // The second account's rows are held: who comes to them waits.
        let mut held = app.pool.begin().await.unwrap();
        let lock = "SELECT FROM installs WHERE account_id = 2 FOR UPDATE";
        sqlx::query(lock).execute(&mut *held).await.unwrap();
        let mut background = Background::default();
        begin(app, &mut background);
        app.blocked(1).await;
        let stopping = background.stop();
        held.rollback().await.unwrap();
        stopping.await;
        let sealed: i64 =
            sqlx::query_scalar("SELECT count(DISTINCT account_id) FROM installs WHERE sealed IS NOT NULL")
                .fetch_one(&app.pool)
                .await
                .unwrap();
        assert!((1..=ACCOUNTS).contains(&sealed), "{sealed}");
        all_is_right(app).await;
        let mut background = Background::default();
        begin(app, &mut background);
        is_sealed(app, &open).await;
        background.stop().await;
        all_is_right(app).await;
    });
}
