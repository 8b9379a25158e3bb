//! `GET /registry/v1/audit`.

use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::audit::verify;

use crate::support::{Claims, Client, Sample, TestApp, test};

const PATH: &str = "/registry/v1/audit";

/// Three entries of account 1: of user 7 publishing, of user 7 installing, and of user 8 uninstalling through an integration.
async fn fill(app: &TestApp) {
    app.publish(&Sample::plain("w")).await;
    assert_eq!(app.admin().post("/api/v4/widgets/w", "{}").await.status, 200);
    let other = app.caller(Claims::admin(1, 8).client(Uuid::from_u128(5)));
    let request = other.request("DELETE", "/api/v4/widgets/w").header("x-request-id", "by-hand");
    assert_eq!(other.send(request).await.status, 204);
}

async fn seqs(client: &Client, query: &str) -> (Vec<i64>, Value) {
    let answer = client.get(&format!("{PATH}?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let entries = body["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    (entries, body["next"].clone())
}

#[test]
fn an_entry_is_shown_as_it_is_documented() {
    test(async |app| {
        fill(app).await;
        let body = app.admin().get(PATH).await.json();
        let mut last = body["entries"][0].clone();
        let (at, hash) = (last["at"].take(), last["hash"].take());
        assert!(at.as_str().unwrap().ends_with('Z') && hash.as_str().unwrap().len() == 64);
        assert_eq!(
            last,
            json!({
                "account_id": 1, "seq": 3, "at": null, "request_id": "by-hand", "hash": null,
                "by": {"account_id": 1, "user_id": 8, "client_uuid": Uuid::from_u128(5), "acted_as": "admin"},
                "action": "widget.uninstalled", "subject": "w", "details": {"forced": false},
            })
        );
    });
}

#[test]
fn entries_are_filtered_and_paged() {
    test(async |app| {
        fill(app).await;
        let admin = app.admin();
        for (query, expected) in [
            ("", (vec![3, 2, 1], json!(null))),
            ("limit=2", (vec![3, 2], json!(2))),
            ("limit=2&before=2", (vec![1], json!(null))),
            ("before=1", (vec![], json!(null))),
            ("limit=100000", (vec![3, 2, 1], json!(null))),
            ("user_id=7", (vec![2, 1], json!(null))),
            ("user_id=7&limit=1", (vec![2], json!(2))),
            ("user_id=9", (vec![], json!(null))),
            ("action=widget.installed", (vec![2], json!(null))),
            ("action=widget.deleted", (vec![], json!(null))),
            ("since=2020-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", (vec![3, 2, 1], json!(null))),
            ("until=2020-01-01T00:00:00%2B03:00", (vec![], json!(null))),
            ("since=2120-01-01T00:00:00Z", (vec![], json!(null))),
        ] {
            assert_eq!(seqs(&admin, query).await, expected, "{query}");
        }
        // `until` is not in the span, `since` is.
        let at = admin.get(&format!("{PATH}?limit=2")).await.json()["entries"][1]["at"].as_str().unwrap().to_owned();
        assert_eq!(seqs(&admin, &format!("since={at}")).await.0, [3, 2]);
        assert_eq!(seqs(&admin, &format!("until={at}")).await.0, [1]);
    });
}

#[test]
fn others_accounts_are_for_operators() {
    test(async |app| {
        fill(app).await;
        let lacks = "Insufficient rights to call this method: the token lacks the scope `operator`";
        let stranger = app.caller(Claims::admin(2, 7));
        assert_eq!(seqs(&stranger, "").await, (vec![], json!(null)));
        assert_eq!(seqs(&stranger, "account_id=2").await, (vec![], json!(null)));
        for account in [0, 1, 3] {
            assert_eq!(stranger.get(&format!("{PATH}?account_id={account}")).await.problem(403), lacks);
        }
        assert_eq!(app.user().get(PATH).await.problem(403), lacks);
        let operator = app.caller(Claims::user(2, 7).scopes(&["operator"]));
        assert_eq!(seqs(&operator, "account_id=1").await.0, [3, 2, 1]);
        assert_eq!(seqs(&operator, "account_id=0").await.0, [0; 0]);
    });
}

/// An integration that acts for an administrator is none.
#[test]
fn an_integration_does_not_read_it() {
    test(async |app| {
        fill(app).await;
        let of = |claims: Claims| app.caller(claims.client(Uuid::from_u128(5)));
        let refused = of(Claims::admin(1, 7)).get(PATH).await.problem(403);
        assert!(refused.ends_with("the token was given to an integration"), "{refused}");
        of(Claims::user(1, 7)).get(PATH).await.problem(403);
        for operator in [Claims::admin(1, 7), Claims::user(1, 7)] {
            assert_eq!(seqs(&of(operator.scopes(&["operator"])), "").await.0, [3, 2, 1]);
        }
    });
}

/// Nobody of us writes such a time; whoever writes into the database must not take the log away by it.
#[test]
fn an_entry_at_no_time_is_shown_and_found() {
    test(async |app| {
        fill(app).await;
        for at in ["infinity", "-infinity", "4000-01-01 BC", "290000-01-01"] {
            let set = "UPDATE audit_entries SET at = $1::text::timestamptz WHERE account_id = 1 AND seq = 2";
            sqlx::query(set).bind(at).execute(&app.pool).await.unwrap();
            let page = app.admin().get(PATH).await;
            assert_eq!(page.status, 200, "{at}: {page:?}");
            let ats: Vec<bool> =
                page.json()["entries"].as_array().unwrap().iter().map(|entry| entry["at"].is_null()).collect();
            assert_eq!(ats, [false, true, false], "{at}");
            let mut connection = app.pool.acquire().await.unwrap();
            let fault = verify::account(&mut connection, 1, None).await.unwrap().unwrap_err();
            assert_eq!((fault.seq, fault.kind), (2, verify::FaultKind::Altered), "{at}");
        }
    });
}

#[test]
fn a_wrong_query_is_told() {
    test(async |app| {
        let operator = app.caller(Claims::admin(1, 7).scopes(&["operator"]));
        for (query, says) in [
            ("account_id=x", "`account_id`"),
            ("account_id=-1", "`account_id`"),
            ("account_id=9223372036854775808", "`account_id`"),
            ("account_id=1&account_id=2", "`account_id`"),
            ("action=widget.eaten", "widget.installed"),
            ("user_id=0", "`user_id`"),
            ("since=yesterday", "2026-11-23T12:00:00Z"),
            ("until=2026-11-23", "`until`"),
            ("before=0", "`before`"),
            ("before=x", "`before`"),
            ("limit=0", "`limit`"),
        ] {
            let detail = operator.get(&format!("{PATH}?{query}")).await.problem(400);
            assert!(detail.contains(says), "{query}: {detail}");
        }
        for far in ["before=99999999999999999999", "since=0001-01-01T00:00:00Z", "until=9999-12-31T23:59:59Z"] {
            let answer = operator.get(&format!("{PATH}?{far}")).await;
            assert!(matches!(answer.status, 200 | 400), "{far}: {answer:?}");
        }
    });
}

#[test]
fn a_page_looks_at_so_many_entries_and_no_more() {
    test(async |app| {
        for statement in [
            "INSERT INTO audit_heads VALUES (1, 20001, sha256(''))",
            "INSERT INTO audit_entries (account_id, seq, at, acted_as, action, subject, details, hash) \
             SELECT 1, n, now(), 'cli', CASE WHEN n IN (1, 5000) THEN 'key.removed' ELSE 'key.rotated' END, 'k', '{}', sha256('') \
             FROM generate_series(1, 20001) AS n",
        ] {
            sqlx::query(statement).execute(&app.pool).await.unwrap();
        }
        let admin = app.admin();
        let removed = async |before: &str| seqs(&admin, &format!("action=key.removed{before}")).await;
        assert_eq!(removed("").await, (vec![], json!(10_002)));
        assert_eq!(removed("&before=10002").await, (vec![5_000], json!(2)));
        assert_eq!(removed("&before=2").await, (vec![1], json!(null)));
    });
}
