//! What links begin with: the client's own words, the configured address, or what a trusted proxy says.

use crate::support::{Claims, Raw, Sample, Setup, TestApp, test, test_with};

/// What the links of a list begin with, for a request with these headers in place of `Host`.
async fn base(app: &TestApp, headers: &[(&str, &str)]) -> String {
    let token = Claims::user(1, 8).sign(&app.key, app.now());
    let request = Raw::get("/api/v4/widgets?limit=1").token(&token).without("host");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let answer = app.ask(&request).await;
    assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
    let body = answer.json();
    let links = [
        &body["_links"]["self"]["href"],
        &body["_links"]["next"]["href"],
        &body["_embedded"]["widgets"][0]["_links"]["self"]["href"],
    ];
    let bases = links.map(|link| link.as_str().unwrap().split("/api/v4/").next().unwrap().to_owned());
    assert!(bases.iter().all(|base| *base == bases[0]), "{bases:?}");
    bases[0].clone()
}

async fn publish(app: &TestApp) {
    app.publish(&Sample::plain("a")).await;
    app.publish(&Sample::plain("b")).await;
}

#[test]
fn the_clients_own_host() {
    test(async |app| {
        publish(app).await;
        for host in [
            "registry.test",
            "registry.test:8080",
            "REGISTRY.test",
            "127.0.0.1:1",
            "[::1]:80",
            "[::1]",
            "a_b",
            "xn--e1afmkfd",
        ] {
            assert_eq!(base(app, &[("Host", host)]).await, format!("http://{host}"));
        }
        // What is no host never stands in a link.
        for host in ["", "a b", "a/b", "<b>", "a@b", "a:b", "a:99999", "a,b", "[::1", "é"] {
            assert_eq!(base(app, &[("Host", host)]).await, app.url, "{host}");
        }
    });
}

#[test]
fn links_can_be_followed() {
    test(async |app| {
        publish(app).await;
        let first = app.user().get("/api/v4/widgets?limit=1").await.json();
        let next = first["_links"]["next"]["href"].as_str().unwrap();
        let second = app.user().get(next.strip_prefix(&app.url).unwrap()).await.json();
        assert_eq!((&second["_page"], &second["_embedded"]["widgets"][0]["code"]), (&2.into(), &"b".into()));
        assert_eq!(second["_links"]["prev"]["href"], first["_links"]["self"]["href"]);
        let one = second["_embedded"]["widgets"][0]["_links"]["self"]["href"].as_str().unwrap();
        assert_eq!(app.user().get(one.strip_prefix(&app.url).unwrap()).await.status, 200);
    });
}

const FORWARDED: [(&str, &str); 3] =
    [("Host", "inner.test"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "outer.test")];

#[test]
fn nobody_is_trusted_by_default() {
    test(async |app| {
        publish(app).await;
        assert_eq!(base(app, &FORWARDED).await, "http://inner.test");
        let forwarded = [("Host", "inner.test"), ("Forwarded", "host=outer.test;proto=https")];
        assert_eq!(base(app, &forwarded).await, "http://inner.test");
    });
}

#[test]
fn only_configured_proxies_are_trusted() {
    for others in ["10.0.0.0/8", "127.0.0.2", "::1", "192.168.0.0/16, fd00::/8"] {
        test_with(Setup::default().set("trusted_proxies", others), async |app| {
            publish(app).await;
            assert_eq!(base(app, &FORWARDED).await, "http://inner.test", "{others}");
        });
    }
}

#[test]
fn what_a_trusted_proxy_says() {
    test_with(Setup::default().set("trusted_proxies", "10.0.0.0/8, 127.0.0.1"), async |app| {
        publish(app).await;
        let host = ("Host", "inner.test");
        assert_eq!(base(app, &FORWARDED).await, "https://outer.test");
        for (headers, expected) in [
            (vec![host], "http://inner.test"),
            (vec![host, ("X-Forwarded-Proto", "https")], "https://inner.test"),
            (vec![host, ("X-Forwarded-Proto", "http")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Host", "outer.test")], "http://outer.test"),
            (vec![host, ("X-Forwarded-Host", "outer.test:8443")], "http://outer.test:8443"),
            // The last word is the nearest proxy's; what is before it may be the client's.
            (vec![host, ("X-Forwarded-Host", "evil.test, outer.test")], "http://outer.test"),
            (vec![host, ("X-Forwarded-Host", "evil.test"), ("X-Forwarded-Host", "outer.test")], "http://outer.test"),
            (vec![host, ("X-Forwarded-Proto", "javascript, https")], "https://inner.test"),
            // What is no host or no scheme counts for nothing.
            (vec![host, ("X-Forwarded-Host", "a/b")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Host", "")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Host", "<script>")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Host", "user@outer.test")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Proto", "javascript")], "http://inner.test"),
            (vec![host, ("X-Forwarded-Proto", "")], "http://inner.test"),
        ] {
            assert_eq!(base(app, &headers).await, expected, "{headers:?}");
        }
    });
}

#[test]
fn a_public_address_is_the_last_word() {
    let setup = Setup::default().set("public_url", "https://widgets.test:8443/").set("trusted_proxies", "127.0.0.1");
    test_with(setup, async |app| {
        publish(app).await;
        assert_eq!(base(app, &FORWARDED).await, "https://widgets.test:8443");
        assert_eq!(base(app, &[("Host", "<script>")]).await, "https://widgets.test:8443");
        let nowhere = app.ask(&Raw::get("/nowhere")).await;
        assert_eq!(nowhere.problem(404), "Cannot GET https://widgets.test:8443/nowhere");
        let open = r#"{"widget_code":"a","entity":{"type":"leads","id":5}}"#;
        let opened = app.admin().post("/registry/v1/salesbot/1/continuations", open).await.json();
        assert!(
            opened["return_url"].as_str().unwrap().starts_with("https://widgets.test:8443/api/v4/salesbot/1/continue/")
        );
    });
}

/// The address in the first line is where a proxy would be asked; links keep to `Host`.
#[test]
fn absolute_addresses_in_the_first_line() {
    test(async |app| {
        publish(app).await;
        let token = Claims::user(1, 8).sign(&app.key, app.now());
        let request = Raw::get("http://elsewhere.test/api/v4/widgets").token(&token);
        let answer = app.ask(&request).await;
        assert_eq!(answer.json()["_links"]["self"]["href"], "http://registry.test/api/v4/widgets?limit=50&page=1");
        let nowhere = app.ask(&Raw::get("http://elsewhere.test/nowhere")).await;
        assert_eq!(nowhere.problem(404), "Cannot GET http://registry.test/nowhere");
    });
}
