//! Many at once: an account's entries follow one another, accounts do not wait for each other.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::Row as _;
use widget_registry::audit::verify;

use crate::support::{Claims, Sample, Setup, TestApp, test, test_with};

/// How many entries an account's chain has; it must be whole.
async fn whole(app: &TestApp, account: i64) -> i64 {
    let mut connection = app.pool.acquire().await.unwrap();
    let end = verify::account(&mut connection, account, None).await.unwrap().unwrap_or_else(|fault| panic!("{fault}"));
    end.map_or(0, |end| end.entries)
}

#[test]
fn installs_at_once_keep_one_unbroken_chain() {
    // So many at once wait for connections and for each other, on a slow machine longer than requests may.
    let patient = ["limits.connection_time", "limits.lock_time", "limits.statement_time", "limits.handler_time"]
        .into_iter()
        .fold(Setup::default(), |setup, limit| setup.set(limit, "60s"));
    test_with(patient, async |app| {
        for number in 0..5 {
            app.publish_as(
                &app.caller(Claims::admin(9, 9).scopes(&["publish", "publish:public"])),
                &Sample::plain(&format!("w{number}")),
                "public",
            )
            .await;
        }
        let request = async |number: i64| {
            let admin = app.caller(Claims::admin(number % 3 + 1, number));
            let answer = admin.post(&format!("/api/v4/widgets/w{}", number % 5), "{}").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        };
        join_all((1..=120).map(request)).await;
        assert_eq!(
            (whole(app, 1).await, whole(app, 2).await, whole(app, 3).await, whole(app, 9).await),
            (40, 40, 40, 5)
        );
    });
}

#[test]
fn accounts_do_not_wait_for_each_other() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        let (one, other) = (app.admin(), app.caller(Claims::admin(2, 7)));
        assert_eq!(one.post("/api/v4/widgets/w", "{}").await.status, 200);
        let mut held = app.pool.begin().await.unwrap();
        sqlx::query("SELECT FROM audit_heads WHERE account_id = 1 FOR UPDATE").execute(&mut *held).await.unwrap();
        let waits = async {
            let answer = one.delete("/api/v4/widgets/w").await;
            assert_eq!(answer.status, 204, "{answer:?}");
        };
        let goes_on = async {
            app.blocked(1).await;
            for _ in 0..3 {
                assert_eq!(other.post("/api/v4/widgets/w", "{}").await.status, 200);
            }
            app.blocked(1).await;
            held.commit().await.unwrap();
        };
        tokio::join!(waits, goes_on);
        assert_eq!((whole(app, 1).await, whole(app, 2).await), (3, 3));
    });
}

#[test]
fn an_operator_who_revokes_elsewhere_is_told_as_one() {
    test(async |app| {
        let operator = app.caller(Claims::admin(99, 98).scopes(&["operator"]));
        for account in [99, 1] {
            let body = format!(r#"{{"account_id":{account},"jti":"abc"}}"#);
            assert_eq!(operator.post("/registry/v1/revocations", &body).await.status, 201);
        }
        let told: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT account_id, by_account_id, acted_as FROM audit_entries ORDER BY account_id")
                .fetch_all(&app.pool)
                .await
                .unwrap();
        assert_eq!(told, [(1, 99, "operator".to_owned()), (99, 99, "admin".to_owned())]);
    });
}

#[test]
fn an_operator_who_takes_a_widget_away_is_told_in_every_account() {
    test(async |app| {
        app.publish(&Sample::plain("w")).await;
        for account in [1, 2, 3] {
            assert_eq!(app.caller(Claims::admin(account, 5)).post("/api/v4/widgets/w", "{}").await.status, 200);
        }
        let operator = app.caller(Claims::user(99, 98).scopes(&["publish", "operator"]));
        assert_eq!(operator.delete("/registry/v1/widgets/w?force=true").await.status, 204);
        let rows = sqlx::query(
            "SELECT account_id, action, details::text AS details FROM audit_entries \
             WHERE acted_as = 'operator' AND by_account_id = 99 AND by_user_id = 98 AND subject = 'w' ORDER BY account_id, seq",
        );
        let rows = rows.fetch_all(&app.pool).await.unwrap();
        let told: Vec<_> =
            rows.iter().map(|row| (row.get("account_id"), row.get("action"), row.get("details"))).collect();
        let forced = json!({"forced": true}).to_string();
        let told: Vec<(i64, &str, &str)> = told;
        let uninstalled = "widget.uninstalled";
        let expected = [(1, uninstalled), (1, "widget.deleted"), (2, uninstalled), (3, uninstalled)];
        assert_eq!(told, expected.map(|(account, action)| (account, action, forced.as_str())));
        for account in [1, 2, 3] {
            whole(app, account).await;
        }
    });
}
