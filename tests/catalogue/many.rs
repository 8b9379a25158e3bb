//! Lists that are longer than what is walked for one page: the same answers as a plain look at everything.

use sqlx::AssertSqlSafe;
use widget_registry::catalogue::{WidgetId, listing};

use super::every;
use crate::support::{Claims, TestApp, test};

/// The benchmark's widgets.
const FILL: &str = include_str!("../../benches/catalogue/fill.sql");

async fn fill(app: &TestApp, first: i64, last: i64) {
    sqlx::query(FILL).bind(first).bind(last).execute(&app.pool).await.unwrap();
}

/// What a list should hold, by a plain statement; the caller is user 7 of account 1010, which has installed the numbers that divide by 30.
async fn expected(app: &TestApp, condition: &str, order: &str) -> Vec<String> {
    let statement = format!(
        "SELECT w.code FROM widgets w JOIN widget_listings l ON l.widget_id = w.id JOIN widget_versions v ON v.widget_id = w.id, \
         LATERAL (SELECT substring(w.code FROM 7)::bigint AS n) AS number, \
         LATERAL (SELECT w.owner_account_id = 1010 AS own, n % 30 = 0 AS installed) AS near \
         WHERE (w.visibility = 'public' OR own OR installed) AND {condition} ORDER BY {order}"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&app.pool).await.unwrap()
}

#[test]
fn long_lists_are_complete_and_in_order() {
    test(async |app| {
        fill(app, 1, 2_500).await;
        sqlx::query(
            "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) \
             SELECT 1010, id, '{}', 0, 7 FROM widgets WHERE substring(code FROM 7)::bigint % 30 = 0",
        )
        .execute(&app.pool)
        .await
        .unwrap();
        let caller = app.caller(Claims::user(1010, 7));
        let orders = [
            ("newest", "v.published_at DESC, w.id DESC"),
            ("name", "lower(v.texts->'name'->'texts'->0->>1) COLLATE \"C\", w.id"),
            ("rating", "w.rating_tenths DESC, w.id DESC"),
            ("installs", "l.install_count DESC, w.id DESC"),
        ];
        for (query, condition) in [
            ("", "true"),
            ("q=widget", "true"),
            ("q=branch3", "n % 20 = 3"),
            ("q=branch1", "n % 20 IN (1, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)"),
            ("q=слово7", "n % 50 = 7"),
            ("q=number2499", "n = 2499"),
            ("q=nothing", "false"),
            ("dp=true&setting_type=pass", "n % 20 = 16"),
            ("location=lcard&q=branch16", "n % 20 = 16"),
            ("installed=true&q=branch10", "installed AND n % 20 = 10"),
            ("installed=false&q=branch10", "NOT installed AND n % 20 = 10"),
            ("mine=false&q=number1", "NOT own AND n::text LIKE '1%'"),
            ("mine=true", "own"),
            ("visibility=private&q=branch10", "w.visibility = 'private' AND n % 20 = 10"),
        ] {
            for (sort, order) in orders {
                let found = every(&caller, &format!("sort={sort}&limit=200&{query}")).await;
                assert_eq!(found, expected(app, condition, order).await, "{sort} {query}");
            }
        }
    });
}

#[test]
fn the_filling_is_what_publishing_would_write() {
    test(async |app| {
        fill(app, 1, 120).await;
        let rows = async || -> Vec<String> {
            let statement = "SELECT l::text FROM widget_listings l ORDER BY widget_id";
            sqlx::query_scalar(statement).fetch_all(&app.pool).await.unwrap()
        };
        let before = rows().await;
        assert_eq!(before.len(), 120);
        sqlx::query("UPDATE widget_listings SET edition = 0").execute(&app.pool).await.unwrap();
        let mut last = WidgetId(0);
        while let Some(widget) = listing::renew(&app.service, last).await.unwrap() {
            last = widget;
        }
        assert_eq!(rows().await, before);
    });
}
