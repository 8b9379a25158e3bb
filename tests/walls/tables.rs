//! Each tenant table, those of the future included: nothing set, nothing seen; one account set, no other touched.

use sqlx::{AssertSqlSafe, PgConnection};
use widget_registry::auth::AccountId;

use super::{FORBIDDEN, as_service, execute, seen, tenant_tables};
use crate::support::{TestApp, test};

/// Tables that the service adds rows to, and can neither change nor remove any of.
const APPEND_ONLY: [&str; 1] = ["audit_entries"];

fn account(number: i64) -> AccountId {
    AccountId::new(number).unwrap()
}

/// Tables of which several accounts' rows can be read in one statement, by functions that set those accounts.
const READ_TOGETHER: [&str; 1] = ["installs"];

/// Leaves nothing of a table but its columns and its walls, and puts a row of account 1 and one of account 2 into it.
async fn bare(app: &TestApp, table: &str) {
    let statements = "SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname) \
           FROM pg_constraint WHERE conrelid = $1::regclass \
         UNION ALL \
         SELECT format('ALTER TABLE %s ALTER %I DROP NOT NULL', attrelid::regclass, attname) FROM pg_attribute \
           WHERE attrelid = $1::regclass AND attnum > 0 AND attnotnull AND attidentity = '' AND NOT attisdropped";
    let drops: Vec<String> = sqlx::query_scalar(statements).bind(table).fetch_all(&app.pool).await.unwrap();
    let insert = format!("INSERT INTO {table} (account_id) VALUES (1), (2)");
    for statement in drops.into_iter().chain([insert]) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.pool).await.unwrap();
    }
}

async fn each_bare_table(app: &TestApp) -> Vec<String> {
    let tables = tenant_tables(app).await;
    for table in &tables {
        bare(app, table).await;
    }
    tables
}

#[test]
fn every_tenant_table_has_its_walls() {
    test(async |app| {
        for table in tenant_tables(app).await {
            let walls: (bool, bool) =
                sqlx::query_as("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::regclass")
                    .bind(&table)
                    .fetch_one(&app.pool)
                    .await
                    .unwrap();
            assert_eq!(walls, (true, true), "{table}: row-level security is enabled, and forced on its owner");
            let policies: Vec<(String, bool, String, String, Option<String>)> = sqlx::query_as(
                "SELECT policyname::text, permissive = 'PERMISSIVE', cmd, qual, with_check FROM pg_policies WHERE tablename = $1 ORDER BY 1",
            )
            .bind(&table)
            .fetch_all(&app.pool)
            .await
            .unwrap();
            let policy = |name: &str, qual: &str| (name.to_owned(), true, "ALL".to_owned(), qual.to_owned(), None);
            let never = |name: &str, command: &str| {
                (name.to_owned(), false, command.to_owned(), "false".to_owned(), None::<String>)
            };
            let mut expected = vec![
                policy(
                    "of_account",
                    "(account_id = (NULLIF(current_setting('widget_registry.account_id'::text, true), ''::text))::bigint)",
                ),
                policy("of_all_accounts", "(current_setting('widget_registry.all_accounts'::text, true) = 'on'::text)"),
            ];
            if APPEND_ONLY.contains(&table.as_str()) {
                expected.splice(0..0, [never("never_changed", "UPDATE"), never("never_removed", "DELETE")]);
            }
            if READ_TOGETHER.contains(&table.as_str()) {
                let qual = "(account_id = ANY (( SELECT (NULLIF(current_setting('widget_registry.accounts'::text, true), ''::text))::bigint[] AS \"nullif\")::bigint[]))";
                expected.insert(1, ("of_accounts".to_owned(), true, "SELECT".to_owned(), qual.to_owned(), None));
            }
            assert_eq!(policies, expected, "{table}");
        }
    });
}

/// Nothing is seen, changed, removed or added.
async fn is_closed(connection: &mut PgConnection, table: &str) {
    assert_eq!(seen(connection, table).await, [0_i64; 0], "{table}");
    let update = format!("UPDATE {table} SET account_id = account_id");
    assert_eq!(execute(connection, update).await, Ok(0), "{table}");
    assert_eq!(execute(connection, format!("DELETE FROM {table}")).await, Ok(0), "{table}");
    for account in [1, 2] {
        let insert = format!("INSERT INTO {table} (account_id) VALUES ({account})");
        assert_eq!(execute(connection, insert).await, Err(FORBIDDEN.to_owned()), "{table}");
    }
}

#[test]
fn without_an_account_there_is_nothing() {
    test(async |app| {
        for table in each_bare_table(app).await {
            is_closed(&mut as_service(app).await, &table).await;
            is_closed(&mut app.service.catalogue().await.unwrap(), &table).await;
            assert_eq!(seen(&mut app.service.begin_catalogue().await.unwrap(), &table).await, [0_i64; 0]);
            assert_eq!(seen(&mut app.service.begin_for_caller(None).await.unwrap(), &table).await, [0_i64; 0]);
            assert_eq!(seen(&mut app.pool.acquire().await.unwrap(), &table).await, [1, 2], "{table}");
        }
    });
}

#[test]
fn an_account_sees_and_changes_its_own_and_nothing_else() {
    test(async |app| {
        for table in each_bare_table(app).await.into_iter().filter(|table| !APPEND_ONLY.contains(&table.as_str())) {
            let mut transaction = app.service.begin_for(account(1)).await.unwrap();
            assert_eq!(seen(&mut transaction, &table).await, [1], "{table}");
            for statement in [
                format!("UPDATE {table} SET account_id = account_id WHERE account_id = 2"),
                format!("DELETE FROM {table} WHERE account_id = 2"),
                format!("SELECT FROM {table} WHERE account_id = 2 FOR UPDATE"),
            ] {
                assert_eq!(execute(&mut transaction, statement).await, Ok(0), "{table}");
            }
            let all = execute(&mut transaction, format!("UPDATE {table} SET account_id = account_id")).await;
            assert_eq!(all, Ok(1), "{table}");
            let own = format!("INSERT INTO {table} (account_id) VALUES (1)");
            assert_eq!(execute(&mut transaction, own).await, Ok(1), "{table}");
            transaction.commit().await.unwrap();
            // A statement that fails ends its transaction.
            for statement in
                [format!("INSERT INTO {table} (account_id) VALUES (2)"), format!("UPDATE {table} SET account_id = 2")]
            {
                let mut transaction = app.service.begin_for(account(1)).await.unwrap();
                assert_eq!(execute(&mut transaction, statement).await, Err(FORBIDDEN.to_owned()), "{table}");
            }
            assert_eq!(seen(&mut app.pool.acquire().await.unwrap(), &table).await, [1, 1, 2], "{table}");
            let mut transaction = app.service.begin_for(account(1)).await.unwrap();
            assert_eq!(execute(&mut transaction, format!("DELETE FROM {table}")).await, Ok(2), "{table}");
            transaction.commit().await.unwrap();
            assert_eq!(seen(&mut app.pool.acquire().await.unwrap(), &table).await, [2], "{table}");
        }
    });
}

#[test]
fn what_is_only_added_to_is_neither_changed_nor_removed() {
    test(async |app| {
        for table in APPEND_ONLY {
            bare(app, table).await;
            for mut transaction in
                [app.service.begin_for(account(1)).await.unwrap(), app.service.begin_across_accounts().await.unwrap()]
            {
                for statement in
                    ["UPDATE {} SET account_id = account_id", "DELETE FROM {}", "SELECT FROM {} FOR UPDATE"]
                {
                    assert_eq!(execute(&mut transaction, statement.replace("{}", table)).await, Ok(0), "{statement}");
                }
                let own = format!("INSERT INTO {table} (account_id) VALUES (1)");
                assert_eq!(execute(&mut transaction, own).await, Ok(1));
            }
            let mut transaction = app.service.begin_for(account(1)).await.unwrap();
            assert_eq!(seen(&mut transaction, table).await, [1]);
            let others = format!("INSERT INTO {table} (account_id) VALUES (2)");
            assert_eq!(execute(&mut transaction, others).await, Err(FORBIDDEN.to_owned()));
        }
    });
}

#[test]
fn what_was_set_ends_with_its_transaction() {
    test(async |app| {
        bare(app, "installs").await;
        let begin_and_set = [
            "BEGIN; SET LOCAL widget_registry.account_id = '1'",
            "BEGIN; SET LOCAL widget_registry.all_accounts = 'on'",
        ];
        for (begin, expected) in begin_and_set.into_iter().zip([vec![1], vec![1, 2]]) {
            for end in ["COMMIT", "ROLLBACK"] {
                let mut connection = as_service(app).await;
                sqlx::raw_sql(begin).execute(&mut connection).await.unwrap();
                assert_eq!(seen(&mut connection, "installs").await, expected);
                sqlx::raw_sql(end).execute(&mut connection).await.unwrap();
                is_closed(&mut connection, "installs").await;
            }
        }
        // The same through the pool, whose connections are used again: many times, so that each has had an account before.
        for _ in 0..20 {
            assert_eq!(seen(&mut app.service.begin_for(account(2)).await.unwrap(), "installs").await, [2]);
            assert_eq!(seen(&mut app.service.begin_across_accounts().await.unwrap(), "installs").await, [1, 2]);
            assert_eq!(seen(&mut app.service.catalogue().await.unwrap(), "installs").await, [0_i64; 0]);
        }
    });
}

#[test]
fn the_service_cannot_take_the_walls_down() {
    test(async |app| {
        let mut connection = as_service(app).await;
        for table in tenant_tables(app).await {
            for statement in [
                format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
                format!("ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"),
                format!("DROP POLICY of_account ON {table}"),
                format!("CREATE POLICY open ON {table} USING (true)"),
                format!("ALTER TABLE {table} OWNER TO {}", super::SERVICE_ROLE),
                format!("TRUNCATE {table}"),
                format!(
                    "CREATE TRIGGER t BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                ),
                format!("SET row_security = off; SELECT FROM {table}"),
            ] {
                let refused =
                    sqlx::raw_sql(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap_err();
                let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
                assert_eq!(code, FORBIDDEN, "{statement}");
            }
        }
        for statement in [
            "SET ROLE postgres",
            "SET SESSION AUTHORIZATION postgres",
            "ALTER ROLE widget_registry BYPASSRLS",
            "CREATE TABLE public.mine (account_id bigint)",
            "INSERT INTO refinery_schema_history (version) VALUES (1)",
            "DELETE FROM refinery_schema_history",
        ] {
            assert_eq!(execute(&mut connection, statement.to_owned()).await, Err(FORBIDDEN.to_owned()), "{statement}");
        }
    });
}
