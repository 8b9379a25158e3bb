//! Limits of everything before the body: path, query, headers, token, ids, pages.

use crate::support::{Claims, Raw, Sample, test};

#[test]
fn path_and_query() {
    test(async |app| {
        let path = |length: usize| Raw::get(format!("/{}", "a".repeat(length - 1)));
        app.ask(&path(2_048)).await.problem(404);
        assert!(app.ask(&path(2_049)).await.problem(414).contains("longer than 2048 bytes"));
        // As it came, not decoded.
        let encoded = Raw::get(format!("/{}a", "%61".repeat(682)));
        app.ask(&encoded).await.problem(404);
        let encoded = Raw::get(format!("/{}aa", "%61".repeat(682)));
        app.ask(&encoded).await.problem(414);
        let token = Claims::user(1, 8).sign(&app.key, app.now());
        let query = |length: usize| Raw::get(format!("/api/v4/widgets?{}", "a".repeat(length))).token(&token);
        assert_eq!(app.ask(&query(4_096)).await.status, 200);
        assert!(app.ask(&query(4_097)).await.problem(414).contains("longer than 4096 bytes"));
        // The same where nothing is, and for a method that is not taken there.
        app.ask(&Raw::get(format!("/nowhere?{}", "a".repeat(4_097)))).await.problem(414);
        app.ask(&Raw::new("PATCH", format!("/api/v4/widgets?{}", "a".repeat(4_097)))).await.problem(414);
    });
}

#[test]
fn headers() {
    test(async |app| {
        let live = || Raw::get("/registry/v1/health/live");
        let room = 32 * 1024 - live().header("Filler", "").header_size();
        let filled = |length: usize| live().header("Filler", "a".repeat(length));
        assert_eq!(filled(room).header_size(), 32 * 1024);
        assert_eq!(app.ask(&filled(room)).await.status, 200);
        assert!(app.ask(&filled(room + 1)).await.problem(431).contains("larger than 32768 bytes"));
        // Many small ones count as one large one.
        let many = |count: usize| (0..count).fold(live(), |request, _| request.header("Filler", "a".repeat(990)));
        assert!(many(32).header_size() <= 32 * 1024 && many(33).header_size() > 32 * 1024);
        assert_eq!(app.ask(&many(32)).await.status, 200);
        app.ask(&many(33)).await.problem(431);
        // The server itself counts them too, and refuses without a problem: host, connection and 94 more.
        let many = |count: usize| (0..count).fold(live(), |request, _| request.header("A", "1"));
        assert_eq!([app.ask(&many(94)).await.status, app.ask(&many(95)).await.status], [200, 431]);
    });
}

#[test]
fn authorization() {
    test(async |app| {
        let token = Claims::user(1, 8).sign(&app.key, app.now());
        let padded = |length: usize| {
            let blanks = " ".repeat(length - "Bearer".len() - token.len());
            Raw::get("/api/v4/widgets").header("Authorization", format!("Bearer{blanks}{token}"))
        };
        assert_eq!(app.ask(&padded(8 * 1024)).await.status, 200);
        app.ask(&padded(8 * 1024 + 1)).await.problem(401);
    });
}

#[test]
fn codes() {
    test(async |app| {
        let longest = "0_a.-z".repeat(10) + "1234";
        assert_eq!(longest.len(), 64);
        app.publish(&Sample::plain(&longest)).await;
        app.publish(&Sample::plain("a")).await;
        for code in [longest.as_str(), "a"] {
            let path = format!("/api/v4/widgets/{code}");
            assert_eq!(app.user().get(&path).await.status, 200);
            assert_eq!(app.admin().post(&path, "{}").await.status, 200);
            assert_eq!(app.admin().delete(&path).await.status, 204);
        }
        app.user().get(&format!("/api/v4/widgets/{longest}5")).await.problem(404);
        let query = format!("/registry/v1/widgets?code={longest}5");
        let refused = app.admin().post_bytes(&query, "application/zip", Sample::plain("a").zip()).await;
        assert!(refused.problem(400).contains("at most 64 characters"));
    });
}

#[test]
fn ids() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let body = r#"{"widget_code":"a","entity":{"type":"leads","id":9223372036854775807}}"#;
        let largest = i64::MAX;
        let opened = app.admin().post(&format!("/registry/v1/salesbot/{largest}/continuations"), body).await;
        assert_eq!(opened.status, 201, "{opened:?}");
        app.admin().post("/registry/v1/salesbot/9223372036854775808/continuations", body).await.problem(404);
        sqlx::query("UPDATE continuations SET id = $1").bind(largest).execute(&app.pool).await.unwrap();
        let shown = app.admin().get(&format!("/registry/v1/continuations/{largest}")).await;
        assert_eq!((shown.status, shown.json()["continue_id"].as_i64()), (200, Some(largest)));
        let past = format!("/api/v4/salesbot/{largest}/continue/9223372036854775808");
        app.admin().post(&past, "{}").await.problem(404);
        let at = format!("/api/v4/salesbot/{largest}/continue/{largest}");
        assert_eq!(app.admin().post(&at, "{}").await.status, 202);
    });
}

#[test]
fn ids_of_callers() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let caller = app.caller(Claims::admin(i64::MAX, i64::MAX).scopes(&["publish", "bots"]));
        assert_eq!(caller.post("/api/v4/widgets/a", "{}").await.status, 200);
        assert_eq!(caller.get("/api/v4/widgets/a").await.json()["is_active_in_account"], true);
        let own =
            caller.post_bytes("/registry/v1/widgets?code=own", "application/zip", Sample::plain("own").zip()).await;
        assert_eq!(own.status, 201, "{own:?}");
    });
}

#[test]
fn pages() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let list = async |query: &str| app.user().get(&format!("/api/v4/widgets?{query}")).await;
        let link = |limit: u64, page: u64| format!("{}/api/v4/widgets?limit={limit}&page={page}", app.url);
        let highest = list("page=1000000").await;
        assert_eq!(highest.status, 200, "{highest:?}");
        assert_eq!(highest.json()["_embedded"]["widgets"], serde_json::json!([]));
        assert_eq!(highest.json()["_links"]["self"]["href"], link(50, 1_000_000));
        list("page=1000001").await.problem(400);
        list("page=1000000&limit=250").await.json()["_page"].as_u64().unwrap();
        // A larger page is served as the largest, and the links say so.
        for limit in ["250", "251", "1000000", "18446744073709551615", "18446744073709551616", &"9".repeat(100)] {
            let page = list(&format!("limit={limit}")).await;
            assert_eq!((page.status, &page.json()["_links"]["self"]["href"]), (200, &link(250, 1).into()), "{limit}");
        }
        list("limit=1").await.json()["_page"].as_u64().unwrap();
        list("limit=0").await.problem(400);
    });
}
