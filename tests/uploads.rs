//! Uploads that are cut, that meet each other, and that take too long: a version is there whole or not at all.

use futures_util::future::{join, join_all};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use widget_registry::archive;

use crate::support::{Claims, Raw, Sample, Setup, TestApp, test, test_with};

/// Requests may wait for locks for as long as the test holds them.
fn patient() -> Setup {
    let times = ["limits.statement_time", "limits.lock_time", "limits.handler_time", "limits.connection_time"];
    times.into_iter().fold(Setup::default(), |setup, name| setup.set(name, "1h"))
}

/// Bytes that do not pack well, another run of them for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

/// A widget's version with these further files.
fn zip(code: &str, version: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut files = Sample::plain(code).version(version).files();
    // A text, which is stored packed as well.
    let notes: Vec<_> = (0..3_000).map(|line| format!("{code} {version} {line}\n")).collect();
    files.push(("notes.txt".to_owned(), notes.concat().into_bytes()));
    files.extend(more.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())));
    archive::pack(&files).unwrap()
}

fn address(code: &str) -> String {
    format!("/registry/v1/widgets?code={code}&visibility=public")
}

/// The publisher's request to publish this body.
fn request(app: &TestApp, code: &str, content_type: &str, body: Vec<u8>) -> Raw {
    let token = Claims::admin(1, 7).scopes(&["publish", "publish:public"]).sign(&app.key, app.now());
    Raw::new("POST", address(code)).token(&token).header("Content-Type", content_type).body(body)
}

/// The archive as a form that `curl` would send.
fn form(zip: &[u8]) -> Vec<u8> {
    let part = |name: &str| format!("\r\n--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let mut body = part("archive").trim_start().as_bytes().to_vec();
    body.extend(zip);
    body.extend([part("is_crm_template").as_bytes(), b"false\r\n--b--\r\n"].concat());
    body
}

async fn count(app: &TestApp, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&app.pool).await.unwrap()
}

/// Checks every row that publishing writes against the others, and every byte against its digest.
async fn assert_whole(app: &TestApp) {
    for (what, statement) in [
        (
            "a widget without a version",
            "SELECT count(*) FROM widgets w WHERE NOT EXISTS (SELECT FROM widget_versions v WHERE v.widget_id = w.id)",
        ),
        (
            "a version without its manifest",
            "SELECT count(*) FROM widget_versions v WHERE NOT EXISTS (SELECT FROM version_files f \
             WHERE f.widget_id = v.widget_id AND f.version = v.version AND f.path = 'manifest.json')",
        ),
        (
            "a blob of no file",
            "SELECT count(*) FROM blobs b WHERE NOT EXISTS (SELECT FROM version_files f WHERE f.blob_sha256 = b.sha256)",
        ),
        (
            "a blob with other bytes",
            "SELECT count(*) FROM blobs b CROSS JOIN LATERAL (SELECT coalesce(string_agg(c.bytes, ''::bytea ORDER BY c.position), '') AS bytes \
             FROM blob_chunks c WHERE c.sha256 = b.sha256) c WHERE sha256(c.bytes) <> b.sha256 OR length(c.bytes) <> b.size",
        ),
        (
            "a packed form with other bytes",
            "SELECT count(*) FROM blob_forms f FULL JOIN (SELECT sha256, encoding, sum(length(bytes)) AS size FROM blob_form_chunks \
             GROUP BY sha256, encoding) c USING (sha256, encoding) WHERE f.size IS DISTINCT FROM c.size",
        ),
        (
            "a version that is current and should not be",
            "SELECT count(*) FROM widgets w LEFT JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
             WHERE (v.version IS NULL OR v.yanked_at IS NOT NULL) AND EXISTS (SELECT FROM widget_versions o \
             WHERE o.widget_id = w.id AND o.yanked_at IS NULL)",
        ),
    ] {
        assert_eq!(count(app, statement).await, 0, "{what}");
    }
}

#[test]
fn a_cut_upload_leaves_nothing_behind() {
    test_with(Setup::default().set("limits.uploads", 1), async |app| {
        let zip = zip("cut", "1.0.0", &[("data.bin", &noise(1, 300_000))]);
        let before = app.contents().await;
        for (content_type, body) in [("application/zip", zip.clone()), ("multipart/form-data; boundary=b", form(&zip))]
        {
            let bytes = request(app, "cut", content_type, body.clone()).bytes();
            let head = bytes.len() - body.len();
            let steps = (0..bytes.len()).step_by(bytes.len() / 40);
            let edges = [head - 2, head, head + 1, head + 80, bytes.len() - 20, bytes.len() - 1];
            for cut in steps.chain(edges) {
                // Who says that no more comes is told off, or the connection is closed; either way it ends.
                let answer = String::from_utf8(app.converse(&bytes[..cut], true).await).unwrap();
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{cut}: {answer}");
            }
            assert_eq!(app.contents().await, before);
        }
        // The one place is free.
        let answer = app.ask(&request(app, "cut", "multipart/form-data; boundary=b", form(&zip))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_whole(app).await;
    });
}

#[test]
fn a_publisher_who_is_gone_before_the_answer_leaves_a_whole_version_or_none() {
    // Were a place or a turn lost each time, the last would find none.
    test_with(patient().set("limits.uploads", 6), async |app| {
        for round in 0..11_u64 {
            let code = format!("gone_{round}");
            let bytes =
                request(app, &code, "application/zip", zip(&code, "1.0.0", &[("data.bin", &noise(round, 500_000))]));
            // It is stopped before its first statement, in the middle of its pieces, or not at all.
            let table = ["widgets", "blobs", "blob_form_chunks", "version_files"][usize::try_from(round % 4).unwrap()];
            let lock = if round < 8 { Some(app.lock(table).await) } else { None };
            let mut stream = app.connect().await;
            stream.write_all(&bytes.bytes()).await.unwrap();
            if let Some(lock) = lock {
                app.blocked(1).await;
                stream.set_zero_linger().unwrap();
                drop(stream);
                lock.rollback().await.unwrap();
            }
            app.undisturbed().await;
        }
        let answer = app.admin().post_bytes(&address("last"), "application/zip", zip("last", "1.0.0", &[])).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_whole(app).await;
    });
}

#[test]
fn a_handler_that_runs_out_of_time_publishes_nothing() {
    let setup = Setup::default().set("limits.handler_time", "300ms").set("limits.uploads", 1);
    test_with(setup.set("limits.lock_time", "1h").set("limits.statement_time", "1h"), async |app| {
        let before = app.contents().await;
        let large = zip("late", "1.0.0", &[("data.bin", &noise(1, 3_000_000))]);
        for table in ["widgets", "widget_versions", "blobs", "blob_chunks", "blob_forms", "version_files"] {
            let lock = app.lock(table).await;
            let answer = app.admin().post_bytes(&address("late"), "application/zip", large.clone()).await;
            assert_eq!(answer.problem(503), "The request took too long; try again in a moment");
            lock.rollback().await.unwrap();
            app.undisturbed().await;
            assert_eq!(app.contents().await, before, "{table}");
        }
    });
}

#[test]
fn votes_do_not_wait_for_the_files_of_a_version() {
    test_with(patient(), async |app| {
        let publish = async |version| {
            app.admin().post_bytes(&address("voted"), "application/zip", zip("voted", version, &[])).await.status
        };
        assert_eq!(publish("1.0.0").await, 201);
        assert_eq!(app.admin().post("/api/v4/widgets/voted", "{}").await.status, 200);
        for (version, table) in [("1.1", "blobs"), ("1.2", "blob_chunks"), ("1.3", "blob_form_chunks")] {
            let lock = app.lock(table).await;
            let meanwhile = async {
                app.blocked(1).await;
                let vote = app.user().put("/registry/v1/widgets/voted/rating", r#"{"stars":5}"#).await;
                lock.rollback().await.unwrap();
                vote.status
            };
            assert_eq!(join(publish(version), meanwhile).await, (201, 200), "{table}");
        }
    });
}

#[test]
fn publishers_of_the_same_blobs_do_not_stand_in_each_others_way() {
    test_with(patient(), async |app| {
        let shared: Vec<Vec<u8>> = (0..6).map(|seed| noise(seed, 30_000)).collect();
        for round in 0..12_u64 {
            let fresh: Vec<Vec<u8>> = (0..6).map(|seed| noise(1_000 + round * 10 + seed, 30_000)).collect();
            // The same bytes under other names, in another order, by different publishers.
            let publish = async |publisher: i64| {
                let code = format!("by_{publisher}");
                let mut files: Vec<(String, &[u8])> = Vec::new();
                for (index, bytes) in (0..).zip(shared.iter().chain(&fresh)) {
                    files.push((format!("{}.bin", (index * publisher * 5 + publisher) % 97), bytes));
                }
                let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
                let publisher = app.caller(Claims::admin(publisher, 7).scopes(&["publish", "publish:public"]));
                let zip = zip(&code, &format!("1.0.{round}"), &files);
                publisher.post_bytes(&address(&code), "application/zip", zip).await
            };
            for answer in join_all([1, 2, 3, 4].map(publish)).await {
                assert_eq!(answer.status, 201, "{answer:?}");
            }
        }
        assert_whole(app).await;
        assert_eq!(count(app, "SELECT count(*) FROM blobs WHERE size = 30000").await, 6 + 12 * 6);
    });
}

#[test]
fn publishing_yanking_and_pinning_at_once_leave_one_current_version() {
    test_with(patient(), async |app| {
        const WIDGET: &str = "/registry/v1/widgets/busy";
        let admin = app.admin();
        let publish = async |version: String| {
            admin.post_bytes(&address("busy"), "application/zip", zip("busy", &version, &[])).await.status
        };
        assert_eq!(publish("1.0".to_owned()).await, 201);
        for round in 1..=15 {
            let yank =
                async |version: String| admin.post(&format!("{WIDGET}/versions/{version}/yank"), "").await.status;
            let pin = async |version: Value| {
                admin
                    .put(&format!("{WIDGET}/current"), &serde_json::json!({ "version": version }).to_string())
                    .await
                    .status
            };
            let (new, next) = (format!("1.{round}"), format!("1.{round}.5"));
            let statuses = tokio::join!(
                publish(new.clone()),
                yank(new.clone()),
                pin(new.as_str().into()),
                publish(next.clone()),
                pin(Value::Null),
                yank(format!("1.{}", round - 1)),
            );
            assert_eq!((statuses.0, statuses.3, statuses.4, statuses.5), (201, 201, 200, 200), "{statuses:?}");
            // These two may come before the version does, and the pin after it is yanked.
            assert!([200, 404].contains(&statuses.1) && [200, 404, 409].contains(&statuses.2), "{statuses:?}");
            assert_whole(app).await;
        }
        // Without a pin it is the newest.
        let answer = admin.put(&format!("{WIDGET}/current"), r#"{"version":null}"#).await;
        assert_eq!(answer.json()["version"], "1.15.5");
        assert_eq!(admin.get("/api/v4/widgets/busy").await.json()["version"], "1.15.5");
    });
}

/// As many who hold a connection and want another as there are connections would wait for each other.
#[test]
fn nobody_holds_a_connection_and_waits_for_another() {
    test_with(patient().set("database_connections", 2).set("limits.connection_time", "1s"), async |app| {
        app.publish(&Sample::plain("w")).await;
        let admin = app.admin();
        assert_eq!(admin.post("/registry/v1/widgets/w/versions/1.0.0/yank", "").await.status, 200);
        let pin = async |version: &str| {
            admin.put("/registry/v1/widgets/w/current", &format!(r#"{{"version":"{version}"}}"#)).await
        };
        let lock = app.lock("widgets").await;
        let release = async {
            app.blocked(2).await;
            lock.rollback().await.unwrap();
        };
        let (yanked, unknown, ()) = tokio::join!(pin("1.0.0"), pin("9"), release);
        yanked.problem(409);
        unknown.problem(404);
    });
}

#[test]
fn readers_who_stop_or_leave_hold_no_connection() {
    let setup = Setup::default().set("database_connections", 2);
    test_with(setup, async |app| {
        let bytes = noise(7, 12_000_000);
        let answer = app
            .admin()
            .post_bytes(&address("large"), "application/zip", zip("large", "1.0.0", &[("data.bin", &bytes)]))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let mut readers = Vec::new();
        for _ in 0..30 {
            let mut stream = app.connect().await;
            stream.write_all(&Raw::get("/widgets/large/1.0.0/data.bin").bytes()).await.unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).await.unwrap();
            assert_eq!(&start, b"HTTP/1.1 200");
            readers.push(stream);
        }
        // All have begun, and nobody reads on.
        assert_eq!(app.admin().get("/api/v4/widgets/large").await.status, 200);
        for stream in readers.drain(..20) {
            stream.set_zero_linger().unwrap();
        }
        assert_eq!(app.admin().get("/registry/v1/health/ready").await.status, 200);
        for answer in join_all(readers.into_iter().map(rest)).await {
            assert!(answer.ends_with(&bytes[bytes.len() - 1_000_000..]) && answer.len() > bytes.len());
        }
    });
}

async fn rest(mut stream: tokio::net::TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

#[test]
fn more_uploads_than_places_are_answered_all_the_same() {
    test(async |app| {
        // Packed before anything is sent: a connection that waits for its request meanwhile is closed.
        let archive = |number: u64| {
            let code = format!("many_{number}");
            let zip = zip(&code, "1.0.0", &[("data.bin", &noise(number, 400_000))]);
            (code, zip)
        };
        let archives: Vec<_> = (0..20).map(archive).collect();
        let publish = async |(code, zip): (String, Vec<u8>)| {
            app.admin().post_bytes(&address(&code), "application/zip", zip).await
        };
        let answers = join_all(archives.into_iter().map(publish)).await;
        for answer in &answers {
            assert!(answer.status == 201 || answer.status == 503 && answer.header("retry-after") == "1", "{answer:?}");
        }
        assert_whole(app).await;
        let published = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(count(app, "SELECT count(*) FROM widget_versions").await, i64::try_from(published).unwrap());
        assert_eq!(publish(archive(20)).await.status, 201);
    });
}
