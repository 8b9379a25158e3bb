//! Limits of JSON bodies: bytes, depth, members of one object.

use crate::support::{Raw, Sample, TestApp, test};

/// A body filled up with blanks.
fn filled(body: &str, length: usize) -> String {
    format!("{body}{}", " ".repeat(length - body.len()))
}

const OPENING: &str = r#"{"widget_code":"w","entity":{"type":"leads","id":5}}"#;

async fn publish(app: &TestApp) {
    app.publish(&Sample::new("w", "1.0.0", &[("custom", "Custom", "custom", false)]).location("lead_sources")).await;
    assert_eq!(app.admin().post("/api/v4/widgets/w", "{}").await.status, 200);
}

#[test]
fn bytes() {
    test(async |app| {
        publish(app).await;
        let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("w").await);
        let install = "/api/v4/widgets/w";
        let open = "/registry/v1/salesbot/77/continuations";
        let admin = app.admin();
        for (path, body, limit, status) in [
            (install, r#"{"custom":1}"#, 256 << 10, 200),
            (&path, r#"{"data":[1]}"#, 64 << 10, 202),
            (open, OPENING, 64 << 10, 201),
        ] {
            let answer = admin.post(path, &filled(body, limit + 1)).await;
            assert!(answer.problem(413).contains(&format!("larger than {limit} bytes")), "{path}: {answer:?}");
            let answer = admin.post(path, &filled(body, limit)).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
        let path = "/registry/v1/installs/w/lead-source";
        admin.put(path, &filled(r#"{"pipeline_id":5}"#, (64 << 10) + 1)).await.problem(413);
        assert_eq!(admin.put(path, &filled(r#"{"pipeline_id":5}"#, 64 << 10)).await.status, 200);
    });
}

#[test]
fn bytes_that_come_in_chunks() {
    test(async |app| {
        publish(app).await;
        let token = crate::support::Claims::admin(1, 7).sign(&app.key, app.now());
        let chunks = |length: usize| {
            let body = filled(r#"{"custom":2}"#, length).into_bytes();
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let chunks: Vec<u8> = body.chunks(5_000).flat_map(chunk).chain(*b"0\r\n\r\n").collect();
            let request = Raw::new("POST", "/api/v4/widgets/w").token(&token).unframed();
            request.header("Content-Type", "application/json").header("Transfer-Encoding", "chunked").body(chunks)
        };
        app.ask(&chunks((256 << 10) + 1)).await.problem(413);
        assert_eq!(app.ask(&chunks(256 << 10)).await.status, 200);
    });
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn depth() {
    test(async |app| {
        publish(app).await;
        let admin = app.admin();
        // The body's own object is the first level.
        let install = |depth: usize| format!("{{\"custom\":{}}}", nested(depth - 1));
        assert!(admin.post("/api/v4/widgets/w", &install(17)).await.problem(400).contains("deeper than 16 levels"));
        assert_eq!(admin.post("/api/v4/widgets/w", &install(16)).await.status, 200);
        let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("w").await);
        let data = |depth: usize| format!("{{\"data\":{}}}", nested(depth - 1));
        assert!(admin.post(&path, &data(33)).await.problem(400).contains("deeper than 32 levels"));
        assert_eq!(admin.post(&path, &data(32)).await.status, 202);
        let path = "/registry/v1/installs/w/lead-source";
        let pipeline = |depth: usize| format!("{{\"pipeline_id\":5,\"ignored\":{}}}", nested(depth - 1));
        assert!(admin.put(path, &pipeline(33)).await.problem(400).contains("deeper than 32 levels"));
        assert_eq!(admin.put(path, &pipeline(32)).await.status, 200);
    });
}

#[test]
fn members_of_one_object() {
    test(async |app| {
        publish(app).await;
        let admin = app.admin();
        let object = |count: usize| {
            let members: Vec<String> = (0..count).map(|key| format!("\"{key}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        let install = |count: usize| format!("{{\"custom\":[{}]}}", object(count));
        assert!(admin.post("/api/v4/widgets/w", &install(1_001)).await.problem(400).contains("more than 1000 members"));
        assert_eq!(admin.post("/api/v4/widgets/w", &install(1_000)).await.status, 200);
        let path = format!("/api/v4/salesbot/77/continue/{}", app.wait_for("w").await);
        let data = |count: usize| format!("{{\"data\":{}}}", object(count));
        assert!(admin.post(&path, &data(1_001)).await.problem(400).contains("`data` has more than 1000 members"));
        assert_eq!(admin.post(&path, &data(1_000)).await.status, 202);
        // Elements of arrays are bounded by the body's size alone.
        let path = "/registry/v1/installs/w/lead-source";
        let many = format!("{{\"pipeline_id\":5,\"ignored\":[{}]}}", vec!["0"; 5_000].join(","));
        assert_eq!(admin.put(path, &many).await.status, 200);
    });
}
