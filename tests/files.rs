//! The files of published versions: who gets them, how they may be kept, and in which pieces.

use widget_registry::archive;

use crate::support::{Answer, Claims, Client, Sample, Setup, TestApp, test, test_with};

/// A sample with these further files.
fn zip(sample: &Sample, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut files = sample.files();
    files.extend(more.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())));
    archive::pack(&files).unwrap()
}

async fn publish(app: &TestApp, visibility: &str, version: &str, more: &[(&str, &[u8])]) -> Answer {
    let sample = Sample::plain("with_files").version(version);
    let path = format!("/registry/v1/widgets?code=with_files&visibility={visibility}");
    app.admin().post_bytes(&path, "application/zip", zip(&sample, more)).await
}

async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = client.request("GET", path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request).await
}

/// Bytes that do not repeat and do not pack well.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

#[test]
fn a_public_file_needs_no_token_and_may_be_kept_for_ever() {
    test(async |app| {
        assert_eq!(
            publish(app, "public", "1.0.0", &[("images/a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>")])
                .await
                .status,
            201
        );
        let nobody = app.with_token(None);
        let script = nobody.get("/widgets/with_files/1.0.0/script.js").await;
        assert_eq!((script.status, script.text()), (200, Sample::plain("x").script.as_str()));
        assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
        assert_eq!(script.header("x-content-type-options"), "nosniff");
        assert_eq!(script.header("content-length"), script.body.len().to_string());
        let tag = script.header("etag").to_owned();
        assert_eq!(tag.len(), 66);
        let again =
            get(&nobody, "/widgets/with_files/1.0.0/script.js", &[("if-none-match", &format!("\"x\", W/{tag}"))]).await;
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, tag.as_str()));
        let picture = nobody.get("/widgets/with_files/1.0.0/images/a.svg").await;
        assert_eq!(picture.header("content-type"), "image/svg+xml");
        assert!(picture.header("content-security-policy").starts_with("sandbox;"), "{picture:?}");
        let head = nobody.send(nobody.request("HEAD", "/widgets/with_files/1.0.0/script.js")).await;
        assert_eq!(
            (head.status, head.body.len(), head.header("content-length")),
            (200, 0, script.header("content-length"))
        );
    });
}

#[test]
fn a_private_file_is_for_those_who_see_the_widget() {
    test(async |app| {
        publish(app, "private", "1.0.0", &[]).await;
        let path = "/widgets/with_files/1.0.0/script.js";
        let missing = app.with_token(None).get("/widgets/unknown/1.0.0/script.js").await;
        for stranger in [app.with_token(None), app.user(), app.caller(Claims::admin(2, 7))] {
            let answer = stranger.get(path).await;
            answer.problem(404);
            assert_eq!(answer.body, missing.body);
        }
        let owner = app.admin().get(path).await;
        assert_eq!(
            (owner.status, owner.header("cache-control"), owner.header("vary")),
            (200, "private, no-cache", "Authorization")
        );
        app.admin().post("/api/v4/widgets/with_files", "{}").await;
        assert_eq!(app.user().get(path).await.status, 200);
        app.with_token(Some("garbage".to_owned())).get(path).await.problem(401);
    });
}

#[test]
fn large_files_come_in_pieces_and_ranges() {
    test(async |app| {
        let bytes = noise(700_000);
        assert_eq!(publish(app, "public", "1.0.0", &[("data.bin", &bytes), ("empty.txt", b"")]).await.status, 201);
        let nobody = app.with_token(None);
        let path = "/widgets/with_files/1.0.0/data.bin";
        let whole = nobody.get(path).await;
        assert!(whole.body == bytes && whole.header("accept-ranges") == "bytes");
        for (range, first, end) in [
            ("bytes=0-0", 0, 1),
            ("bytes=262140-262150", 262_140, 262_151),
            ("bytes=-5", 699_995, 700_000),
            ("bytes=262144-", 262_144, 700_000),
        ] {
            let part = get(&nobody, path, &[("range", range)]).await;
            assert_eq!(part.status, 206, "{range}");
            assert!(part.body == bytes[first..end], "{range}");
            assert_eq!(part.header("content-range"), format!("bytes {first}-{}/700000", end - 1));
        }
        let outside = get(&nobody, path, &[("range", "bytes=700000-")]).await;
        outside.problem(416);
        assert_eq!(outside.header("content-range"), "bytes */700000");
        let head = nobody.send(nobody.request("HEAD", path).header("range", "bytes=0-0")).await;
        assert_eq!((head.status, head.header("content-length")), (200, "700000"));
        let stale = get(&nobody, path, &[("range", "bytes=0-0"), ("if-range", "\"other\"")]).await;
        assert_eq!((stale.status, stale.body.len()), (200, 700_000));
        let empty = nobody.get("/widgets/with_files/1.0.0/empty.txt").await;
        assert_eq!((empty.status, empty.body.len()), (200, 0));
    });
}

#[test]
fn the_same_bytes_are_stored_once() {
    test(async |app| {
        let bytes = noise(300_000);
        publish(app, "public", "1.0.0", &[("a.bin", &bytes), ("b.bin", &bytes)]).await;
        publish(app, "public", "1.0.1", &[("c.bin", &bytes)]).await;
        let pieces: i64 = sqlx::query_scalar("SELECT count(*) FROM blob_chunks WHERE length(bytes) > 30000")
            .fetch_one(&app.pool)
            .await
            .unwrap();
        assert_eq!(pieces, 2);
        assert!(app.with_token(None).get("/widgets/with_files/1.0.1/c.bin").await.body == bytes);
    });
}

#[test]
fn what_is_not_served_is_not_kept() {
    test(async |app| {
        publish(
            app,
            "public",
            "1.0.0",
            &[("server/hook.php", b"<?php"), (".env", b"SECRET=1"), ("script.js.map", b"{}")],
        )
        .await;
        let nobody = app.with_token(None);
        for path in
            ["server/hook.php", ".env", "script.js.map", "nothing.js", "", "../manifest.json", "i18n", "images/"]
        {
            nobody.get(&format!("/widgets/with_files/1.0.0/{path}")).await.problem(404);
        }
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM blob_chunks WHERE bytes IN ('<?php', 'SECRET=1')")
            .fetch_one(&app.pool)
            .await
            .unwrap();
        assert_eq!(kept, 0);
        let files = app.user().get("/registry/v1/widgets/with_files/versions/1.0.0").await.json()["files"].clone();
        let shown = |path: &str| files.as_array().unwrap().iter().find(|file| file["path"] == path).cloned().unwrap();
        assert_eq!(shown("server/hook.php")["url"], serde_json::Value::Null);
        assert_eq!(shown("script.js")["url"], format!("{}/widgets/with_files/1.0.0/script.js", app.url));
    });
}

#[test]
fn names_with_odd_characters_are_found_under_their_address() {
    test(async |app| {
        let name = "images/a b+c%41é&.txt";
        publish(app, "public", "1.0.0", &[(name, b"here")]).await;
        let files = app.user().get("/registry/v1/widgets/with_files/versions/1.0.0").await.json()["files"].clone();
        let file = files.as_array().unwrap().iter().find(|file| file["path"] == name).unwrap().clone();
        let address = file["url"].as_str().unwrap().strip_prefix(&app.url).unwrap().to_owned();
        let answer = app.with_token(None).get(&address).await;
        assert_eq!((answer.status, answer.text()), (200, "here"), "{address}");
    });
}

#[test]
fn current_leads_to_the_current_version() {
    test(async |app| {
        publish(app, "public", "1.0.0", &[]).await;
        publish(app, "public", "1.1.0", &[]).await;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let nobody = Client::new(http, app.url.clone(), None);
        let answer = nobody.get("/widgets/with_files/current/images/a%20b.png").await;
        assert_eq!((answer.status, answer.header("location")), (302, "/widgets/with_files/1.1.0/images/a%20b.png"));
        // What a page adds to get past a cache goes with it.
        let answer = nobody.get("/widgets/with_files/current/script.js?v=7").await;
        assert_eq!(answer.header("location"), "/widgets/with_files/1.1.0/script.js?v=7");
        assert_eq!(answer.header("vary"), "Authorization");
        nobody.get("/widgets/unknown/current/script.js").await.problem(404);
    });
}

#[test]
fn a_place_is_taken_until_the_file_is_sent() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    test_with(Setup::default().set("limits.downloads", 1), async |app| {
        // More than sockets take by themselves.
        let bytes = noise(18 << 20);
        assert_eq!(publish(app, "public", "1.0.0", &[("data.bin", &bytes)]).await.status, 201);
        let mut slow = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let request = "GET /widgets/with_files/1.0.0/data.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        slow.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0];
        slow.read_exact(&mut first).await.unwrap();
        let nobody = app.with_token(None);
        let refused = nobody.get("/widgets/with_files/1.0.0/script.js").await;
        refused.problem(503);
        assert_eq!(refused.header("retry-after"), "1");
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).await.unwrap();
        assert!(rest.ends_with(&bytes));
        assert_eq!(nobody.get("/widgets/with_files/1.0.0/script.js").await.status, 200);
    });
}

#[test]
fn a_reader_who_stops_does_not_keep_others_out() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let setup = Setup::default().set("limits.downloads", 1).set("limits.download_time", "50ms");
    test_with(setup, async |app| {
        assert_eq!(publish(app, "public", "1.0.0", &[("data.bin", &noise(18 << 20))]).await.status, 201);
        let mut stopped = tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let request = "GET /widgets/with_files/1.0.0/data.bin HTTP/1.1\r\nHost: a\r\n\r\n";
        stopped.write_all(request.as_bytes()).await.unwrap();
        stopped.read_exact(&mut [0]).await.unwrap();
        let nobody = app.with_token(None);
        while nobody.get("/widgets/with_files/1.0.0/script.js").await.status != 200 {}
    });
}

#[test]
fn a_head_reads_no_file() {
    test(async |app| {
        publish(app, "public", "1.0.0", &[("data.bin", &noise(600_000))]).await;
        // Whoever reads the file now finds that it is broken.
        sqlx::query("DELETE FROM blob_chunks").execute(&app.pool).await.unwrap();
        let nobody = app.with_token(None);
        let head = nobody.send(nobody.request("HEAD", "/widgets/with_files/1.0.0/data.bin")).await;
        assert_eq!((head.status, head.header("content-length")), (200, "600000"));
    });
}
