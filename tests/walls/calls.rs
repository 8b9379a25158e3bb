//! Functions that set their accounts themselves: each touches the rows of those and no others, and leaves nothing set behind.

use sqlx::{AssertSqlSafe, PgConnection};

use super::{FORBIDDEN, as_service, execute, seen, tenant_tables};
use crate::support::{Claims, Sample, TestApp, test};

/// What is set on a connection.
async fn is_set(connection: &mut PgConnection) -> Vec<String> {
    let names = "SELECT coalesce(current_setting(name, true), '') FROM unnest(ARRAY['widget_registry.account_id', \
         'widget_registry.accounts', 'widget_registry.all_accounts']) AS name";
    let set: Vec<String> = sqlx::query_scalar(names).fetch_all(connection).await.unwrap();
    set.into_iter().filter(|value| !value.is_empty()).collect()
}

/// Installs of two accounts, past the service.
async fn two_accounts(app: &TestApp) {
    app.publish(&Sample::plain("w").location("lead_sources")).await;
    let insert = "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) \
         SELECT account, w.id, '{}', 0, 7 FROM widgets w, (VALUES (1), (2)) AS a (account)";
    assert_eq!(sqlx::query(insert).execute(&app.pool).await.unwrap().rows_affected(), 2);
}

#[test]
fn accounts_that_are_read_together_are_read_only() {
    test(async |app| {
        two_accounts(app).await;
        let mut connection = as_service(app).await;
        let set = "SELECT set_config('widget_registry.accounts', '{2,3}', false)";
        sqlx::query(set).execute(&mut connection).await.unwrap();
        assert_eq!(seen(&mut connection, "installs").await, [2]);
        for statement in
            ["UPDATE installs SET pipeline_id = 1", "DELETE FROM installs", "SELECT FROM installs FOR UPDATE"]
        {
            assert_eq!(execute(&mut connection, statement.to_owned()).await, Ok(0), "{statement}");
        }
        let insert =
            "INSERT INTO installs SELECT 3, widget_id, settings, pipeline_id, 7, now(), now(), 0 FROM installs";
        assert_eq!(execute(&mut connection, insert.to_owned()).await, Err(FORBIDDEN.to_owned()));
    });
}

#[test]
fn a_read_of_several_accounts_leaves_none_set() {
    test(async |app| {
        two_accounts(app).await;
        let mut connection = as_service(app).await;
        for (call, expected) in [
            ("SELECT count(widgets) FROM installs_of('{2, 3, 1}')", 2),
            (
                "SELECT count(*) FROM installs_at('{2, 3, 1}', ARRAY(SELECT id FROM widgets, generate_series(1, 3))) WHERE is_installed",
                2,
            ),
            ("SELECT count(*) FROM installs_of('{}')", 0),
        ] {
            let found: i64 = sqlx::query_scalar(call).fetch_one(&mut connection).await.unwrap();
            assert_eq!(found, expected, "{call}");
            assert_eq!(is_set(&mut connection).await, [""; 0]);
            assert_eq!(seen(&mut connection, "installs").await, [0_i64; 0]);
        }
    });
}

/// Of an empty table every plan is as good as another, and it stays in use when the table has been filled.
#[test]
fn a_plan_from_an_empty_table_reads_no_more_than_is_asked_for() {
    test(async |app| {
        sqlx::query("VACUUM (ANALYZE) installs").execute(&app.pool).await.unwrap();
        let mut connection = as_service(app).await;
        let of = "SELECT count(widgets) FROM installs_of('{1, 2}')";
        let at = "SELECT count(*) FROM installs_at('{1, 2}', '{1, 1}') WHERE is_installed";
        for call in [of, at] {
            sqlx::query(call).execute(&mut connection).await.unwrap();
        }
        two_accounts(app).await;
        let others = "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) \
             SELECT account, w.id, '{}', 0, 7 FROM widgets w, generate_series(3, 20000) AS account";
        sqlx::query(others).execute(&app.pool).await.unwrap();
        // What has been read of indexes by other connections is told late; what this one reads, in its own next transaction at the latest.
        let entries = "SELECT pg_stat_get_xact_tuples_fetched('installs_pkey'::regclass) + pg_stat_get_xact_tuples_returned('installs_pkey'::regclass) \
             + pg_stat_get_xact_tuples_returned('installs_by_widget'::regclass) + pg_stat_get_xact_tuples_returned('installs'::regclass)";
        for call in [of, at] {
            sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
            let found: i64 = sqlx::query_scalar(call).fetch_one(&mut connection).await.unwrap();
            let read: i64 = sqlx::query_scalar(entries).fetch_one(&mut connection).await.unwrap();
            sqlx::query("ROLLBACK").execute(&mut connection).await.unwrap();
            assert_eq!(found, 2, "{call}");
            assert!((1..100).contains(&read), "{call}: {read}");
        }
    });
}

/// What a call answers, as text, a row in brackets; `None` for no row, and for nothing.
async fn answer(connection: &mut PgConnection, call: &str) -> Option<String> {
    let text = format!("SELECT concat_ws(',', answer.*) FROM {call} AS answer");
    let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_optional(connection).await.unwrap();
    text.filter(|text| !text.is_empty())
}

#[test]
fn a_call_touches_its_own_account_and_leaves_nothing_set() {
    test(async |app| {
        two_accounts(app).await;
        let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
        let closed = app.publish_as(&stranger, &Sample::plain("closed"), "private").await;
        let record = app.wait_for("w").await;
        let mut connection = as_service(app).await;
        // `{}` is the account; what account 3 is answered, which has nothing, and what the account whose it is.
        let by = "1, 7, NULL, 'admin', 'request'";
        let calls = [
            ("widget_seen_by({}, 9, 'closed')".to_owned(), None, (2, "closed")),
            (
                format!(
                    "install_widget({{}}, 9, {closed}, '{{}}', 0, {by}, 'widget.installed', 'widget.changed', 'closed', '{{}}')"
                ),
                None,
                (2, ""),
            ),
            (format!("set_lead_source({{}}, 'w', 5, {by}, 'widget.changed', 'w', '{{}}')"), Some("(f,)"), (1, "(t,")),
            (format!("uninstall_widget({{}}, 'w', {by}, 'widget.uninstalled', 'w', '{{}}')"), None, (1, "")),
            (
                format!(
                    "answer_bot({{}}, 'salesbot', 77, {record}, 7, NULL, NULL, 'key', sha256('x'), 'salesbot/77', 'continuation.continued', \
                     ARRAY['[', ',', ',', ',', ',', ']']::bytea[], 60, 60)"
                ),
                Some("(not_waiting"),
                (1, "(continued,f)"),
            ),
        ];
        for (call, nothing, (account, own)) in calls {
            let before = app.contents().await;
            let answered = answer(&mut connection, &call.replacen("{}", "3", 1)).await;
            assert!(
                answered.as_deref().unwrap_or_default().starts_with(nothing.unwrap_or_default()),
                "{call} {answered:?}"
            );
            assert_eq!(answered.is_some(), nothing.is_some(), "{call} {answered:?}");
            assert_eq!(app.contents().await, before, "{call}");
            let answered = answer(&mut connection, &call.replacen("{}", &account.to_string(), 1)).await;
            assert!(answered.as_deref().unwrap_or_default().contains(own), "{call} {answered:?}");
            assert_eq!(app.contents().await != before, !call.starts_with('w'), "{call}");
            assert_eq!(is_set(&mut connection).await, [""; 0], "{call}");
            for table in tenant_tables(app).await {
                assert_eq!(seen(&mut connection, &table).await, [0_i64; 0], "{call} {table}");
            }
        }
    });
}
