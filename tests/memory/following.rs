//! Following the database: transactions that end late or whose end nobody heard of, notes that are old, a database that cannot be asked.

use std::time::{Duration, Instant};

use widget_registry::catalogue::WidgetId;
use widget_registry::catalogue::changes::store as changes;

use super::{ask_and_leave, audited, codes, rate, rating};
use crate::support::{Claims, Raw, Sample, TestApp, test};

/// What another server changes must be seen by a request that begins a second later.
const BOUND: Duration = Duration::from_secs(1);

async fn sees_within_a_second(app: &TestApp, code: &str, expected: &str) {
    let changed = Instant::now();
    loop {
        let begun = changed.elapsed();
        let shown = rating(app, code).await;
        if shown == expected {
            return;
        }
        assert!(begun < BOUND, "{shown} is shown after {begun:?}");
    }
}

#[test]
fn a_transaction_that_ends_after_later_ones_is_not_missed() {
    test(async |app| {
        let id = app.publish(&Sample::plain("a")).await;
        for tenths in 1..=5 {
            let mut late = app.pool.begin().await.unwrap();
            rate(&mut late, id, tenths).await;
            // Others begin and end after it, and are seen.
            for round in 0..2 {
                let code = format!("other_{tenths}_{round}");
                app.publish(&Sample::plain(&code)).await;
                assert!(codes(&app.user().get("/api/v4/widgets").await).contains(&code));
            }
            late.commit().await.unwrap();
            sees_within_a_second(app, "a", &format!("0,{tenths}")).await;
        }
    });
}

#[test]
fn what_was_rolled_back_is_not_shown() {
    test(async |app| {
        let id = app.publish(&Sample::plain("a")).await;
        let mut given_up = app.pool.begin().await.unwrap();
        rate(&mut given_up, id, 9).await;
        given_up.rollback().await.unwrap();
        let mut kept = app.pool.begin().await.unwrap();
        rate(&mut kept, id, 8).await;
        kept.commit().await.unwrap();
        sees_within_a_second(app, "a", "0,8").await;
    });
}

/// The handler has ended, and nobody knows whether what it sent on its way will be committed: here it is, a moment later.
#[test]
fn a_commit_that_nobody_waits_for_is_seen_by_the_next_request() {
    test(async |app| {
        let id = app.publish(&Sample::plain("a")).await;
        for tenths in 1..=20 {
            let mut write = app.writes.begin();
            let mut transaction = app.pool.begin().await.unwrap();
            rate(&mut transaction, id, tenths).await;
            write.commits();
            drop(write);
            // Looked at after the handler's end and before the commit: that look must not be the last.
            assert_ne!(rating(app, "a").await, format!("{},{}", tenths / 10, tenths % 10));
            transaction.commit().await.unwrap();
            assert_eq!(rating(app, "a").await, format!("{},{}", tenths / 10, tenths % 10));
        }
    });
}

#[test]
fn clients_who_leave_do_not_make_it_old() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let token = Claims::admin(1, 7).scopes(&["publish", "publish:public"]).sign(&app.key, app.now());
        let stranger = app.caller(Claims::user(2, 9));
        let visibility = async || -> String {
            let query = sqlx::query_scalar("SELECT visibility FROM widgets WHERE code = 'a'");
            query.fetch_one(&app.pool).await.unwrap()
        };
        let mut compared = 0;
        for round in 0..60 {
            let wanted = if round % 2 == 0 { "private" } else { "public" };
            let body = format!(r#"{{"visibility":"{wanted}"}}"#);
            let request = Raw::new("PUT", "/registry/v1/widgets/a/visibility").token(&token).json(body);
            ask_and_leave(app, &request, round).await;
            for _ in 0..4 {
                let before = audited(app, 1).await;
                let status = stranger.get("/api/v4/widgets/a").await.status;
                let has = visibility().await;
                if audited(app, 1).await == before {
                    assert_eq!(status, if has == "public" { 200 } else { 404 }, "round {round}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 60, "{compared}");
    });
}

#[test]
fn old_notes_are_removed() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let old = "INSERT INTO catalogue_changes (transaction, widget_id, made_at) \
                   SELECT n::text::xid8, n, now() - n * interval '20 min' FROM generate_series(1, 9) AS n";
        sqlx::query(old).execute(&app.pool).await.unwrap();
        let removed = async |count| changes::remove_old(&app.service, Duration::from_hours(1), count).await.unwrap();
        assert_eq!([removed(4).await, removed(4).await], [4, 3]);
        let kept: Vec<i64> =
            sqlx::query_scalar("SELECT widget_id FROM catalogue_changes WHERE transaction < '10'::xid8 ORDER BY 1")
                .fetch_all(&app.pool)
                .await
                .unwrap();
        assert_eq!(kept, [1, 2]);
        assert_eq!(removed(4).await, 0);
    });
}

/// A widget is found once by looks that follow each other, and noting it twice in a transaction is no mistake.
#[test]
fn looks_find_each_change_once() {
    test(async |app| {
        let first = changes::look(&app.service, None).await.unwrap();
        assert!(first.changed.is_empty());
        let mut transaction = app.service.begin_catalogue().await.unwrap();
        for _ in 0..2 {
            changes::note(&mut transaction, WidgetId(5)).await.unwrap();
        }
        let look = async |since: &str| changes::look(&app.service, Some(since)).await.unwrap();
        let during = look(&first.at).await;
        assert!(
            during.changed.is_empty() && during.ended_before < changes::mark(&app.service).await.unwrap(),
            "{during:?}"
        );
        transaction.commit().await.unwrap();
        let after = look(&during.at).await;
        assert_eq!(after.changed, [WidgetId(5)]);
        assert!(look(&after.at).await.changed.is_empty());
        assert_eq!(look(&first.at).await.changed, [WidgetId(5)]);
    });
}

#[test]
fn a_catalogue_that_cannot_follow_is_shown_to_nobody_and_told_of() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let client = app.user();
        assert_eq!(client.get("/api/v4/widgets/a").await.status, 200);
        let lock = app.lock("catalogue_changes").await;
        let locked = Instant::now();
        loop {
            let begun = locked.elapsed();
            let answer = client.get("/api/v4/widgets/a").await;
            if answer.status == 503 {
                break;
            }
            assert!(answer.status == 200 && begun < BOUND, "{begun:?}: {answer:?}");
        }
        client.get("/api/v4/widgets").await.problem(503);
        // The database answers, and yet the service is not ready.
        while client.get("/registry/v1/health/ready").await.status == 200 {}
        let numbers = client.get("/metrics").await;
        let age = numbers.text().lines().find_map(|line| line.strip_prefix("widget_registry_catalogue_age_seconds "));
        assert!(age.unwrap().parse::<f64>().unwrap() > 5.0, "{age:?}");
        assert!(numbers.text().contains("widget_registry_catalogue_widgets 1\n"));
        lock.rollback().await.unwrap();
        while client.get("/registry/v1/health/ready").await.status != 200 {}
        assert_eq!(client.get("/api/v4/widgets/a").await.status, 200);
    });
}

/// One that nobody can read is shown to nobody, and keeps no other from being shown.
#[test]
fn a_broken_widget_is_left_out() {
    test(async |app| {
        for code in ["a", "b", "c"] {
            app.publish(&Sample::plain(code)).await;
        }
        sqlx::query("UPDATE widget_versions SET template = '{}' FROM widgets WHERE id = widget_id AND code = 'b'")
            .execute(&app.pool)
            .await
            .unwrap();
        app.reload().await;
        assert_eq!(codes(&app.user().get("/api/v4/widgets").await), ["a", "c"]);
        app.user().get("/api/v4/widgets/b").await.problem(404);
        // Its next version is whole again.
        app.publish(&Sample::plain("b").version("2.0.0")).await;
        assert_eq!(codes(&app.user().get("/api/v4/widgets").await), ["a", "b", "c"]);
    });
}
