//! Why somebody sees a widget or does not: held against what the v4 API does.

use serde_json::Value;

use crate::support::{Claims, Client, Sample, TestApp, test};

/// The states of a widget of user 7 of account 1 that account 2 has installed.
const STATES: [&str; 5] = ["public", "private", "public_yanked", "private_yanked", "deleted"];
/// Accounts and users: the owner, a colleague, two users where it is installed, a stranger, and the owner's number elsewhere.
const USERS: [(i64, i64); 6] = [(1, 7), (1, 8), (2, 7), (2, 9), (3, 9), (3, 7)];

async fn prepare(app: &TestApp) {
    for state in STATES {
        app.publish(&Sample::plain(state)).await;
        let installed = app.caller(Claims::admin(2, 9)).post(&format!("/api/v4/widgets/{state}"), "{}").await;
        assert_eq!(installed.status, 200);
        let path = format!("/registry/v1/widgets/{state}");
        if state.starts_with("private") {
            // The service itself hides nothing that others have installed; but it can have been installed by its former owner.
            // In one transaction with its note, as the service would.
            let hide = "WITH hidden AS (UPDATE widgets SET visibility = 'private' WHERE code = $1 RETURNING id) \
                        INSERT INTO catalogue_changes (widget_id) SELECT id FROM hidden";
            sqlx::query(hide).bind(state).execute(&app.pool).await.unwrap();
        }
        if state.ends_with("yanked") {
            assert_eq!(app.admin().post(&format!("{path}/versions/1.0.0/yank"), "").await.status, 200);
        }
        if state == "deleted" {
            assert_eq!(operator(app).delete(&format!("{path}?force=true")).await.status, 204);
        }
    }
}

fn operator(app: &TestApp) -> Client {
    app.caller(Claims::admin(9, 9).scopes(&["publish", "operator"]))
}

async fn explain(client: &Client, code: &str, query: &str) -> Value {
    let answer = client.get(&format!("/registry/v1/widgets/{code}/explain{query}")).await;
    assert_eq!(answer.status, 200, "{code} {query}: {answer:?}");
    answer.json()
}

/// What the v4 API really does: whether it shows the widget, and whether it installs it. Leaves things as they were.
async fn really(client: &Client, code: &str) -> (bool, bool) {
    let path = format!("/api/v4/widgets/{code}");
    let shown = client.get(&path).await;
    let was_installed = shown.status == 200 && shown.json()["is_active_in_account"] == true;
    let installed = client.post(&path, "{}").await;
    if installed.status == 200 && !was_installed {
        assert_eq!(client.delete(&path).await.status, 204);
    }
    assert!(matches!((shown.status, installed.status), (200, 200 | 403) | (404, 403 | 404)));
    (shown.status == 200, installed.status == 200)
}

#[test]
fn what_is_explained_is_what_happens() {
    test(async |app| {
        prepare(app).await;
        let (mut cases, mut rules) = (0, Vec::new());
        for code in STATES {
            for (account, user) in USERS {
                for role in ["admin", "user"] {
                    let claims =
                        if role == "admin" { Claims::admin(account, user) } else { Claims::user(account, user) };
                    let client = app.caller(claims);
                    let query = format!("?account={account}&user={user}&role={role}");
                    let said = explain(&operator(app), code, &query).await;
                    assert_eq!(explain(&app.admin(), code, &query).await, said);
                    let really = really(&client, code).await;
                    let pair = (said["sees"].as_bool().unwrap(), said["can_install"].as_bool().unwrap());
                    assert_eq!(pair, really, "{code} {query}: {said}");
                    // Who sees it may ask, and is told the same.
                    if pair.0 {
                        assert_eq!(explain(&client, code, "").await, said);
                        assert_eq!(explain(&client, code, &format!("?account={account}&user={user}")).await, said);
                    }
                    assert!(said["because"].as_str().unwrap().ends_with('.'));
                    rules.push(said["rule"].as_str().unwrap().to_owned());
                    cases += 1;
                }
            }
        }
        rules.sort();
        rules.dedup();
        let all = ["deleted", "installed", "no-current-version", "not-admin", "owner", "private", "public"];
        assert_eq!((cases, rules), (60, all.map(str::to_owned).to_vec()));
    });
}

#[test]
fn the_rule_is_named() {
    test(async |app| {
        prepare(app).await;
        let rule = async |code: &str, account: i64, user: i64, role: &str| {
            let query = format!("?account={account}&user={user}&role={role}");
            explain(&operator(app), code, &query).await["rule"].as_str().unwrap().to_owned()
        };
        assert_eq!(rule("public", 3, 9, "admin").await, "public");
        assert_eq!(rule("private", 1, 7, "admin").await, "owner");
        assert_eq!(rule("private", 2, 7, "admin").await, "installed");
        assert_eq!(rule("private", 1, 8, "admin").await, "private");
        assert_eq!(rule("private", 3, 7, "user").await, "private");
        assert_eq!(rule("private", 2, 7, "user").await, "not-admin");
        assert_eq!(rule("public_yanked", 3, 9, "admin").await, "no-current-version");
        assert_eq!(rule("private_yanked", 3, 9, "admin").await, "private");
        assert_eq!(rule("deleted", 1, 7, "admin").await, "deleted");
        assert_eq!(rule("never", 1, 7, "admin").await, "unknown");
        assert_eq!(rule("No%20Code", 1, 7, "admin").await, "unknown");
        // Without a role somebody else counts as an administrator, and the caller as what the token says.
        assert_eq!(explain(&operator(app), "public", "?account=3&user=9").await["rule"], "public");
        assert_eq!(explain(&app.user(), "public", "").await["rule"], "not-admin");
        assert_eq!(explain(&app.user(), "public_yanked", "").await["rule"], "no-current-version");
    });
}

#[test]
fn who_may_not_ask_learns_nothing() {
    test(async |app| {
        prepare(app).await;
        let nothing = operator(app).get("/registry/v1/widgets/never/versions").await.text().to_owned();
        let other = "?account=2&user=9";
        let owner = app.caller(Claims::admin(1, 7));
        for (client, code, query) in [
            // Widgets that they do not see, or that are not there.
            (&app.caller(Claims::admin(3, 9).scopes(&["publish", "bots"])), "private", ""),
            (&app.caller(Claims::admin(3, 9)), "private_yanked", ""),
            (&app.caller(Claims::admin(3, 9)), "deleted", ""),
            (&app.caller(Claims::admin(2, 9)), "deleted", ""),
            (&app.caller(Claims::admin(3, 9)), "never", ""),
            (&app.user(), "private", ""),
            // Others, without being the owner with the scope.
            (&app.user(), "public", other),
            (&app.user(), "public", "?account=1&user=7"),
            (&app.caller(Claims::admin(2, 7).scopes(&["publish"])), "public", other),
            (&owner, "public", other),
            (&owner, "deleted", ""),
            (&owner, "never", ""),
        ] {
            let refused = client.get(&format!("/registry/v1/widgets/{code}/explain{query}")).await;
            refused.problem(404);
            assert_eq!(refused.text(), nothing, "{code} {query}");
        }
        for query in ["?account=1", "?user=7", "?account=0&user=1", "?account=1&user=x", "?role=owner", "?role="] {
            app.admin().get(&format!("/registry/v1/widgets/public/explain{query}")).await.problem(400);
        }
    });
}
