//! Section 3 of the contract: the list of widgets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{OWN, publish_with};
use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, secret, test, test_with};

/// Codes of a page, in their order.
fn codes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let widgets = page["_embedded"]["widgets"].as_array().unwrap();
    widgets.iter().map(|widget| widget["code"].as_str().unwrap().to_owned()).collect()
}

/// Ids of a page, in their order.
fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    page["_embedded"]["widgets"].as_array().unwrap().iter().map(|widget| widget["id"].as_i64().unwrap()).collect()
}

/// A page's number and its links, as they stand in the answer.
fn head(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/hal+json"), "{answer:?}");
    answer.text().split_once(r#","_embedded":"#).unwrap().0
}

/// What [`head`] must be for a page with these links, each a name and the page that it leads to.
fn expected_head(app: &TestApp, page: u64, limit: u64, links: &[(&str, u64)]) -> String {
    let link = |(name, page): &(&str, u64)| {
        format!(r#""{name}":{{"href":"{}/api/v4/widgets?limit={limit}&page={page}"}}"#, app.url)
    };
    let links: Vec<String> = links.iter().map(link).collect();
    format!(r#"{{"_page":{page},"_links":{{{}}}"#, links.join(","))
}

/// Publishes public widgets with these codes; returns their ids.
async fn publish_all(app: &TestApp, codes: &[&str]) -> Vec<i64> {
    let mut ids = Vec::new();
    for code in codes {
        ids.push(app.publish(&Sample::plain(code)).await);
    }
    ids
}

/// Copies the only widget until there are `count`; returns all ids in ascending order.
async fn copies(app: &TestApp, count: i64) -> Vec<i64> {
    app.publish(&Sample::plain("original")).await;
    for statement in [
        "INSERT INTO widgets (code, owner_account_id, owner_user_id, visibility) \
         SELECT 'copy_' || n, owner_account_id, owner_user_id, visibility FROM widgets, generate_series(2, $1) n",
        "INSERT INTO widget_versions \
         SELECT (jsonb_populate_record(v, jsonb_build_object('widget_id', w.id))).* \
         FROM widget_versions v, widgets w WHERE w.current_version IS NULL AND $1 > 0",
        "UPDATE widgets SET current_version = '1.0.0' WHERE $1 > 0",
    ] {
        sqlx::query(statement).bind(count).execute(&app.pool).await.unwrap();
    }
    app.reload().await;
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM widgets ORDER BY id").fetch_all(&app.pool).await.unwrap();
    assert_eq!(i64::try_from(ids.len()).unwrap(), count);
    ids
}

#[test]
fn it_holds_public_installed_and_own_widgets() {
    test(async |app| {
        let publisher = |account, user| app.caller(Claims::admin(account, user).scopes(&["publish", "publish:public"]));
        // Eight's own widgets, somebody else's of the same account, and those of a user 8 in another account.
        for (account, user, code, visibility) in [
            (1, 8, "own_private", "private"),
            (1, 7, "colleague_s_private", "private"),
            (1, 7, "colleague_s_public", "public"),
            (2, 8, "namesake_s_private", "private"),
            (2, 8, "namesake_s_public", "public"),
            (1, 7, "colleague_s_private_installed", "private"),
            (2, 8, "namesake_s_private_installed_there", "private"),
            (1, 8, "own_private_installed", "private"),
            (1, 8, "own_public_installed", "public"),
            (3, 9, "once_public_installed", "public"),
        ] {
            app.publish_as(&publisher(account, user), &Sample::plain(code), visibility).await;
        }
        for (account, user, code) in [
            (1, 7, "colleague_s_private_installed"),
            (2, 8, "namesake_s_private_installed_there"),
            (1, 8, "own_private_installed"),
            (1, 8, "own_public_installed"),
            (1, 7, "once_public_installed"),
        ] {
            let answer = publisher(account, user).post(&format!("/api/v4/widgets/{code}"), "{}").await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        sqlx::query("UPDATE widgets SET visibility = 'private' WHERE code = 'once_public_installed'")
            .execute(&app.pool)
            .await
            .unwrap();
        app.reload().await;

        let list = async |claims: Claims| codes(&app.caller(claims).get("/api/v4/widgets").await);
        let eight = [
            "own_private",
            "colleague_s_public",
            "namesake_s_public",
            "colleague_s_private_installed",
            "own_private_installed",
            "own_public_installed",
            "once_public_installed",
        ];
        assert_eq!(list(Claims::user(1, 8)).await, eight);
        assert_eq!(list(Claims::admin(1, 8)).await, eight);
        assert_eq!(
            list(Claims::admin(1, 7)).await,
            [
                "colleague_s_private",
                "colleague_s_public",
                "namesake_s_public",
                "colleague_s_private_installed",
                "own_private_installed",
                "own_public_installed",
                "once_public_installed",
            ]
        );
        assert_eq!(
            list(Claims::user(2, 8)).await,
            [
                "colleague_s_public",
                "namesake_s_private",
                "namesake_s_public",
                "namesake_s_private_installed_there",
                "own_public_installed",
            ]
        );
        assert_eq!(list(Claims::user(4, 8)).await, ["colleague_s_public", "namesake_s_public", "own_public_installed"]);

        // What is uninstalled is no longer there because of it.
        for (code, status) in [("once_public_installed", 204), ("own_private_installed", 204)] {
            let answer = publisher(1, 7).delete(&format!("/api/v4/widgets/{code}")).await;
            assert_eq!(answer.status, status, "{answer:?}");
        }
        assert_eq!(list(Claims::user(1, 8)).await, eight[..6]);
    });
}

/// Each of the three reasons to see a widget is cut to the page's end on its own; together they must still be in order.
#[test]
fn pages_of_all_three_kinds_together_are_ascending_and_complete() {
    test(async |app| {
        let colleague = app.caller(Claims::admin(1, 9).scopes(&["publish"]));
        let mut expected = Vec::new();
        for (code, kind) in
            ["own", "installed", "public", "hidden", "public", "own", "installed", "own", "public"].iter().enumerate()
        {
            let sample = Sample::plain(&format!("widget_{code}"));
            let id = match *kind {
                "own" => app.publish_as(&app.admin(), &sample, "private").await,
                "public" => app.publish(&sample).await,
                _ => app.publish_as(&colleague, &sample, "private").await,
            };
            if *kind == "installed" {
                let answer = colleague.post(&format!("/api/v4/widgets/widget_{code}"), "{}").await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
            if *kind != "hidden" {
                expected.push(id);
            }
        }
        assert!(expected.is_sorted());
        for limit in 1..=9 {
            for (index, page) in expected.chunks(limit).enumerate() {
                let path = format!("/api/v4/widgets?limit={limit}&page={}", index + 1);
                assert_eq!(ids(&app.admin().get(&path).await), page, "{path}");
            }
        }
    });
}

#[test]
fn ids_ascend_whatever_the_codes() {
    test(async |app| {
        let published = publish_all(app, &["zebra", "a", "mule", "_", "0"]).await;
        let answer = app.user().get("/api/v4/widgets").await;
        assert!(published.is_sorted());
        assert_eq!(ids(&answer), published);
        assert_eq!(codes(&answer), ["zebra", "a", "mule", "_", "0"]);
    });
}

#[test]
fn links_stand_where_there_is_something_to_lead_to() {
    test(async |app| {
        publish_all(app, &["a", "b", "c", "d", "e"]).await;
        let user = app.user();
        for (page, limit, expected, links) in [
            (1, 2, &["a", "b"][..], &[("self", 1), ("next", 2)][..]),
            (2, 2, &["c", "d"], &[("self", 2), ("next", 3), ("prev", 1), ("first", 1)]),
            (3, 2, &["e"], &[("self", 3), ("prev", 2), ("first", 1)]),
            (4, 2, &[], &[("self", 4), ("prev", 3), ("first", 1)]),
            (9, 2, &[], &[("self", 9), ("prev", 8), ("first", 1)]),
            (1_000_000, 2, &[], &[("self", 1_000_000), ("prev", 999_999), ("first", 1)]),
            // A page that is just full has no next one.
            (1, 5, &["a", "b", "c", "d", "e"], &[("self", 1)]),
            (1, 6, &["a", "b", "c", "d", "e"], &[("self", 1)]),
            (1, 4, &["a", "b", "c", "d"], &[("self", 1), ("next", 2)]),
            (5, 1, &["e"], &[("self", 5), ("prev", 4), ("first", 1)]),
            (2, 5, &[], &[("self", 2), ("prev", 1), ("first", 1)]),
        ] {
            for query in [format!("limit={limit}&page={page}"), format!("page={page}&limit={limit}")] {
                let answer = user.get(&format!("/api/v4/widgets?{query}")).await;
                assert_eq!(head(&answer), expected_head(app, page, limit, links), "{query}");
                assert_eq!(codes(&answer), expected, "{query}");
            }
        }
    });
}

#[test]
fn an_empty_page_is_a_page() {
    test(async |app| {
        let url = format!("{}/api/v4/widgets?limit=50&page=1", app.url);
        let page = format!(r#"{{"_page":1,"_links":{{"self":{{"href":"{url}"}}}},"_embedded":{{"widgets":[]}}}}"#);
        assert_eq!(app.user().get("/api/v4/widgets").await.text(), page);
    });
}

#[test]
fn links_of_the_pages_lead_through_the_whole_list() {
    test(async |app| {
        let published = publish_all(app, &["a", "b", "c", "d", "e"]).await;
        let (user, mut seen, mut path) = (app.user(), Vec::new(), "/api/v4/widgets?limit=2".to_owned());
        loop {
            let answer = user.get(&path).await;
            seen.extend(ids(&answer));
            match &answer.json()["_links"]["next"]["href"] {
                Value::String(next) => path = next.strip_prefix(&app.url).unwrap().to_owned(),
                _ => break,
            }
        }
        assert_eq!(seen, published);
    });
}

#[test]
fn a_page_has_fifty_widgets_unless_the_client_says() {
    test(async |app| {
        let all = copies(app, 51).await;
        for path in ["/api/v4/widgets", "/api/v4/widgets?", "/api/v4/widgets?page=1", "/api/v4/widgets?limit=50"] {
            let answer = app.user().get(path).await;
            assert_eq!(head(&answer), expected_head(app, 1, 50, &[("self", 1), ("next", 2)]), "{path}");
            assert_eq!(ids(&answer), all[..50], "{path}");
        }
        let answer = app.user().get("/api/v4/widgets?page=2").await;
        assert_eq!(head(&answer), expected_head(app, 2, 50, &[("self", 2), ("prev", 1), ("first", 1)]));
        assert_eq!(ids(&answer), all[50..]);
    });
}

#[test]
fn a_limit_past_250_is_served_as_250() {
    test(async |app| {
        let all = copies(app, 251).await;
        for limit in ["250", "251", "1000", "18446744073709551615", "18446744073709551616", &"9".repeat(100)] {
            let answer = app.user().get(&format!("/api/v4/widgets?limit={limit}")).await;
            assert_eq!(head(&answer), expected_head(app, 1, 250, &[("self", 1), ("next", 2)]), "{limit}");
            assert_eq!(ids(&answer), all[..250], "{limit}");
            let answer = app.user().get(&format!("/api/v4/widgets?limit={limit}&page=2")).await;
            assert_eq!(head(&answer), expected_head(app, 2, 250, &[("self", 2), ("prev", 1), ("first", 1)]), "{limit}");
            assert_eq!(ids(&answer), all[250..], "{limit}");
        }
        let answer = app.user().get("/api/v4/widgets?limit=249").await;
        assert_eq!(head(&answer), expected_head(app, 1, 249, &[("self", 1), ("next", 2)]));
    });
}

#[test]
fn a_smaller_configured_page_is_the_default_too() {
    test_with(Setup::default().set("limits.page_size", 2), async |app| {
        publish_all(app, &["a", "b", "c"]).await;
        for path in ["/api/v4/widgets", "/api/v4/widgets?limit=3", "/api/v4/widgets?limit=250"] {
            let answer = app.user().get(path).await;
            assert_eq!(head(&answer), expected_head(app, 1, 2, &[("self", 1), ("next", 2)]), "{path}");
            assert_eq!(codes(&answer), ["a", "b"], "{path}");
        }
    });
}

#[test]
fn page_and_limit_are_positive_integers_given_once() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let mut details = BTreeSet::new();
        for value in
            ["", "0", "00", "-1", "%2B1", "+1", "1.0", "1e1", "0x1", "1,2", "abc", "null", "%201", "1%00", "%D9%A1"]
        {
            for name in ["page", "limit"] {
                details.insert(app.user().get(&format!("/api/v4/widgets?{name}={value}")).await.problem(400));
            }
        }
        // A name without a value has an empty one.
        for name in ["page", "limit"] {
            details.insert(app.user().get(&format!("/api/v4/widgets?{name}")).await.problem(400));
        }
        let expected = [
            "The parameter `limit` must be a positive whole number",
            "The parameter `page` must be a whole number from 1 to 1000000",
        ];
        assert_eq!(details, BTreeSet::from(expected.map(str::to_owned)));

        for page in ["1000001", "18446744073709551616"] {
            let detail = app.user().get(&format!("/api/v4/widgets?page={page}")).await.problem(400);
            assert_eq!(detail, "The parameter `page` must be a whole number from 1 to 1000000", "{page}");
        }
        for (query, name) in [
            ("page=1&page=1", "page"),
            ("page=1&page=2", "page"),
            ("limit=1&page=1&limit=1", "limit"),
            ("limit=1&li%6Dit=1", "limit"),
        ] {
            let detail = app.user().get(&format!("/api/v4/widgets?{query}")).await.problem(400);
            assert_eq!(detail, format!("The parameter `{name}` is given more than once"), "{query}");
        }
        // Leading zeros do not change a number.
        let answer = app.user().get("/api/v4/widgets?page=01&limit=007").await;
        assert_eq!(head(&answer), expected_head(app, 1, 7, &[("self", 1)]));
    });
}

#[test]
fn unknown_parameters_are_ignored_and_not_repeated_in_links() {
    test(async |app| {
        publish_all(app, &["a", "b", "c"]).await;
        let plain = app.user().get("/api/v4/widgets?limit=2").await;
        for query in [
            "limit=2&with=settings",
            "order[id]=desc&limit=2",
            "a=1&a=2&limit=2",
            "Page=2&limit=2",
            "&&limit=2&%FF=%zz",
            "limit=2&page[]=2",
        ] {
            let answer = app.user().get(&format!("/api/v4/widgets?{query}")).await;
            assert_eq!((answer.status, answer.text()), (200, plain.text()), "{query}");
        }
    });
}

#[test]
fn settings_are_in_no_list() {
    test(async |app| {
        let sample = Sample::new("a", "1.0.0", &[("secret", "Secret", "pass", true)]);
        publish_with(&app.admin(), &sample, &format!("visibility=public&client_uuid={OWN}")).await;
        let own: Vec<Client> =
            vec![app.caller(Claims::admin(1, 7).client(OWN)), app.caller(Claims::user(1, 8).client(OWN)), app.admin()];
        let settings = format!(r#"{{"secret":"{}"}}"#, secret("hush"));
        assert_eq!(own[0].post("/api/v4/widgets/a", &settings).await.status, 200);
        assert_eq!(own[0].get("/api/v4/widgets/a").await.json()["settings"]["secret"], secret("hush"));
        for client in &own {
            let answer = client.get("/api/v4/widgets").await;
            assert_eq!(answer.json()["_embedded"]["widgets"][0]["is_active_in_account"], true);
            assert!(!answer.text().contains("hush") && !answer.text().contains(r#""settings":"#), "{answer:?}");
        }
    });
}
