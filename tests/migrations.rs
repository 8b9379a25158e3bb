//! The schema: several programs at once, an older one on a newer schema, and scripts that run whole or not.

use futures_util::future::join_all;
use sqlx::{Connection as _, PgConnection};
use widget_registry::database::embedded::SERVICE_ROLE;
use widget_registry::database::migrations::{self, MigrationError};

use crate::support::cluster::Database;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn three_programs_may_start_at_once() {
    block_on(async {
        let database = Database::create(false).await;
        let options = database.options();
        let outcomes = join_all((0..3).map(|_| migrations::run(&options, Some(SERVICE_ROLE)))).await;
        let mut applied: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().applied).collect();
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, usize::try_from(migrations::known_version()).unwrap()]);
        database.drop().await;
    });
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    block_on(async {
        let database = Database::create(true).await;
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let newer = migrations::known_version() + 1;
        let insert = "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES ($1, 'future', '2030-01-01T00:00:00Z', '1')";
        sqlx::query(insert).bind(newer).execute(&mut connection).await.unwrap();
        let error = migrations::run(&database.options(), Some(SERVICE_ROLE)).await.unwrap_err();
        assert!(matches!(error, MigrationError::Newer { found, .. } if found == newer), "{error}");
        assert!(error.to_string().contains("start a newer widget-registry"), "{error}");
        connection.close().await.unwrap();
        database.drop().await;
    });
}

#[test]
fn a_changed_history_is_refused() {
    block_on(async {
        let database = Database::create(true).await;
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        sqlx::query("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1")
            .execute(&mut connection)
            .await
            .unwrap();
        let error = migrations::run(&database.options(), Some(SERVICE_ROLE)).await.unwrap_err();
        assert!(matches!(error, MigrationError::Failed { .. }), "{error}");
        connection.close().await.unwrap();
        database.drop().await;
    });
}

#[test]
fn tenant_tables_begin_their_keys_with_the_account() {
    block_on(async {
        let database = Database::create(true).await;
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let wrong: Vec<String> = sqlx::query_scalar(
            "SELECT c.relname || '.' || i.relname FROM pg_index x \
             JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id' \
             WHERE x.indisunique AND c.relkind = 'r' AND x.indkey[0] <> a.attnum",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert!(wrong.is_empty(), "{wrong:?}");
        connection.close().await.unwrap();
        database.drop().await;
    });
}
