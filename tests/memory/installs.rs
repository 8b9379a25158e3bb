//! Installs that are remembered between requests: never older than they may be, whatever happens to the requests that change them.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use widget_registry::auth::AccountId;
use widget_registry::database::{self, Ended, Failure};

use super::{ask_and_leave, audited};
use crate::support::{Claims, Client, Raw, Sample, Setup, TestApp, test_with};

fn only_writer() -> Setup {
    Setup { only_writer: true, ..Setup::default() }
}

/// The codes that a list shows as active.
async fn active(client: &Client) -> BTreeSet<String> {
    let list = client.get("/api/v4/widgets").await.json();
    let widgets = list["_embedded"]["widgets"].as_array().unwrap();
    let active = widgets.iter().filter(|widget| widget["is_active_in_account"] == Value::Bool(true));
    active.map(|widget| widget["code"].as_str().unwrap().to_owned()).collect()
}

/// The codes that the database has.
async fn installed(app: &TestApp, account: i64) -> BTreeSet<String> {
    let query = "SELECT w.code FROM installs i JOIN widgets w ON w.id = i.widget_id WHERE i.account_id = $1";
    let codes: Vec<String> = sqlx::query_scalar(query).bind(account).fetch_all(&app.pool).await.unwrap();
    codes.into_iter().collect()
}

/// How often the database was asked for installs.
async fn reads(app: &TestApp) -> u64 {
    let answer = app.with_token(None).get("/metrics").await;
    let line = answer.text().lines().find_map(|line| line.strip_prefix("widget_registry_installs_read_total "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_read_of_what_is_known_asks_for_nothing() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a")).await;
        app.publish(&Sample::plain("b")).await;
        let admin = app.admin();
        assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(active(&admin).await, BTreeSet::from(["a".to_owned()]));
        let before = reads(app).await;
        // Also what the account's own changes have done is known after them.
        assert_eq!(admin.post("/api/v4/widgets/b", "{}").await.status, 200);
        assert_eq!(active(&admin).await.len(), 2);
        assert_eq!(admin.get("/api/v4/widgets/b").await.json()["is_active_in_account"], true);
        assert_eq!(admin.delete("/api/v4/widgets/a").await.status, 204);
        assert_eq!(active(&app.user()).await, BTreeSet::from(["b".to_owned()]));
        assert_eq!(reads(app).await, before);
        // One that is refused has to be forgotten: it could have done something.
        admin.delete("/api/v4/widgets/a").await.problem(404);
        assert_eq!(active(&admin).await, BTreeSet::from(["b".to_owned()]));
        assert_eq!(reads(app).await, before + 1);
        // Another account's are others.
        assert_eq!(active(&app.caller(Claims::user(2, 7))).await, BTreeSet::new());
        assert_eq!(reads(app).await, before + 2);
    });
}

#[test]
fn with_an_external_database_each_read_asks() {
    test_with(Setup::default(), async |app| {
        app.publish(&Sample::plain("a")).await;
        let (admin, before) = (app.admin(), reads(app).await);
        for _ in 0..3 {
            assert_eq!(active(&admin).await, BTreeSet::new());
            assert_eq!(admin.get("/api/v4/widgets/a").await.status, 200);
        }
        assert_eq!(reads(app).await, before + 6);
    });
}

#[test]
fn how_installs_are_remembered_is_told() {
    let setups = [
        (Setup::default(), "none"),
        (Setup::default().set("stale_ok", "250ms"), "bounded"),
        (only_writer(), "only_writer"),
    ];
    for (setup, mode) in setups {
        test_with(setup, async |app| {
            let answer = app.with_token(None).get("/metrics").await;
            assert!(
                answer.text().contains(&format!("widget_registry_install_memory{{mode=\"{mode}\"}} 1\n")),
                "{answer:?}"
            );
        });
    }
}

/// The handler has ended, and nobody knows whether what it sent on its way will be committed: here it is, a moment later.
#[test]
fn a_commit_that_nobody_waits_for_is_seen_by_the_next_request() {
    test_with(only_writer(), async |app| {
        let widget = app.publish(&Sample::plain("a")).await;
        for account in 100..110_i64 {
            let client = app.caller(Claims::user(account, 7));
            // So often that it is given again without another look at what is known.
            for _ in 0..4 {
                assert_eq!(active(&client).await, BTreeSet::new());
            }
            let mut write = app.install_writes.of(AccountId::new(account).unwrap()).begin();
            let mut transaction = app.pool.begin().await.unwrap();
            let insert = "INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id) VALUES ($1, $2, '{}', 0, 7)";
            sqlx::query(insert).bind(account).bind(widget).execute(&mut *transaction).await.unwrap();
            write.commits();
            drop(write);
            // Asked after the handler's end and before the commit: that answer must not be remembered.
            assert_eq!(active(&client).await, BTreeSet::new());
            transaction.commit().await.unwrap();
            assert_eq!(active(&client).await, BTreeSet::from(["a".to_owned()]));
        }
        // In the end everybody knows what came of them, and nothing is asked any more.
        let client = app.caller(Claims::user(100, 7));
        loop {
            let before = reads(app).await;
            assert_eq!(active(&client).await, BTreeSet::from(["a".to_owned()]));
            if reads(app).await == before {
                break;
            }
        }
    });
}

#[test]
fn changes_at_once_leave_what_the_database_has() {
    test_with(only_writer(), async |app| {
        let codes: Vec<String> = (0..4).map(|number| format!("w{number}")).collect();
        for code in &codes {
            app.publish(&Sample::plain(code)).await;
        }
        let admin = app.admin();
        for round in 0..25 {
            let change = async |number: usize| {
                let path = format!("/api/v4/widgets/{}", codes[number % 4]);
                if (round + number).is_multiple_of(3) {
                    admin.delete(&path).await;
                } else {
                    admin.post(&path, "{}").await;
                }
                // Remembered, perhaps, while others are under way.
                active(&admin).await;
            };
            join_all((0..8).map(change)).await;
            assert_eq!(active(&admin).await, installed(app, 1).await, "round {round}");
        }
    });
}

#[test]
fn clients_who_leave_do_not_make_them_old() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a")).await;
        let token = Claims::admin(1, 7).sign(&app.key, app.now());
        let admin = app.admin();
        let mut compared = 0;
        for round in 0..60 {
            let request = match round % 2 {
                0 => Raw::new("POST", "/api/v4/widgets/a").token(&token).json("{}"),
                _ => Raw::new("DELETE", "/api/v4/widgets/a").token(&token),
            };
            ask_and_leave(app, &request, round).await;
            for _ in 0..4 {
                let before = audited(app, 1).await;
                let (shown, has) = (active(&admin).await, installed(app, 1).await);
                if audited(app, 1).await == before {
                    assert_eq!(shown, has, "round {round}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 60, "{compared}");
    });
}

#[test]
fn what_is_deleted_everywhere_is_forgotten_everywhere() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a")).await;
        let clients = [1, 2, 3].map(|account| app.caller(Claims::admin(account, 7)));
        for client in &clients {
            assert_eq!(client.post("/api/v4/widgets/a", "{}").await.status, 200);
            assert_eq!(active(client).await.len(), 1);
        }
        let operator = app.caller(Claims::user(9, 9).scopes(&["publish", "operator"]));
        assert_eq!(operator.delete("/registry/v1/widgets/a?force=true").await.status, 204);
        // The owner publishes it again under the same number, for nobody to see.
        app.publish_as(&app.admin(), &Sample::plain("a").version("2.0.0"), "private").await;
        for client in &clients[1..] {
            client.get("/api/v4/widgets/a").await.problem(404);
        }
        assert_eq!(active(&clients[0]).await, BTreeSet::new());
    });
}

#[test]
fn the_lead_source_is_known_too() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a").location("lead_sources")).await;
        let admin = app.admin();
        assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
        for pipeline in [Value::from(5), Value::from(6), Value::Null] {
            let body = serde_json::json!({ "pipeline_id": pipeline }).to_string();
            assert_eq!(admin.put("/registry/v1/installs/a/lead-source", &body).await.status, 200);
            assert_eq!(admin.get("/api/v4/widgets/a").await.json()["pipeline_id"], pipeline);
        }
    });
}

/// Many requests at once for several accounts, which are put to the database together.
#[test]
fn reads_that_wait_together_each_get_their_own() {
    reads_together(Setup::default());
}

#[test]
fn so_they_do_on_several_threads() {
    reads_together(Setup::default().set("workers", 3));
}

fn reads_together(setup: Setup) {
    test_with(setup, async |app| {
        for code in ["a", "b"] {
            app.publish(&Sample::plain(code)).await;
        }
        // Of four accounts one has both, two have one each, one has none.
        for (account, code) in [(1, "a"), (1, "b"), (2, "a"), (3, "b")] {
            let admin = app.caller(Claims::admin(account, 7));
            assert_eq!(admin.post(&format!("/api/v4/widgets/{code}"), "{}").await.status, 200);
        }
        let has =
            |account: usize, code: &str| [["a", "b"].as_slice(), &["a"], &["b"], &[]][account - 1].contains(&code);
        let read = async |number: usize| {
            let (account, code) = (number % 4 + 1, ["a", "b"][number / 4 % 2]);
            let client = app.caller(Claims::user(i64::try_from(account).unwrap(), 8));
            let one = client.get(&format!("/api/v4/widgets/{code}")).await.json();
            assert_eq!(one["is_active_in_account"], has(account, code), "{account} {code}");
            let listed = active(&client).await;
            assert!(["a", "b"].iter().all(|code| listed.contains(*code) == has(account, code)), "{account} {listed:?}");
        };
        join_all((0..64).map(read)).await;
        // What reads them sets each account for itself, and leaves none behind.
        let mut transaction = app.service.begin_catalogue().await.unwrap();
        let query = "SELECT coalesce(cardinality(widgets), 0) FROM installs_of('{1, 2, 4}')";
        let counts: Vec<i32> = sqlx::query_scalar(query).fetch_all(&mut *transaction).await.unwrap();
        assert_eq!(counts, [2, 1, 0]);
        let query = "SELECT is_installed FROM installs_at('{1, 2, 3}', array_fill((SELECT id FROM widgets WHERE code = 'b'), '{3}'))";
        let installed: Vec<bool> = sqlx::query_scalar(query).fetch_all(&mut *transaction).await.unwrap();
        assert_eq!(installed, [true, false, true]);
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM installs").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(left, 0);
    });
}

/// What comes of a statement that commits by itself is known when it is done, and when it is refused; not when its connection is lost.
#[test]
fn what_came_of_a_call_is_known_unless_its_connection_is_lost() {
    test_with(only_writer(), async |app| {
        let writes = app.install_writes.of(AccountId::new(1).unwrap());
        let begun = writes.ended();
        for (number, (statement, is_done, unsure)) in [
            ("SELECT 1", true, 0),
            ("SELECT 1 / 0", false, 0),
            ("SELECT pg_terminate_backend(pg_backend_pid())", false, 1),
        ]
        .into_iter()
        .enumerate()
        {
            let mut connection = app.service.alone().await.unwrap();
            let call = async move { sqlx::query(statement).execute(&mut *connection).await.map_err(Failure::from) };
            assert_eq!(database::commit_by(call, writes.begin()).await.is_ok(), is_done, "{statement}");
            let all = begun.all + u64::try_from(number).unwrap() + 1;
            assert_eq!(writes.ended(), Ended { all, unsure: begun.unsure + unsure }, "{statement}");
        }
        // A widget that is not there, and settings that break rules, change nothing, and leave nobody in doubt.
        app.publish(&Sample::field("text", true)).await;
        let before = writes.ended().unsure;
        let admin = app.admin();
        admin.delete("/api/v4/widgets/one_text").await.problem(404);
        admin.post("/api/v4/widgets/none", "{}").await.problem(404);
        assert_eq!(admin.post("/api/v4/widgets/one_text", "{}").await.status, 400);
        assert_eq!(writes.ended().unsure, before);
    });
}

/// Its client is gone while the statement waits for a lock: it is under way until it is done, and then it is known that it is.
#[test]
fn a_call_goes_on_without_its_client() {
    test_with(only_writer(), async |app| {
        app.publish(&Sample::plain("a")).await;
        let (admin, writes) = (app.admin(), app.install_writes.of(AccountId::new(1).unwrap()));
        assert_eq!(admin.post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(active(&admin).await.len(), 1);
        let before = writes.ended();
        let lock = app.lock("install_changes").await;
        let token = Claims::admin(1, 7).sign(&app.key, app.now());
        let mut stream = app.connect().await;
        stream.write_all(&Raw::new("DELETE", "/api/v4/widgets/a").token(&token).bytes()).await.unwrap();
        app.blocked(1).await;
        stream.set_zero_linger().unwrap();
        drop(stream);
        // Others are served, and see what is so until now.
        assert_eq!(active(&admin).await.len(), 1);
        assert!(writes.are_under_way());
        lock.rollback().await.unwrap();
        while writes.are_under_way() {
            tokio::task::yield_now().await;
        }
        assert_eq!(writes.ended(), Ended { all: before.all + 1, unsure: before.unsure });
        assert_eq!(active(&admin).await, BTreeSet::new());
    });
}

#[test]
fn what_is_known_not_to_be_installed_is_installed_without_a_look() {
    test_with(only_writer(), async |app| {
        let fields =
            [("sip", "S \"1\" \u{1f600}", "text", true), ("secret", "P", "pass", false), ("users", "U", "users", true)];
        app.publish(&Sample::new("fields", "1.0.0", &fields).language("ru", &[("sip", "С"), ("users", "П")])).await;
        app.publish(&Sample::plain("plain")).await;
        let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
        app.publish_as(&stranger, &Sample::new("closed", "1.0.0", &fields), "private").await;
        let (right, wrong) = (r#"{"users":{"5":1},"sip":" a\u00e4","secret":null}"#, r#"{"sip":" ","secret":5,"z":1}"#);
        let asks = [
            (app.admin(), "fields", right),
            (app.admin(), "fields", wrong),
            (app.admin(), "fields", "[1]"),
            (app.admin(), "plain", ""),
            (app.admin(), "plain", r#"{"a":1}"#),
            (stranger, "closed", right),
        ];
        // The same questions, without a look and then with it: what is installed is looked at.
        for (client, code, body) in &asks {
            let path = format!("/api/v4/widgets/{code}");
            let mut answers = Vec::new();
            for installed in [false, true] {
                if installed {
                    let settings = if *code == "plain" { "" } else { right };
                    assert_eq!(client.post(&path, settings).await.status, 200);
                }
                let request = client.request("POST", &path).header("accept-language", "ru").body(*body);
                let answer = client.send(request).await;
                let headers = ["content-type", "cache-control"].map(|name| answer.header(name).to_owned());
                let told = if answer.status == 200 { vec![answer.text().to_owned()] } else { answer.violations() };
                answers.push((answer.status, headers, told));
            }
            assert_eq!(answers[0], answers[1], "{code} {body}");
            assert_eq!(client.delete(&path).await.status, 204);
        }
        // Now nothing can be looked at.
        sqlx::query("DROP FUNCTION widget_seen_by").execute(&app.pool).await.unwrap();
        for (client, code, body) in &asks {
            let path = format!("/api/v4/widgets/{code}");
            let answer = client.post(&path, body).await;
            assert!(matches!(answer.status, 200 | 400), "{code} {body} {answer:?}");
            if answer.status == 200 {
                assert_eq!(client.post(&path, body).await.status, 500, "{code}");
                assert_eq!(client.delete(&path).await.status, 204);
            }
        }
    });
}

#[test]
fn the_first_install_is_for_who_sees_the_widget_only() {
    test_with(only_writer(), async |app| {
        let stranger = app.caller(Claims::admin(2, 9).scopes(&["publish"]));
        app.publish_as(&stranger, &Sample::plain("closed"), "private").await;
        let admin = app.admin();
        admin.post("/api/v4/widgets/closed", "{}").await.problem(404);
        admin.post("/api/v4/widgets/none", "{}").await.problem(404);
        assert_eq!(installed(app, 1).await, BTreeSet::new());
        // The user of another account, who has the same number.
        app.caller(Claims::admin(1, 9)).post("/api/v4/widgets/closed", "{}").await.problem(404);
        assert_eq!(stranger.post("/api/v4/widgets/closed", "{}").await.status, 200);
        // Shown to the account by its install only, it is looked at.
        let colleague = app.caller(Claims::admin(2, 8));
        assert_eq!(colleague.post("/api/v4/widgets/closed", "{}").await.status, 200);
        assert_eq!(colleague.delete("/api/v4/widgets/closed").await.status, 204);
        colleague.post("/api/v4/widgets/closed", "{}").await.problem(404);
    });
}
