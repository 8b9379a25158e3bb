//! What the check of a chain finds: each way to tamper with it, done and undone.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};
use widget_registry::audit::anchor::Anchor;
use widget_registry::audit::verify::FaultKind::{Altered, Beyond, CutOff, Head, Missing, Rewritten};
use widget_registry::audit::verify::{self, FaultKind};
use widget_registry::audit::{self, Actor, Chain, Change};
use widget_registry::auth::AccountId;

use crate::support::{Claims, Sample, TestApp, test};

/// Five entries of account 1, of an administrator with an integration, and one of account 2.
async fn fill(app: &TestApp) {
    app.publish(&Sample::field("text", false)).await;
    let admin = app.caller(Claims::admin(1, 7).client(uuid::Uuid::from_u128(5)));
    for note in ["1", "2", "3", "4"] {
        let body = format!(r#"{{"field":"{note}"}}"#);
        assert_eq!(admin.post("/api/v4/widgets/one_text", &body).await.status, 200);
    }
    assert_eq!(app.caller(Claims::admin(2, 7)).post("/api/v4/widgets/one_text", "{}").await.status, 200);
}

async fn check(connection: &mut PgConnection, anchor: Option<Anchor>) -> Result<Option<Anchor>, (i64, FaultKind)> {
    let anchors = anchor.map(|anchor| BTreeMap::from([(anchor.entries, anchor.hash)]));
    let checked = verify::account(connection, 1, anchors.as_ref()).await.unwrap();
    checked.map_err(|fault| (fault.seq, fault.kind))
}

/// Does something to the log of account 1 in a transaction that is taken back, and tells what the check says then.
async fn after(app: &TestApp, statements: &[&str]) -> Result<Option<Anchor>, (i64, FaultKind)> {
    let mut transaction = app.pool.begin().await.unwrap();
    for statement in statements {
        let done = sqlx::query(AssertSqlSafe((*statement).to_owned())).execute(&mut *transaction).await.unwrap();
        assert!(done.rows_affected() > 0 || statement.starts_with("ALTER"), "{statement}");
    }
    let checked = check(&mut transaction, None).await;
    transaction.rollback().await.unwrap();
    checked
}

#[test]
fn a_changed_column_is_found_in_every_entry() {
    test(async |app| {
        fill(app).await;
        let columns: Vec<String> = sqlx::query_scalar(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'audit_entries' ORDER BY ordinal_position",
        )
        .fetch_all(&app.pool)
        .await
        .unwrap();
        let changes = |column: &str| match column {
            "account_id" => vec!["account_id + 7"],
            "seq" => vec!["seq + 100"],
            "at" => vec!["at + interval '1 microsecond'", "'infinity'"],
            "by_account_id" | "by_user_id" => vec!["2", "NULL"],
            "by_client_uuid" => vec!["gen_random_uuid()"],
            "acted_as" => vec!["'operator'", "acted_as || ' '"],
            "request_id" => vec!["request_id || 'a'", "NULL", "'null'"],
            "action" => vec!["'widget.eaten'"],
            "subject" => vec!["subject || E'\\n'", "'\", \"'"],
            "details" => vec!["'{}'", "details::text || ' '", "'null'"],
            "hash" => vec!["sha256(hash)"],
            other => panic!("a column that is not part of the hash? {other}"),
        };
        for column in columns {
            for change in changes(&column) {
                for seq in 1..=5 {
                    let cast = if column == "details" { "::json" } else { "" };
                    let statement = format!(
                        "UPDATE audit_entries SET {column} = ({change}){cast} WHERE account_id = 1 AND seq = {seq}"
                    );
                    let found = after(app, &[&statement]).await;
                    let expected = match column.as_str() {
                        "account_id" if seq == 5 => (5, CutOff),
                        "account_id" => (seq, Missing),
                        // A number past the head's.
                        "seq" => (6, Beyond),
                        _ => (seq, Altered),
                    };
                    assert_eq!(found, Err(expected), "{statement}");
                }
            }
        }
    });
}

#[test]
fn what_is_taken_out_put_in_moved_or_cut_off_is_found() {
    test(async |app| {
        fill(app).await;
        let entries = "audit_entries WHERE account_id = 1 AND seq";
        let shift = "UPDATE audit_entries SET seq = seq + 100 WHERE account_id = 1 AND seq > 2";
        let back = "UPDATE audit_entries SET seq = seq - 101 WHERE account_id = 1 AND seq > 100";
        let head = "UPDATE audit_heads SET entries = 4 WHERE account_id = 1";
        let swap =
            |from: i64, to: i64| format!("UPDATE audit_entries SET seq = {to} WHERE account_id = 1 AND seq = {from}");
        let copy = "INSERT INTO audit_entries SELECT account_id, seq + 1, at, by_account_id, by_user_id, by_client_uuid, acted_as, \
             request_id, action, subject, details, hash FROM audit_entries WHERE account_id = 1 AND seq = 5";
        let gone = |number: &str| format!("DELETE FROM {entries} {number}");
        for (statements, found) in [
            (vec![gone("= 1")], (1, Missing)),
            (vec![gone("= 3")], (3, Missing)),
            (vec![gone("= 5")], (5, CutOff)),
            (vec![gone("> 0")], (1, CutOff)),
            // Cut off or taken out, and the rest and the head made to fit by number.
            (vec![gone("= 5"), head.to_owned()], (4, Head)),
            (vec![gone("= 2"), shift.to_owned(), back.to_owned(), head.to_owned()], (2, Altered)),
            (vec![swap(2, 50), swap(3, 2), swap(50, 3)], (2, Altered)),
            (vec![copy.to_owned()], (6, Beyond)),
            (vec![copy.to_owned(), "UPDATE audit_heads SET entries = 6 WHERE account_id = 1".to_owned()], (6, Altered)),
            (vec!["DELETE FROM audit_heads WHERE account_id = 1".to_owned()], (1, Beyond)),
            (vec!["UPDATE audit_heads SET hash = sha256(hash) WHERE account_id = 1".to_owned()], (5, Head)),
        ] {
            let texts: Vec<_> = statements.iter().map(String::as_str).collect();
            assert_eq!(after(app, &texts).await, Err(found), "{statements:?}");
        }
        let whole = check(&mut app.pool.acquire().await.unwrap(), None).await.unwrap().unwrap();
        assert_eq!(whole.entries, 5);
    });
}

#[test]
fn a_chain_that_was_written_anew_is_told_by_its_anchor_alone() {
    test(async |app| {
        fill(app).await;
        let mut transaction = app.pool.begin().await.unwrap();
        let anchor = check(&mut transaction, None).await.unwrap().unwrap();
        for table in ["audit_entries", "audit_heads"] {
            let statement = format!("DELETE FROM {table} WHERE account_id = 1");
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await.unwrap();
        }
        let nothing = check(&mut transaction, None).await;
        assert_eq!((nothing, check(&mut transaction, Some(anchor)).await), (Ok(None), Err((1, CutOff))));
        let (account, actor) = (AccountId::new(1).unwrap(), Actor::command_line());
        for _ in 0..6 {
            audit::record(&mut transaction, account, &actor, &Change::WidgetUndeprecated { widget: "w" })
                .await
                .unwrap();
        }
        let forged = check(&mut transaction, None).await;
        assert_eq!(forged.unwrap().unwrap().entries, 6);
        assert_eq!(check(&mut transaction, Some(anchor)).await, Err((5, Rewritten)));
    });
}

#[test]
fn the_database_and_the_program_hash_alike() {
    test(async |app| {
        let mut transaction = app.pool.begin().await.unwrap();
        let odd: String = (1..=0x2ff).filter_map(char::from_u32).chain("\u{2028}😀\"\\".chars()).collect();
        let change = Change::WidgetDeprecated { widget: &odd, replacement: Some(&odd) };
        for actor in [Actor::command_line(), Actor::command_line().as_operator()] {
            for chain in [Chain::Registry, AccountId::new(i64::MAX).unwrap().into()] {
                audit::record(&mut transaction, chain, &actor, &change).await.unwrap();
            }
        }
        for account in [0, i64::MAX] {
            assert_eq!(verify::account(&mut transaction, account, None).await.unwrap().unwrap().unwrap().entries, 2);
        }
    });
}

#[test]
fn long_chains_are_read_in_batches() {
    test(async |app| {
        let mut transaction = app.pool.begin().await.unwrap();
        let account = AccountId::new(1).unwrap();
        for _ in 0..2_001 {
            let change = Change::DeliveryReplayed { delivery: 1 };
            audit::record(&mut transaction, account, &Actor::command_line(), &change).await.unwrap();
        }
        assert_eq!(check(&mut transaction, None).await.unwrap().unwrap().entries, 2_001);
        for seq in [1_000, 1_001, 2_001] {
            let statement = format!("UPDATE audit_entries SET subject = '2' WHERE seq = {seq}");
            sqlx::query("SAVEPOINT before").execute(&mut *transaction).await.unwrap();
            sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await.unwrap();
            assert_eq!(check(&mut transaction, None).await, Err((seq, Altered)));
            sqlx::query("ROLLBACK TO before").execute(&mut *transaction).await.unwrap();
        }
    });
}
