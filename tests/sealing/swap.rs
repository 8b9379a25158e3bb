//! Every sealed value at every other place, with every byte changed, and cut at every length: never a value.

use serde_json::value::RawValue;
use widget_registry::auth::AccountId;
use widget_registry::catalogue::WidgetId;
use widget_registry::installs::Stored;
use widget_registry::sealing::Fault;

use super::{admin, install, integration, publish, read, settings, webhook_secrets};
use crate::support::{TestApp, test};

/// The settings of an install as they stand in the database.
#[derive(Clone)]
struct Row {
    account: AccountId,
    widget: WidgetId,
    text: String,
    sealed: i32,
}

impl Row {
    /// Opens the settings with another text in their place; `None` when that is no JSON, which the database would not take.
    async fn open(&self, app: &TestApp, text: String) -> Option<Result<String, Fault>> {
        let stored = Stored { text: RawValue::from_string(text).ok()?, sealed: Some(self.sealed) };
        let opened = stored.open(&app.sealing, self.account, self.widget).await;
        Some(opened.map(|settings| serde_json::to_string(&settings).unwrap()))
    }

    async fn is_refused(&self, app: &TestApp, text: String, what: &str) {
        match self.open(app, text).await {
            None | Some(Err(Fault::Unopened { .. })) => {}
            Some(other) => panic!("{what}: {other:?}"),
        }
    }

    /// The sealed texts, as they stand in the JSON.
    fn values(&self) -> Vec<String> {
        let values: Vec<_> =
            self.text.split('"').filter(|part| part.starts_with("\\u0000")).map(str::to_owned).collect();
        assert_eq!(values.len(), usize::try_from(self.sealed).unwrap());
        values
    }
}

async fn rows(app: &TestApp) -> Vec<Row> {
    let rows: Vec<(i64, i64, String, i32)> =
        sqlx::query_as("SELECT account_id, widget_id, settings::text, sealed FROM installs ORDER BY 1, 2")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    let row = |(account, widget, text, sealed)| Row {
        account: AccountId::new(account).unwrap(),
        widget: WidgetId(widget),
        text,
        sealed,
    };
    rows.into_iter().map(row).collect()
}

/// Two accounts with two widgets each.
async fn fill(app: &TestApp) -> Vec<Row> {
    for code in ["one", "two"] {
        publish(app, code).await;
        for account in [1, 2] {
            assert_eq!(install(&admin(app, account), code, &format!("{code}{account}")).await.status, 200);
        }
    }
    let rows = rows(app).await;
    assert_eq!(rows.len(), 4);
    rows
}

#[test]
fn settings_open_at_their_place_only() {
    test(async |app| {
        let rows = fill(app).await;
        let all: Vec<String> = rows.iter().flat_map(Row::values).collect();
        for row in &rows {
            assert!(row.open(app, row.text.clone()).await.unwrap().is_ok());
            for own in row.values() {
                for other in all.iter().filter(|other| **other != own) {
                    row.is_refused(app, row.text.replace(&own, other), "another's value").await;
                }
            }
            // The whole row of another account or widget.
            for other in rows.iter().filter(|other| other.text != row.text) {
                row.is_refused(app, other.text.clone(), "another row").await;
            }
        }
    });
}

#[test]
fn changed_settings_do_not_open() {
    test(async |app| {
        let row = &fill(app).await[0];
        for own in row.values() {
            let start = row.text.find(&own).unwrap();
            for at in start..start + own.len() {
                for bit in [1_u8, 4, 32] {
                    let mut bytes = row.text.clone().into_bytes();
                    bytes[at] ^= bit;
                    row.is_refused(app, String::from_utf8(bytes).unwrap(), "a changed byte").await;
                }
            }
            for length in 0..own.len() {
                row.is_refused(app, row.text.replace(&own, own.split_at(length).0), "a cut value").await;
            }
            row.is_refused(app, row.text.replace(&own, &format!("{own}AAAA")), "a longer value").await;
            row.is_refused(app, row.text.replace(&own, "plain"), "a plain value").await;
        }
    });
}

/// A column that holds a sealed secret: its table, itself, and its row.
type Slot = (&'static str, &'static str, String);

async fn set(app: &TestApp, (table, column, row): &Slot, bytes: &[u8]) {
    let key = if *table == "integrations" { "client_uuid" } else { "account_id" };
    let statement = format!("UPDATE {table} SET {column} = $1 WHERE {key}::text = $2");
    let done = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(bytes).bind(row).execute(&app.pool).await;
    // A column that takes no such length refuses what was cut.
    assert!(done.is_err() || done.unwrap().rows_affected() == 1);
}

async fn get(app: &TestApp, (table, column, row): &Slot) -> Vec<u8> {
    let key = if *table == "integrations" { "client_uuid" } else { "account_id" };
    let statement = format!("SELECT {column} FROM {table} WHERE {key}::text = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(row).fetch_one(&app.pool).await.unwrap()
}

/// Whether the secrets of the slot's row are read.
async fn is_read(app: &TestApp, (table, _, row): &Slot) -> bool {
    let outcome = if *table == "integrations" {
        let client = row.parse().unwrap();
        widget_registry::integrations::secrets::valid(&app.service, &app.sealing, client).await.map(|_| ())
    } else {
        let account = row.parse().unwrap();
        let read = widget_registry::delivery::secret::sealed::in_force(&app.service, &app.sealing, account).await;
        read.map(|_| ())
    };
    match outcome {
        Ok(()) => true,
        Err(Fault::Unopened { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn secrets_open_at_their_place_only_and_unchanged() {
    test(async |app| {
        let mut slots: Vec<Slot> = Vec::new();
        for account in [1, 2] {
            let admin = admin(app, account);
            let (client, ..) = integration(&admin).await;
            webhook_secrets(&admin).await;
            slots.extend(["secret", "old_secret"].map(|column| ("integrations", column, client.to_string())));
            slots.extend(["secret", "previous"].map(|column| ("webhook_secrets", column, account.to_string())));
        }
        let mut stored = Vec::new();
        for slot in &slots {
            assert!(is_read(app, slot).await);
            stored.push(get(app, slot).await);
        }
        for (slot, own) in slots.iter().zip(&stored) {
            for other in stored.iter().filter(|other| *other != own) {
                set(app, slot, other).await;
                assert!(!is_read(app, slot).await, "{slot:?}: another's secret is read");
            }
            set(app, slot, own).await;
        }
        // All are sealed alike: one of each table stands for the others.
        for (slot, own) in slots.iter().zip(&stored).take(3) {
            for at in 0..own.len() {
                let mut changed = own.clone();
                changed[at] ^= 1;
                set(app, slot, &changed).await;
                assert!(!is_read(app, slot).await, "{slot:?}: byte {at} changed");
                // What is shorter than a column takes is not stored, and then the row is as it was changed before.
                set(app, slot, &own[..at]).await;
                assert!(!is_read(app, slot).await, "{slot:?}: cut at {at}");
            }
            set(app, slot, own).await;
            assert!(is_read(app, slot).await);
        }
    });
}

#[test]
fn a_swapped_value_is_a_fault_that_shows_nothing() {
    test(async |app| {
        fill(app).await;
        let swap = "UPDATE installs i SET settings = o.settings FROM installs o \
                    WHERE i.account_id = 1 AND o.account_id = 2 AND i.widget_id = o.widget_id";
        sqlx::query(swap).execute(&app.pool).await.unwrap();
        let admin = admin(app, 1);
        let answer = admin.get("/api/v4/widgets/one").await;
        assert_eq!(answer.problem(500), "An unexpected error occurred; the log names it by the request id");
        admin.get("/registry/v1/installs").await.problem(500);
        // Everything that needs no secret goes on, and a new install mends it.
        assert_eq!(admin.get("/api/v4/widgets").await.status, 200);
        assert_eq!(install(&admin, "one", "new").await.status, 200);
        assert_eq!(read(&admin, "one").await, settings("new"));
        assert_eq!(read(&super::admin(app, 2), "one").await, settings("one2"));
    });
}
