//! What an answer shows of a widget, and how a list is asked for.

use serde_json::json;
use widget_registry::archive;

use super::{LIST, codes, every, found};
use crate::support::{Claims, Sample, Setup, test, test_with};

/// The smallest picture.
const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\x6c\0\0\0\x6c\x08\x06\0\0\0";

#[test]
fn a_widget_is_shown_with_all_that_a_card_needs() {
    test(async |app| {
        let mut sample =
            Sample::new("calls", "1.2.0", &[("key", "Key", "pass", true), ("note", "Note", "text", false)]);
        sample = sample.location("lcard-1").location("lead_sources").language("ru", &[]);
        sample.i18n[1].1["widget"]["name"] = json!("Звонки");
        let mut files = sample.files();
        files.push(("images/logo_main.png".to_owned(), PNG.to_vec()));
        files.push(("images/logo.png".to_owned(), PNG.to_vec()));
        files.push(("images/logotype.png".to_owned(), PNG.to_vec()));
        files.push(("images/more/logo_small.png".to_owned(), PNG.to_vec()));
        let path = format!("{LIST}?code=calls&visibility=public");
        let published = app.admin().post_bytes(&path, "application/zip", archive::pack(&files).unwrap()).await;
        assert_eq!(published.status, 201, "{published:?}");
        app.admin().post("/api/v4/widgets/calls", r#"{"key":"k"}"#).await;
        app.admin().put("/registry/v1/widgets/calls/rating", r#"{"stars":4}"#).await;
        app.count_installs().await;
        let russian = app.admin();
        let request = russian.request("GET", &format!("{LIST}/calls")).header("accept-language", "ru");
        let mut shown = russian.send(request).await.json();
        let published_at = shown["published_at"].take();
        assert!(published_at.as_str().unwrap().ends_with('Z'), "{published_at}");
        let url = &app.url;
        let expected = json!({
            "id": 1, "code": "calls", "version": "1.2.0", "published_at": null,
            "name": "Звонки", "short_description": "For tests", "description": "A widget for tests",
            "logos": {
                "logo": format!("{url}/widgets/calls/1.2.0/images/logo.png"),
                "logo_main": format!("{url}/widgets/calls/1.2.0/images/logo_main.png"),
            },
            "visibility": "public", "rating": "4,0", "votes": 1, "installs": 1,
            "is_lead_source": true, "is_work_with_dp": false, "is_crm_template": false,
            "locations": ["settings", "lcard-1", "lead_sources"], "setting_types": ["pass", "text"],
            "deprecated": null, "is_mine": true, "is_installed": true,
            "_links": {"self": {"href": format!("{url}{LIST}/calls")}},
        });
        assert_eq!(shown, expected);
        let logo = app.with_token(None).get("/widgets/calls/1.2.0/images/logo_main.png").await;
        assert_eq!((logo.status, logo.body.as_slice()), (200, PNG));
        // The list shows the same; another user neither owns nor has it.
        let page = app.caller(Claims::user(2, 9)).get(LIST).await.json();
        let listed = &page["_embedded"]["widgets"][0];
        assert_eq!(
            (&listed["name"], &listed["is_mine"], &listed["is_installed"]),
            (&json!("calls"), &json!(false), &json!(false))
        );
        assert_eq!(page["_links"], json!({"self": {"href": format!("{url}{LIST}")}}));
        app.admin().get(&format!("{LIST}/none")).await.problem(404);
        app.admin().get(&format!("{LIST}/NONE")).await.problem(404);
    });
}

#[test]
fn a_widget_without_a_current_version_is_not_listed() {
    test(async |app| {
        app.publish(&Sample::plain("gone")).await;
        app.publish(&Sample::plain("here")).await;
        app.admin().post(&format!("{LIST}/gone/versions/1.0.0/yank"), "").await;
        app.admin().get(&format!("{LIST}/gone")).await.problem(404);
        for query in ["", "q=gone", "mine=true", "sort=name", "visibility=public"] {
            assert!(!found(&app.admin(), query).await.contains(&"gone".to_owned()), "{query}");
        }
        app.admin().post(&format!("{LIST}/gone/versions/1.0.0/restore"), "").await;
        assert_eq!(found(&app.user(), "q=gone").await, ["gone"]);
    });
}

#[test]
fn the_current_version_is_what_is_searched() {
    test(async |app| {
        let mut first = Sample::plain("one");
        first.i18n[0].1["widget"]["description"] = json!("A parrot");
        app.publish(&first).await;
        let mut second = Sample::plain("one").version("2.0.0").location("lcard-0");
        second.i18n[0].1["widget"]["description"] = json!("A giraffe");
        app.publish(&second).await;
        let user = app.user();
        assert_eq!((found(&user, "q=parrot").await.len(), found(&user, "q=giraffe").await.len()), (0, 1));
        let pinned = app.admin().put(&format!("{LIST}/one/current"), r#"{"version":"1.0.0"}"#).await;
        assert_eq!(pinned.status, 200);
        assert_eq!((found(&user, "q=parrot").await.len(), found(&user, "location=lcard").await.len()), (1, 0));
        app.admin().put(&format!("{LIST}/one/current"), r#"{"version":null}"#).await;
        assert_eq!((found(&user, "q=parrot").await.len(), found(&user, "location=lcard").await.len()), (0, 1));
    });
}

#[test]
fn each_order_is_kept_over_pages() {
    test(async |app| {
        // Published in this order; names, votes and installs go other ways.
        for (code, name) in [("a", "Яблоко"), ("b", "Banana"), ("c", "ёлка"), ("d", "apple"), ("e", "Ель")]
        {
            let mut sample = Sample::plain(code);
            sample.i18n[0].1["widget"]["name"] = json!(name);
            app.publish(&sample).await;
        }
        for (code, accounts, stars) in [("b", 1..4, 2), ("d", 1..2, 5), ("e", 1..3, 3)] {
            for account in accounts {
                let caller = app.caller(Claims::admin(account, 7));
                caller.post(&format!("/api/v4/widgets/{code}"), "{}").await;
                caller.put(&format!("{LIST}/{code}/rating"), &format!("{{\"stars\":{stars}}}")).await;
            }
        }
        app.count_installs().await;
        let stranger = app.caller(Claims::user(9, 9));
        for (sort, expected) in [
            ("newest", ["e", "d", "c", "b", "a"]),
            ("name", ["d", "b", "c", "e", "a"]),
            ("rating", ["d", "e", "b", "c", "a"]),
            ("installs", ["b", "e", "d", "c", "a"]),
        ] {
            for limit in 1..7 {
                for caller in [&stranger, &app.admin()] {
                    assert_eq!(every(caller, &format!("sort={sort}&limit={limit}")).await, expected, "{sort} {limit}");
                }
            }
        }
        assert_eq!(found(&stranger, "").await, found(&stranger, "sort=newest").await);
        assert_eq!(found(&app.admin(), "limit=251").await.len(), 5);
    });
}

#[test]
fn a_page_is_as_large_as_is_allowed() {
    test_with(Setup::default().set("limits.page_size", 2), async |app| {
        for code in ["a", "b", "c"] {
            app.publish(&Sample::plain(code)).await;
        }
        assert_eq!(found(&app.user(), "").await.len(), 2);
        assert_eq!(found(&app.user(), "limit=250").await.len(), 2);
        assert_eq!(every(&app.user(), "").await.len(), 3);
    });
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    test(async |app| {
        app.publish(&Sample::plain("one")).await;
        app.publish(&Sample::plain("two")).await;
        let user = app.user();
        for (query, told) in [
            ("sort=best", "`sort` is wrong: an order is one of newest, name, rating and installs"),
            ("visibility=all", "`visibility` is wrong"),
            ("owner=yours", "`owner` is wrong: it can only be `mine`"),
            ("owner=mine&mine=false", "contradict"),
            ("mine=", "`mine` is wrong: it is neither true nor false"),
            ("installed=maybe", "`installed` is wrong"),
            ("location=", "`location` is wrong"),
            ("location=a%00b", "`location` is wrong"),
            ("setting_type=select", "`setting_type` is wrong: a setting's type is one of text"),
            ("lead_source=2", "`lead_source` is wrong"),
            ("dp=TRUE", "`dp` is wrong"),
            ("limit=0", "`limit` must be a positive whole number"),
            ("limit=x", "`limit` must be"),
            ("q=a&q=b", "`q` is given more than once"),
            ("cursor=", "`cursor` is none of this list"),
            ("cursor=%00", "`cursor` is none of this list"),
        ] {
            let detail = user.get(&format!("{LIST}?{query}")).await.problem(400);
            assert!(detail.contains(told), "{query}: {detail}");
        }
        // A cursor is good for its own list and caller only, and with another number of widgets.
        let page = user.get(&format!("{LIST}?limit=1")).await.json();
        let next = page["_links"]["next"]["href"].as_str().unwrap().to_owned();
        let cursor = next.split("cursor=").nth(1).unwrap();
        assert_eq!(found(&user, &format!("limit=5&cursor={cursor}")).await, ["one"]);
        for query in [
            format!("sort=name&cursor={cursor}"),
            format!("q=one&cursor={cursor}"),
            format!("dp=false&cursor={cursor}"),
        ] {
            user.get(&format!("{LIST}?{query}")).await.problem(400);
        }
        app.admin().get(&format!("{LIST}?cursor={cursor}")).await.problem(400);
        let forged = format!("{cursor}00");
        user.get(&format!("{LIST}?cursor={forged}")).await.problem(400);
        assert_eq!(codes(&user.get(&format!("{LIST}?unknown=1&q=")).await).len(), 2);
    });
}
