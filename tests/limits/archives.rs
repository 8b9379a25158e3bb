//! Limits of archives, seen through an upload. The reader's own tests have them at their defaults.

use std::io::Cursor;

use widget_registry::archive;

use crate::support::{Answer, Sample, Setup, TestApp, test_with};

fn sample() -> Sample {
    Sample::plain("w")
}

/// The sample's files and some more.
fn zip_with(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let sample = sample();
    let mut all = vec![
        ("manifest.json".to_owned(), sample.manifest_text().into_bytes()),
        ("script.js".to_owned(), sample.script.clone().into_bytes()),
        ("i18n/en.json".to_owned(), sample.i18n[0].1.to_string().into_bytes()),
    ];
    all.extend(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())));
    archive::pack(&all).unwrap()
}

async fn publish(app: &TestApp, zip: &[u8]) -> Answer {
    app.admin().post_bytes("/registry/v1/widgets?code=w", "application/zip", zip.to_vec()).await
}

async fn publish_form(app: &TestApp, zip: &[u8]) -> Answer {
    let head = "--b\r\nContent-Disposition: form-data; name=\"archive\"; filename=\"w.zip\"\r\n\r\n";
    let code = "\r\n--b\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\nw\r\n--b--\r\n";
    let body = [head.as_bytes(), zip, code.as_bytes()].concat();
    app.admin().post_bytes("/registry/v1/widgets", "multipart/form-data; boundary=b", body).await
}

/// Publishes at the limit, and with a limit that is one less; returns the second answer.
fn at_and_past(name: &'static str, limit: u64, zip: &[u8], refused: impl AsyncFn(&TestApp)) {
    test_with(Setup::default().set(name, limit - 1), async |app| {
        refused(app).await;
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM widgets").fetch_one(&app.pool).await.unwrap();
        assert_eq!(left, 0);
    });
    test_with(Setup::default().set(name, limit), async |app| {
        let answer = publish(app, zip).await;
        assert_eq!(answer.status, 201, "{name}: {answer:?}");
        let answer = publish_form(app, zip).await;
        assert_eq!((answer.status, answer.json()["already_published"].as_bool()), (200, Some(true)), "{name}");
    });
}

/// [`at_and_past`], refused with this finding.
fn finding(name: &'static str, limit: u64, zip: &[u8], code: &str) {
    at_and_past(name, limit, zip, async |app| {
        for answer in [publish(app, zip).await, publish_form(app, zip).await] {
            assert!(answer.problem(400).starts_with("The archive was refused: 1 error(s)"), "{name}: {answer:?}");
            let body = answer.json();
            let findings = body["findings"].as_array().unwrap();
            let errors: Vec<_> = findings.iter().filter(|finding| finding["severity"] == "error").collect();
            assert_eq!((errors.len(), errors[0]["code"].as_str()), (1, Some(code)), "{name}: {answer:?}");
        }
    });
}

#[test]
fn packed() {
    let zip = sample().zip();
    at_and_past("limits.archive_packed", zip.len() as u64, &zip, async |app| {
        for answer in [publish(app, &zip).await, publish_form(app, &zip).await] {
            assert!(answer.problem(413).contains(&format!("larger than {} bytes", zip.len() - 1)), "{answer:?}");
        }
    });
}

#[test]
fn unpacked() {
    let zip = zip_with(&[]);
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
    let size = (0..archive.len()).map(|index| archive.by_index_raw(index).unwrap().size()).sum();
    finding("limits.archive_unpacked", size, &zip, "archive.unpacked-too-large");
}

#[test]
fn entries() {
    let zip = zip_with(&[("a.js", b"1".to_vec()), ("b.js", b"2".to_vec())]);
    let count = zip::ZipArchive::new(Cursor::new(&zip)).unwrap().len();
    finding("limits.archive_entries", count as u64, &zip, "archive.too-many-entries");
}

#[test]
fn manifest() {
    let size = sample().manifest_text().len();
    finding("limits.archive_manifest", size as u64, &zip_with(&[]), "manifest.too-large");
}

#[test]
fn depth() {
    finding("limits.archive_depth", 4, &zip_with(&[("a/b/c/d.js", b"1".to_vec())]), "entry.name.too-deep");
}

#[test]
fn ratio() {
    let zip = zip_with(&[("zeros.js", vec![b'0'; 10_000])]);
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
    let count = archive.len();
    let ratio = |index: usize| {
        let entry = archive.by_index_raw(index).unwrap();
        entry.size().div_ceil(entry.compressed_size())
    };
    let highest = (0..count).map(ratio).max().unwrap();
    assert!(highest > 10, "{highest}");
    finding("limits.archive_ratio", highest, &zip, "entry.ratio");
}
