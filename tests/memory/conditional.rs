//! Tags of answers: the same bytes, the same tag; and who has them is sent nothing.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, Setup, secret, test, test_with};

const OWN: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const PATHS: [&str; 4] =
    ["/api/v4/widgets", "/api/v4/widgets?limit=1", "/api/v4/widgets?limit=1&page=2", "/api/v4/widgets/a"];

async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.request("GET", path);
    client.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The answer's bytes by its tag, which must not have named others before.
async fn note(seen: &mut BTreeMap<String, Vec<u8>>, client: &Client, path: &str, headers: &[(&str, &str)]) -> String {
    let answer = get(client, path, headers).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "private, no-cache"), "{answer:?}");
    assert_eq!(answer.header("vary"), "Accept-Encoding, Authorization, Accept-Language");
    let tag = answer.header("etag").to_owned();
    let known = seen.entry(tag.clone()).or_insert_with(|| answer.body.clone());
    assert_eq!(*known, answer.body, "{tag} names other bytes, too");
    let with_tag = [headers, &[("if-none-match", tag.as_str())]].concat();
    let again = get(client, path, &with_tag).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()), "{again:?}");
    for same in ["cache-control", "vary"] {
        assert_eq!(again.header(same), answer.header(same));
    }
    tag
}

#[test]
fn every_change_of_the_bytes_changes_the_tag_and_nothing_else_does() {
    test(async |app| {
        let a = Sample::new("a", "1.0.0", &[("k", "Key", "text", false)]).language("ru", &[("k", "Ключ")]);
        app.publish(&a.clone().location("lead_sources")).await;
        app.publish(&Sample::plain("b")).await;
        let (admin, stranger) = (app.admin(), app.caller(Claims::user(9, 9)));
        let mut seen = BTreeMap::new();
        let russian = [("accept-language", "ru")];
        for path in PATHS {
            let first = note(&mut seen, &admin, path, &[]).await;
            assert_eq!(note(&mut seen, &admin, path, &[]).await, first);
            // Others who see the same are sent the same.
            assert_eq!(note(&mut seen, &stranger, path, &[]).await, first);
            let other = note(&mut seen, &admin, path, &russian).await;
            assert_eq!(other == first, path.ends_with("page=2"), "{path}");
            assert_ne!(note(&mut seen, &admin, path, &[("host", "registry.test")]).await, first);
        }
        let steps: [(&str, &str, &str); 6] = [
            ("POST", "/api/v4/widgets/a", "{}"),
            ("PUT", "/registry/v1/installs/a/lead-source", r#"{"pipeline_id":5}"#),
            ("PUT", "/registry/v1/installs/a/lead-source", r#"{"pipeline_id":6}"#),
            ("PUT", "/registry/v1/widgets/a/rating", r#"{"stars":4}"#),
            ("POST", "/api/v4/widgets/b", "{}"),
            ("DELETE", "/api/v4/widgets/b", ""),
        ];
        for (method, path, body) in steps {
            let request = admin.request(method, path).header("content-type", "application/json");
            let answer = admin.send(request.body(body)).await;
            assert!(answer.status < 300, "{answer:?}");
            for path in PATHS {
                note(&mut seen, &admin, path, &[]).await;
                note(&mut seen, &stranger, path, &russian).await;
            }
        }
        let bodies: BTreeSet<_> = seen.values().collect();
        assert_eq!(bodies.len(), seen.len(), "the same bytes have one tag");
    });
}

#[test]
fn tags_are_compared_as_the_standard_says() {
    test(async |app| {
        app.publish(&Sample::plain("a")).await;
        let client = app.user();
        for path in ["/api/v4/widgets", "/api/v4/widgets/a"] {
            let tag = client.get(path).await.header("etag").to_owned();
            assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
            for (sent, status) in [
                (tag.clone(), 304),
                (format!("W/{tag}"), 304),
                (format!("\"x\", {tag}"), 304),
                ("*".to_owned(), 304),
                ("\"x\"".to_owned(), 200),
                (tag.trim_matches('"').to_owned(), 200),
                (String::new(), 200),
            ] {
                assert_eq!(get(&client, path, &[("if-none-match", &sent)]).await.status, status, "{sent}");
            }
            let several = client.request("GET", path).header("if-none-match", "\"x\"").header("if-none-match", &tag);
            assert_eq!(client.send(several).await.status, 304);
            let head = client.send(client.request("HEAD", path)).await;
            assert_eq!((head.status, head.header("etag"), head.body.len()), (200, tag.as_str(), 0));
            let head = client.send(client.request("HEAD", path).header("if-none-match", &tag)).await;
            assert_eq!(head.status, 304);
            // Whoever may not ask learns nothing by it.
            let nobody = app.with_token(None);
            get(&nobody, path, &[("if-none-match", &tag)]).await.problem(401);
        }
        get(&client, "/api/v4/widgets/none", &[("if-none-match", "*")]).await.problem(404);
    });
}

#[test]
fn settings_are_kept_by_nobody() {
    test(async |app| {
        let sample = Sample::new("a", "1.0.0", &[("secret", "Secret", "pass", true)]);
        let path = format!("/registry/v1/widgets?code=a&visibility=public&client_uuid={OWN}");
        assert_eq!(app.admin().post_bytes(&path, "application/zip", sample.zip()).await.status, 201);
        let settings = format!(r#"{{"secret":"{}"}}"#, secret("hush"));
        let installed = app.admin().post("/api/v4/widgets/a", &settings).await;
        assert_eq!((installed.status, installed.header("cache-control")), (200, "no-store"));
        let own = app.caller(Claims::user(1, 8).client(OWN));
        let shown = get(&own, "/api/v4/widgets/a", &[("if-none-match", "*")]).await;
        assert_eq!((shown.status, shown.header("cache-control"), shown.header("etag")), (200, "no-store", ""));
        assert!(shown.text().contains("hush"));
        assert_eq!(own.get("/api/v4/widgets").await.header("cache-control"), "private, no-cache");
    });
}

/// Packing is for what is asked for again.
#[test]
fn what_is_asked_for_again_is_sent_packed_to_who_accepts_it() {
    let setup = Setup { only_writer: true, ..Setup::default() };
    test_with(setup, async |app| {
        for number in 0..8 {
            let settings = [("login", "Login", "text", true), ("password", "Password", "pass", true)];
            app.publish(&Sample::new(&format!("w{number}"), "1.0.0", &settings)).await;
        }
        let (client, path) = (app.user(), "/api/v4/widgets");
        let plain = get(&client, path, &[]).await;
        assert!(plain.body.len() > 2_000, "{plain:?}");
        let mut tags = BTreeSet::from([plain.header("etag").to_owned()]);
        for (accepted, form) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br"),
            ("br;q=0.1, gzip;q=0.9", "gzip"),
            ("zstd", "zstd"),
            ("gzip, deflate, zstd", "zstd"),
        ] {
            let answer = get(&client, path, &[("accept-encoding", accepted)]).await;
            assert_eq!((answer.status, answer.header("content-encoding")), (200, form), "{answer:?}");
            assert!(answer.body.len() < plain.body.len() / 3);
            assert_eq!(answer.unpacked(), plain.body);
            assert_eq!(answer.header("content-type"), "application/hal+json");
            tags.insert(answer.header("etag").to_owned());
        }
        assert_eq!(tags.len(), 4);
        for tag in &tags {
            // Whoever has it in one form has it.
            let again = get(&client, path, &[("accept-encoding", "br"), ("if-none-match", tag)]).await;
            assert_eq!((again.status, again.header("etag"), again.body.len()), (304, tag.as_str(), 0));
        }
        for accepted in ["identity", "compress", "br;q=0, gzip;q=0, zstd;q=0"] {
            let answer = get(&client, path, &[("accept-encoding", accepted)]).await;
            assert_eq!((answer.header("content-encoding"), &answer.body), ("", &plain.body), "{accepted}");
        }
        // One widget is less than what packing is worth, unless it has many settings.
        let keys: Vec<String> = (0..40).map(|number| format!("key{number}")).collect();
        let settings: Vec<_> = keys.iter().map(|key| (key.as_str(), "One of many", "text", false)).collect();
        app.publish(&Sample::new("large", "1.0.0", &settings)).await;
        // The list is a new answer now, though it was asked for before.
        let again = [("/api/v4/widgets/w1", ["", ""]), ("/api/v4/widgets/large", ["", "zstd"]), (path, ["", "zstd"])];
        for (path, [first, later]) in again {
            for form in [first, later, later, later] {
                let answer = get(&client, path, &[("accept-encoding", "zstd")]).await;
                assert_eq!((answer.status, answer.header("content-encoding")), (200, form), "{answer:?}");
            }
        }
    });
}
