//! Many requests at once: whatever their order was, the outcome is one that some order explains.

use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, test_with};

/// Waits that no machine is too slow for: what is asked here is who wins, not how fast.
fn patient() -> Setup {
    Setup::default()
        .set("limits.connection_time", "120s")
        .set("limits.lock_time", "120s")
        .set("limits.statement_time", "120s")
        .set("limits.handler_time", "120s")
        .set("limits.uploads", 32)
}

/// How many answers have which status.
fn tally(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut tally = BTreeMap::new();
    for answer in answers {
        *tally.entry(answer.status).or_default() += 1;
    }
    tally
}

async fn count(app: &TestApp, table: &'static str) -> i64 {
    let query = match table {
        "installs" => "SELECT count(*) FROM installs",
        "widgets" => "SELECT count(*) FROM widgets",
        "widget_versions" => "SELECT count(*) FROM widget_versions",
        "idempotency_keys" => "SELECT count(*) FROM idempotency_keys",
        other => panic!("{other}"),
    };
    sqlx::query_scalar(query).fetch_one(&app.pool).await.unwrap()
}

#[test]
fn one_record_is_continued_once() {
    test_with(patient(), async |app| {
        app.publish(&Sample::plain("bot_widget")).await;
        let id = app.wait_for("bot_widget").await;
        let (admin, path) = (app.admin(), format!("/api/v4/salesbot/77/continue/{id}"));
        let send = async |n: usize| admin.post(&path, &format!(r#"{{"data":{{"n":{n}}}}}"#)).await;
        let answers = join_all((0..50).map(send)).await;
        assert_eq!(tally(&answers), BTreeMap::from([(202, 1), (404, 49)]));
        let winner = answers.iter().position(|answer| answer.status == 202).unwrap();
        let record = admin.get(&format!("/registry/v1/continuations/{id}")).await.json();
        assert_eq!((&record["state"], &record["data"]["n"]), (&"continued".into(), &winner.into()));
    });
}

#[test]
fn the_same_request_twice_at_once_is_accepted_twice_and_done_once() {
    test_with(patient(), async |app| {
        app.publish(&Sample::plain("bot_widget")).await;
        for round in 0..10 {
            let id = app.wait_for("bot_widget").await;
            let (admin, path) = (app.admin(), format!("/api/v4/salesbot/77/continue/{id}"));
            let send = || {
                let request = admin.request("POST", &path).header("idempotency-key", format!("round-{round}"));
                admin.send(request.header("content-type", "application/json").body(r#"{"data":{"n":1}}"#))
            };
            let (one, other) = join(send(), send()).await;
            assert_eq!((one.status, other.status), (202, 202), "{one:?} {other:?}");
            assert_eq!(count(app, "idempotency_keys").await, round + 1);
            // Without the key the record is seen to wait no more.
            admin.post(&path, r#"{"data":{"n":1}}"#).await.problem(404);
        }
    });
}

#[test]
fn one_key_for_two_records_continues_one() {
    test_with(patient(), async |app| {
        app.publish(&Sample::plain("bot_widget")).await;
        let records = [app.wait_for("bot_widget").await, app.wait_for("bot_widget").await];
        let admin = app.admin();
        let send = async |id: i64| {
            let request = admin.request("POST", &format!("/api/v4/salesbot/77/continue/{id}"));
            admin.send(request.header("idempotency-key", "the same")).await
        };
        let answers = join_all(records.into_iter().map(send)).await;
        assert_eq!(tally(&answers), BTreeMap::from([(202, 1), (422, 1)]));
        for (id, answer) in records.into_iter().zip(&answers) {
            let state = if answer.status == 202 { "continued" } else { "waiting" };
            let record = admin.get(&format!("/registry/v1/continuations/{id}")).await;
            assert_eq!(record.json()["state"], state);
        }
    });
}

#[test]
fn fifty_installs_leave_one_row() {
    test_with(patient(), async |app| {
        app.publish(&Sample::field("text", true)).await;
        let admin = app.admin();
        let send = async |n: usize| admin.post("/api/v4/widgets/one_text", &format!(r#"{{"field":"{n}"}}"#)).await;
        let answers = join_all((0..50).map(send)).await;
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!((answer.status, answer.json()["settings"]["field"].as_str()), (200, Some(&*n.to_string())));
        }
        let stored: Vec<String> =
            sqlx::query_scalar("SELECT settings->>'field' FROM installs").fetch_all(&app.pool).await.unwrap();
        assert_eq!(stored.len(), 1);
        assert!((0..50).contains(&stored[0].parse::<i32>().unwrap()), "{stored:?}");
    });
}

/// Sends installs and uninstalls alternately, all at once.
async fn install_and_uninstall(admin: &Client, code: &str) -> (BTreeMap<u16, usize>, BTreeMap<u16, usize>) {
    let path = format!("/api/v4/widgets/{code}");
    let pair = async |_| join(admin.post(&path, "{}"), admin.delete(&path)).await;
    let (installs, uninstalls): (Vec<_>, Vec<_>) = join_all((0..25).map(pair)).await.into_iter().unzip();
    (tally(&installs), tally(&uninstalls))
}

#[test]
fn installs_and_uninstalls_get_along() {
    test_with(patient(), async |app| {
        app.publish(&Sample::plain("open")).await;
        let admin = app.admin();
        let (installs, uninstalls) = install_and_uninstall(&admin, "open").await;
        assert_eq!(installs, BTreeMap::from([(200, 25)]));
        assert!(uninstalls.keys().all(|status| matches!(status, 204 | 404)), "{uninstalls:?}");
        let shown = admin.get("/api/v4/widgets/open").await.json();
        assert_eq!(shown["is_active_in_account"], count(app, "installs").await == 1);
    });
}

/// Publishes a private widget of somebody else that account 1 has installed, as it can be after a widget was shared.
async fn shared(app: &TestApp, code: &str) {
    let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
    let id = app.publish_as(&stranger, &Sample::plain(code), "private").await;
    sqlx::query("INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) VALUES (1, $1, '{}', 0, 7)")
        .bind(id)
        .execute(&app.pool)
        .await
        .unwrap();
}

/// Somebody else's private widget is seen because it is installed, so the first uninstall is the last that is seen of it.
#[test]
fn one_uninstall_ends_what_only_the_install_showed() {
    test_with(patient(), async |app| {
        for round in 0..10 {
            let code = format!("closed_{round}");
            shared(app, &code).await;
            let (installs, uninstalls) = install_and_uninstall(&app.admin(), &code).await;
            assert!(installs.keys().all(|status| matches!(status, 200 | 404)), "{installs:?}");
            assert_eq!(uninstalls, BTreeMap::from([(204, 1), (404, 24)]), "{installs:?}");
            assert_eq!(count(app, "installs").await, 0);
        }
    });
}

#[test]
fn an_install_that_waited_for_an_uninstall_does_not_undo_it() {
    test_with(patient(), async |app| {
        shared(app, "closed").await;
        let mut uninstall = app.pool.begin().await.unwrap();
        sqlx::query("DELETE FROM installs").execute(&mut *uninstall).await.unwrap();
        let end = async {
            let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
            while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.pool).await.unwrap() {}
            uninstall.commit().await.unwrap();
        };
        let admin = app.admin();
        let mut install = std::pin::pin!(admin.post("/api/v4/widgets/closed", "{}"));
        tokio::select! {
            answer = &mut install => panic!("it did not wait: {answer:?}"),
            () = end => {}
        }
        install.await.problem(404);
        assert_eq!(count(app, "installs").await, 0);
    });
}

#[test]
fn one_owner_wins_a_new_code() {
    test_with(patient(), async |app| {
        let owner = |account| app.caller(Claims::admin(account, 7).scopes(&["publish"]));
        let (owners, archive) = ([owner(1), owner(2)], Sample::plain("wanted").zip());
        let send = async |n: usize| {
            let path = "/registry/v1/widgets?code=wanted";
            owners[n % 2].post_bytes(path, "application/zip", archive.clone()).await
        };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (n, answer) in join_all((0..20).map(send)).await.into_iter().enumerate() {
            if n % 2 == 0 { first.push(answer) } else { second.push(answer) }
        }
        let mut tallies = [tally(&first), tally(&second)];
        tallies.sort();
        assert_eq!(tallies, [BTreeMap::from([(200, 9), (201, 1)]), BTreeMap::from([(409, 10)])]);
        assert_eq!((count(app, "widgets").await, count(app, "widget_versions").await), (1, 1));
    });
}

#[test]
fn one_owner_wins_an_integration() {
    test_with(patient(), async |app| {
        let client = Uuid::from_u128(0x3333_3333_3333_4333_8333_3333_3333_3333);
        let send = async |account: i64| {
            let owner = app.caller(Claims::admin(account, 7).scopes(&["publish"]));
            let path = format!("/registry/v1/widgets?code=of_{account}&client_uuid={client}");
            owner.post_bytes(&path, "application/zip", Sample::plain("any").zip()).await
        };
        let answers = join_all((1..=10).map(send)).await;
        assert_eq!(tally(&answers), BTreeMap::from([(201, 1), (409, 9)]));
        assert_eq!(count(app, "widgets").await, 1);
    });
}
