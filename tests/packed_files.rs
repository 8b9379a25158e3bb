//! Files that come packed to those who ask for it: which, in which form, and under which tag.

use widget_registry::archive;

use crate::support::{Answer, Client, Sample, TestApp, test};

const SCRIPT: &str = "/widgets/packed/1.0.0/big.js";

/// A text that packs to less than half of its bytes.
fn text(length: usize) -> Vec<u8> {
    let numbers = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes());
    numbers.take(length).collect()
}

async fn publish(app: &TestApp, visibility: &str, version: &str, more: &[(&str, &[u8])]) {
    let mut files = Sample::plain("packed").version(version).files();
    files.extend(more.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())));
    let path = format!("/registry/v1/widgets?code=packed&visibility={visibility}");
    let answer = app.admin().post_bytes(&path, "application/zip", archive::pack(&files).unwrap()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

async fn ask(client: &Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.request(method, path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.send(request).await
}

#[test]
fn a_text_comes_packed_to_those_who_ask() {
    test(async |app| {
        // Its packed forms have several pieces too.
        let bytes = text(1_500_000);
        publish(app, "public", "1.0.0", &[("big.js", &bytes)]).await;
        let nobody = app.with_token(None);
        let plain = nobody.get(SCRIPT).await;
        assert!(plain.body == bytes);
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "Accept-Encoding"));
        let mut tags = vec![plain.header("etag").to_owned()];
        for (accept, encoding) in
            [("gzip, deflate, br", "br"), ("x-gzip;q=0.5, br;q=0.1", "gzip"), ("zstd, gzip;q=0.1", "gzip")]
        {
            let packed = ask(&nobody, "GET", SCRIPT, &[("accept-encoding", accept)]).await;
            assert_eq!((packed.status, packed.header("content-encoding")), (200, encoding));
            assert!(packed.body.len() > 300_000 && packed.body.len() < bytes.len() / 2, "{}", packed.body.len());
            assert!(packed.unpacked() == bytes, "{encoding}");
            for same in ["cache-control", "content-type", "vary", "x-content-type-options", "accept-ranges"] {
                assert_eq!(packed.header(same), plain.header(same), "{same}");
            }
            assert_eq!(packed.header("content-length"), packed.body.len().to_string());
            let head = ask(&nobody, "HEAD", SCRIPT, &[("accept-encoding", accept)]).await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            for same in ["content-length", "content-encoding", "etag", "vary", "content-type", "cache-control"] {
                assert_eq!(head.header(same), packed.header(same), "{same}");
            }
            tags.push(packed.header("etag").to_owned());
        }
        tags.dedup();
        assert_eq!(tags.len(), 3, "{tags:?}");
        assert!(tags.iter().all(|tag| tag.starts_with('"')), "strong: {tags:?}");
        // A tag is known again only where its own form would be sent.
        for (index, accept) in ["identity", "br", "gzip"].iter().enumerate() {
            for (other, tag) in tags.iter().enumerate() {
                let known = [("accept-encoding", *accept), ("if-none-match", tag.as_str())];
                let answer = ask(&nobody, "GET", SCRIPT, &known).await;
                let expected = if index == other { 304 } else { 200 };
                assert_eq!((answer.status, answer.header("etag")), (expected, tags[index].as_str()), "{accept} {tag}");
                assert_eq!(answer.header("vary"), "Accept-Encoding");
            }
        }
    });
}

#[test]
fn ranges_are_of_the_file_itself() {
    test(async |app| {
        let bytes = text(300_000);
        publish(app, "public", "1.0.0", &[("big.js", &bytes)]).await;
        let nobody = app.with_token(None);
        let packed = ask(&nobody, "GET", SCRIPT, &[("accept-encoding", "gzip")]).await;
        let range = [("accept-encoding", "br, gzip"), ("range", "bytes=262140-262150")];
        let part = ask(&nobody, "GET", SCRIPT, &range).await;
        assert_eq!((part.status, part.header("content-encoding"), part.header("vary")), (206, "", "Accept-Encoding"));
        assert!(part.body == bytes[262_140..=262_150]);
        assert_eq!(part.header("content-range"), "bytes 262140-262150/300000");
        assert_eq!(part.header("etag"), nobody.get(SCRIPT).await.header("etag"));
        let outside = ask(&nobody, "GET", SCRIPT, &[("accept-encoding", "gzip"), ("range", "bytes=300000-")]).await;
        assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */300000"));
        // Whoever has a part of the packed form, or does not take the file itself, gets a packed form whole.
        let of_packed = [("accept-encoding", "gzip"), ("range", "bytes=5-"), ("if-range", packed.header("etag"))];
        let refused = [("accept-encoding", "gzip, identity;q=0"), ("range", "bytes=5-")];
        for headers in [of_packed.as_slice(), refused.as_slice()] {
            let whole = ask(&nobody, "GET", SCRIPT, headers).await;
            assert_eq!((whole.status, whole.header("content-encoding")), (200, "gzip"), "{headers:?}");
            assert!(whole.body == packed.body);
        }
    });
}

#[test]
fn several_lines_count_as_one_list_and_nonsense_as_none() {
    test(async |app| {
        publish(app, "public", "1.0.0", &[("big.js", &text(5_000))]).await;
        let nobody = app.with_token(None);
        for (lines, encoding) in [
            (["identity;q=0.1", "gzip"].as_slice(), "gzip"),
            (&["br;q=0", "*"], "gzip"),
            (&["identity;q=0", "zstd"], ""),
            (&["*;q=0"], ""),
            (&[""], ""),
            (&[";;,q=1,=,gzip;q"], ""),
        ] {
            let headers: Vec<_> = lines.iter().map(|line| ("accept-encoding", *line)).collect();
            let answer = ask(&nobody, "GET", SCRIPT, &headers).await;
            assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{lines:?}");
        }
    });
}

#[test]
fn what_does_not_pay_is_not_packed() {
    test(async |app| {
        let large = text(100_000);
        publish(app, "public", "1.0.0", &[("small.js", &large[..1_000]), ("data.bin", &large), ("empty.js", b"")])
            .await;
        let nobody = app.with_token(None);
        for (name, length) in [("small.js", 1_000), ("data.bin", 100_000), ("empty.js", 0)] {
            let path = format!("/widgets/packed/1.0.0/{name}");
            let answer = ask(&nobody, "GET", &path, &[("accept-encoding", "br, gzip")]).await;
            assert_eq!((answer.status, answer.body.len()), (200, length), "{name}");
            assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("", ""), "{name}");
        }
        let redirect = ask(&nobody, "GET", "/widgets/packed/1.0.0/nothing.js", &[("accept-encoding", "br")]).await;
        assert_eq!((redirect.status, redirect.header("vary")), (404, ""));
    });
}

#[test]
fn a_private_text_comes_packed_and_stays_private() {
    test(async |app| {
        let bytes = text(5_000);
        publish(app, "private", "1.0.0", &[("big.js", &bytes)]).await;
        let answer = ask(&app.admin(), "GET", SCRIPT, &[("accept-encoding", "gzip")]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "private, no-cache"));
        let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(vary, ["Authorization", "Accept-Encoding"]);
        assert!(answer.unpacked() == bytes);
        ask(&app.with_token(None), "GET", SCRIPT, &[("accept-encoding", "gzip")]).await.problem(404);
    });
}

#[test]
fn a_file_without_packed_forms_is_sent_as_it_is() {
    test(async |app| {
        let bytes = text(5_000);
        publish(app, "public", "1.0.0", &[("big.js", &bytes)]).await;
        // As what was published before there were any.
        for statement in ["DELETE FROM blob_forms", "DELETE FROM blob_form_chunks"] {
            sqlx::query(statement).execute(&app.pool).await.unwrap();
        }
        // The same bytes in another version are the same blob.
        publish(app, "public", "1.1.0", &[("big.js", &bytes)]).await;
        for version in ["1.0.0", "1.1.0"] {
            let path = format!("/widgets/packed/{version}/big.js");
            let answer = ask(&app.with_token(None), "GET", &path, &[("accept-encoding", "br, gzip")]).await;
            assert_eq!((answer.status, answer.header("content-encoding"), answer.header("vary")), (200, "", ""));
            assert!(answer.body == bytes);
        }
    });
}

#[test]
fn packed_forms_are_stored_once() {
    test(async |app| {
        let bytes = text(5_000);
        publish(app, "public", "1.0.0", &[("big.js", &bytes), ("same.js", &bytes)]).await;
        publish(app, "public", "1.1.0", &[("big.css", &bytes)]).await;
        let forms: i64 = sqlx::query_scalar("SELECT count(*) FROM blob_forms").fetch_one(&app.pool).await.unwrap();
        assert_eq!(forms, 2);
        let path = "/widgets/packed/1.1.0/big.css";
        let answer = ask(&app.with_token(None), "GET", path, &[("accept-encoding", "gzip")]).await;
        assert!(answer.unpacked() == bytes);
    });
}
