//! How many accounts have a widget installed: the sum of what was noted is the truth, whatever happened at once.

use std::fs;
use std::path::Path;

use futures_util::future::{join, join_all};
use sqlx::{AssertSqlSafe, Row as _};
use widget_registry::catalogue::{WidgetId, listing};
use widget_registry::installs::counts;

use crate::support::{Claims, Sample, TestApp, test};

/// Code, number counted, and number of installs that are there.
async fn counted(app: &TestApp) -> Vec<(String, i64, i64)> {
    let rows = sqlx::query_as(
        "SELECT w.code, l.install_count, (SELECT count(*) FROM installs i WHERE i.widget_id = w.id) \
         FROM widgets w JOIN widget_listings l ON l.widget_id = w.id ORDER BY w.code",
    );
    rows.fetch_all(&app.pool).await.unwrap()
}

async fn install(app: &TestApp, account: i64, code: &str) {
    let answer = app.caller(Claims::admin(account, 7)).post(&format!("/api/v4/widgets/{code}"), "{}").await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn uninstall(app: &TestApp, account: i64, code: &str) -> u16 {
    app.caller(Claims::admin(account, 7)).delete(&format!("/api/v4/widgets/{code}")).await.status
}

#[test]
fn an_install_counts_once_and_its_end_too() {
    test(async |app| {
        app.publish(&Sample::plain("one")).await;
        for _ in 0..3 {
            install(app, 1, "one").await;
        }
        install(app, 2, "one").await;
        app.count_installs().await;
        assert_eq!(counted(app).await, [("one".to_owned(), 2, 2)]);
        assert_eq!((uninstall(app, 1, "one").await, uninstall(app, 1, "one").await), (204, 404));
        app.count_installs().await;
        assert_eq!(counted(app).await, [("one".to_owned(), 1, 1)]);
        // Further versions leave the number alone.
        app.publish(&Sample::plain("one").version("2.0.0")).await;
        assert_eq!(counted(app).await, [("one".to_owned(), 1, 1)]);
    });
}

#[test]
fn many_at_once_come_to_the_truth() {
    test(async |app| {
        let codes = ["a", "b", "c"];
        for code in codes {
            app.publish(&Sample::plain(code)).await;
        }
        // A row of numbers that is the same in every run.
        let mut state = 7_u64;
        let mut random = move |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        for _ in 0..15 {
            let mut steps: Vec<(i64, &str, bool)> = Vec::new();
            for _ in 0..12 {
                let account = i64::try_from(random(4)).unwrap() + 1;
                steps.push((account, codes[usize::try_from(random(3)).unwrap()], random(3) > 0));
            }
            let steps = join_all(steps.into_iter().map(async |(account, code, installs)| {
                if installs {
                    install(app, account, code).await;
                } else {
                    uninstall(app, account, code).await;
                }
            }));
            let folds = async { join(counts::fold(&app.service), counts::fold(&app.service)).await };
            let (_, (one, other)) = join(steps, folds).await;
            one.unwrap();
            other.unwrap();
        }
        app.count_installs().await;
        let counted = counted(app).await;
        assert!(counted.iter().all(|(_, counted, there)| counted == there), "{counted:?}");
        assert!(counted.iter().any(|(_, _, there)| *there > 0), "{counted:?}");
        let waiting: i64 =
            sqlx::query_scalar("SELECT count(*) FROM install_changes").fetch_one(&app.pool).await.unwrap();
        assert_eq!(waiting, 0);
    });
}

#[test]
fn a_count_that_breaks_off_loses_nothing() {
    test(async |app| {
        let id = app.publish(&Sample::plain("one")).await;
        install(app, 1, "one").await;
        app.count_installs().await;
        // While somebody holds the widget's row nothing can be counted, and what was noted stays.
        let mut held = app.pool.begin().await.unwrap();
        sqlx::query("UPDATE widget_listings SET install_count = install_count WHERE widget_id = $1")
            .bind(id)
            .execute(&mut *held)
            .await
            .unwrap();
        install(app, 2, "one").await;
        let mut breaking = app.pool.begin().await.unwrap();
        counts::store::wait_for_turn(&mut breaking).await.unwrap();
        let taken = counts::store::take(&mut breaking, 10).await.unwrap();
        assert_eq!(taken, [(WidgetId(id), 1)]);
        breaking.rollback().await.unwrap();
        held.rollback().await.unwrap();
        app.count_installs().await;
        assert_eq!(counted(app).await, [("one".to_owned(), 2, 2)]);
    });
}

/// The listings as they are, the moment of publishing among them.
async fn listings(app: &TestApp) -> Vec<String> {
    let rows = sqlx::query("SELECT l::text AS all FROM widget_listings l ORDER BY 1");
    let rows = rows.fetch_all(&app.pool).await.unwrap();
    rows.iter().map(|row| row.get::<Option<String>, _>("all").unwrap_or_default()).collect()
}

#[test]
fn what_was_there_before_is_counted_and_listed() {
    test(async |app| {
        for code in ["one", "two", "three"] {
            app.publish(&Sample::plain(code).location("lcard-1")).await;
        }
        app.publish_as(&app.admin(), &Sample::field("pass", true), "private").await;
        for account in 1..4 {
            install(app, account, "two").await;
        }
        app.admin().post("/registry/v1/widgets/three/versions/1.0.0/yank", "").await;
        app.count_installs().await;
        let before = listings(app).await;
        assert_eq!(before.len(), 4);
        // As a database was before it had listings.
        sqlx::raw_sql("DROP TABLE widget_listings, install_changes").execute(&app.pool).await.unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut scripts = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let script = scripts.find(|path| path.to_str().unwrap().ends_with("__listings.sql")).unwrap();
        sqlx::raw_sql(AssertSqlSafe(fs::read_to_string(script).unwrap())).execute(&app.pool).await.unwrap();
        let mut last = WidgetId(0);
        while let Some(widget) = listing::renew(&app.service, last).await.unwrap() {
            last = widget;
        }
        assert_eq!(listings(app).await, before);
        assert_eq!(listing::renew(&app.service, WidgetId(0)).await.unwrap(), None);
    });
}
