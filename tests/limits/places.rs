//! Limits of how much is worked on at once, and how often one may call.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::support::raw::parse_one;
use crate::support::{Answer, Claims, Raw, Sample, Setup, TestApp, test_with};

/// Requests may wait for locks for as long as the test holds them.
fn patient() -> Setup {
    let times = ["limits.statement_time", "limits.lock_time", "limits.handler_time"];
    times.into_iter().fold(Setup::default(), |setup, name| setup.set(name, "1h"))
}

fn assert_busy(answer: &Answer) {
    assert_eq!(answer.problem(503), "The service is busy; try again in a moment");
    assert_eq!(answer.header("retry-after"), "1");
}

#[test]
fn requests_in_flight() {
    test_with(patient().set("limits.requests", 2), async |app| {
        app.publish(&Sample::plain("w")).await;
        let lock = app.lock("installs").await;
        let user = app.user();
        let third = async {
            app.blocked(2).await;
            // Places are for what is worked on; who is refused before needs none.
            let busy = user.get("/api/v4/widgets").await;
            let stranger = app.with_token(None).get("/api/v4/widgets").await;
            let others = [user.get("/nowhere").await, user.delete("/api/v4/widgets").await, stranger];
            let health = [user.get("/registry/v1/health/live").await, user.get("/registry/v1/health/ready").await];
            lock.rollback().await.unwrap();
            (busy, others, health)
        };
        let (first, second, (busy, others, health)) =
            tokio::join!(user.get("/api/v4/widgets"), user.get("/api/v4/widgets/w"), third);
        assert_busy(&busy);
        assert_eq!(others.map(|answer| answer.status), [404, 405, 401]);
        assert_eq!(health.map(|answer| answer.status), [200, 200]);
        assert_eq!([first.status, second.status, user.get("/api/v4/widgets").await.status], [200, 200, 200]);
    });
}

/// Sends all of a request but the end of its body, and waits until that is asked for: the server says so in the same turn in which the
/// request takes its place.
async fn begin(app: &TestApp, request: Raw) -> TcpStream {
    let mut stream = app.connect().await;
    let bytes = request.header("Expect", "100-continue").bytes();
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

/// Bodies that do not come keep nobody from being answered but others with bodies, and those of strangers not even these.
#[test]
fn bodies_that_are_read() {
    let setup = Setup::default().set("limits.requests", 2).set("limits.body_time", "1h");
    test_with(setup, async |app| {
        app.publish(&Sample::plain("w")).await;
        let (user, admin, stranger) = (app.user(), app.admin(), app.with_token(None));
        let form = || {
            let grant = Raw::new("POST", "/oauth2/access_token").body("grant_type=client_credentials");
            grant.header("Content-Type", "application/x-www-form-urlencoded")
        };
        let [mut one, _other] = [begin(app, form()).await, begin(app, form()).await];
        assert_busy(&stranger.post("/oauth2/access_token", "{}").await);
        assert_eq!(admin.post("/api/v4/widgets/w", "{}").await.status, 200);
        let token = Claims::admin(1, 7).sign(&app.key, app.now());
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(begin(app, Raw::new("POST", "/api/v4/widgets/w").token(&token).json("{}")).await);
        }
        assert_busy(&admin.post("/api/v4/widgets/w", "{}").await);
        assert_eq!(user.get("/api/v4/widgets/w").await.status, 200);
        // With its end each is answered, and its place is free again.
        let mut first = held.pop().unwrap();
        for (stream, end, status) in [(&mut first, b"}", "HTTP/1.1 200"), (&mut one, b"s", "HTTP/1.1 400")] {
            stream.write_all(end).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&answer));
        }
        assert_eq!(admin.post("/api/v4/widgets/w", "{}").await.status, 200);
        assert_eq!(stranger.post("/oauth2/access_token", "{}").await.status, 400);
    });
}

#[test]
fn uploads_in_flight() {
    test_with(patient().set("limits.uploads", 2), async |app| {
        let lock = app.lock("widgets").await;
        let admin = app.admin();
        let publish = async |code: &str| {
            let path = format!("/registry/v1/widgets?code={code}");
            admin.post_bytes(&path, "application/zip", Sample::plain(code).zip()).await
        };
        let third = async {
            app.blocked(2).await;
            let answer = publish("c").await;
            // Others than uploads have their own places.
            let ready = admin.get("/registry/v1/health/ready").await;
            lock.rollback().await.unwrap();
            (answer, ready)
        };
        let (first, second, (third, ready)) = tokio::join!(publish("a"), publish("b"), third);
        assert_busy(&third);
        assert_eq!([first.status, second.status, ready.status], [201, 201, 200]);
        assert_eq!(publish("c").await.status, 201);
    });
}

/// The answers to requests that are sent at once over one connection.
async fn burst(app: &TestApp, token: &str, count: usize) -> Vec<Answer> {
    let one = Raw::get("/api/v4/widgets").token(token);
    let mut bytes = one.clone().without("connection").bytes().repeat(count - 1);
    bytes.extend(one.bytes());
    let all = app.converse(&bytes, false).await;
    let (mut answers, mut rest) = (Vec::new(), all.as_slice());
    while let Some((answer, after)) = parse_one(rest) {
        answers.push(answer);
        rest = after;
    }
    assert_eq!((answers.len(), rest.len()), (count, 0));
    answers
}

/// Fifty requests would need nine seconds at this rate, and they come at once.
#[test]
fn rate() {
    test_with(Setup::default().set("rate", 5), async |app| {
        let token = |claims: Claims| claims.sign(&app.key, app.now());
        let answers = burst(app, &token(Claims::user(1, 8)), 50).await;
        assert!(answers[..5].iter().all(|answer| answer.status == 200), "the burst is free");
        let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert!(!refused.is_empty(), "none of {} was refused", answers.len());
        for answer in refused {
            assert_eq!(answer.problem(429), "Too many requests; wait and try again");
            assert_eq!((answer.header("retry-after"), &answer.json()["retry_after"]), ("1", &json!(1)));
        }
        // Neither another account nor another integration pays for it.
        let client = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
        for claims in [Claims::user(2, 8), Claims::user(1, 8).client(client)] {
            assert_eq!(burst(app, &token(claims), 5).await.last().unwrap().status, 200);
        }
    });
}

/// The rate is looked at after the token and before the role.
#[test]
fn rate_in_the_order_of_checks() {
    test_with(Setup::default().set("rate", 1), async |app| {
        for _ in 0..10 {
            app.with_token(None).get("/api/v4/widgets").await.problem(401);
        }
        let user = Claims::user(1, 8).sign(&app.key, app.now());
        let answers = burst(app, &user, 50).await;
        assert_eq!(answers[0].status, 200, "refused tokens do not count");
        assert!(answers.iter().any(|answer| answer.status == 429));
        // Health is not limited.
        for _ in 0..10 {
            assert_eq!(app.user().get("/registry/v1/health/live").await.status, 200);
        }
    });
}

#[test]
fn no_rate_by_default() {
    test_with(Setup::default(), async |app| {
        let user = Claims::user(1, 8).sign(&app.key, app.now());
        assert!(burst(app, &user, 100).await.iter().all(|answer| answer.status == 200));
    });
}
