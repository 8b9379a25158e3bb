//! Taking tokens back: which, whose, how soon, and for how long.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;
use widget_registry::auth::MOST_LIFETIME;
use widget_registry::revocations::{self, MOST_OF_A_KIND};
use widget_registry::sources::Clock;

use crate::support::{Claims, Client, TestApp, test, test_two};

const PATH: &str = "/registry/v1/revocations";
const CLIENT: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
const OTHER: Uuid = Uuid::from_u128(0x2222_2222_2222_4222_8222_2222_2222_2222);

fn admin(app: &TestApp, account: i64) -> Client {
    app.caller(Claims::admin(account, 99))
}

async fn revoke(client: &Client, body: &str) -> Value {
    let answer = client.post(PATH, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn works(client: &Client) -> bool {
    let answer = client.get("/api/v4/widgets").await;
    if answer.status == 401 {
        assert_eq!(answer.problem(401), "Invalid user name or password");
    } else {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    answer.status == 200
}

/// The `jti` of a token that the service's key has signed.
fn signed(app: &TestApp, claims: &Claims) -> (String, Client) {
    let token = claims.sign(&app.key, app.now());
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part).unwrap();
    let claims: Value = serde_json::from_slice(&bytes).unwrap();
    (claims["jti"].as_str().unwrap().to_owned(), app.with_token(Some(token)))
}

#[test]
fn one_token() {
    test(async |app| {
        let (jti, one) = signed(app, &Claims::user(1, 8));
        let (_, another) = signed(app, &Claims::user(1, 8));
        // The same id in another account is another token.
        revoke(&admin(app, 2), &json!({"jti": jti}).to_string()).await;
        assert!(works(&one).await);
        let revoked = revoke(&admin(app, 1), &json!({"jti": jti, "reason": "lost"}).to_string()).await;
        assert_eq!(
            (&revoked["jti"], &revoked["user_id"], &revoked["reason"]),
            (&json!(jti), &Value::Null, &json!("lost"))
        );
        assert!(!works(&one).await && works(&another).await);
    });
}

#[test]
fn all_of_a_user_until_now() {
    test(async |app| {
        let claims = Claims::user(1, 8);
        let before = [app.caller(claims.clone()), app.caller(claims.clone().client(CLIENT))];
        let others = [app.caller(Claims::user(1, 9)), app.caller(Claims::user(2, 8)), app.caller(Claims::admin(1, 7))];
        app.pass(1);
        revoke(&admin(app, 1), r#"{"user_id":8}"#).await;
        for client in &before {
            assert!(!works(client).await);
        }
        for client in &others {
            assert!(works(client).await);
        }
        // Whoever signs in anew is let in, and be it in the same second.
        let anew = app.caller(claims);
        assert!(works(&anew).await);
        // Once more, and these end, too.
        revoke(&admin(app, 1), r#"{"user_id":8}"#).await;
        assert!(!works(&anew).await);
    });
}

#[test]
fn all_of_an_integration_until_now() {
    test(async |app| {
        let before = [Claims::user(1, 8), Claims::admin(1, 9)].map(|claims| app.caller(claims.client(CLIENT)));
        let others = [Claims::user(1, 8), Claims::user(1, 8).client(OTHER), Claims::user(2, 8).client(CLIENT)];
        let others = others.map(|claims| app.caller(claims));
        revoke(&admin(app, 1), &json!({"client_uuid": CLIENT}).to_string()).await;
        for client in &before {
            assert!(!works(client).await);
        }
        for client in &others {
            assert!(works(client).await);
        }
        assert!(works(&app.caller(Claims::user(1, 8).client(CLIENT))).await);
    });
}

/// A token that does not say when it was issued may be as old as any.
#[test]
fn tokens_of_an_unknown_age() {
    test(async |app| {
        let signer = crate::tokens::Signer::of(app);
        let token = || signer.token(app).claim("sub", json!("8"));
        let silent = app.with_token(Some(token().claim("iat", Value::Null).sign()));
        let later = app.now().unix_timestamp() + 1;
        let just_before: f64 = format!("{}.5", app.now().unix_timestamp() - 1).parse().unwrap();
        let fraction = app.with_token(Some(token().claim("iat", json!(just_before)).sign()));
        assert!(works(&silent).await && works(&fraction).await);
        revoke(&admin(app, 1), r#"{"user_id":8}"#).await;
        assert!(!works(&silent).await && !works(&fraction).await);
        app.pass(1);
        assert!(!works(&silent).await);
        assert!(works(&app.with_token(Some(token().claim("iat", json!(later + 60)).sign()))).await);
    });
}

#[test]
fn operators_revoke_in_every_account() {
    test(async |app| {
        let operator = app.caller(Claims::user(1, 3).scopes(&["operator"]));
        let client = app.caller(Claims::user(2, 8));
        let body = r#"{"account_id":2,"user_id":8}"#;
        assert!(admin(app, 1).post(PATH, body).await.problem(403).contains("operator"));
        assert!(works(&client).await);
        let revoked = revoke(&operator, body).await;
        let by = ["account_id", "revoked_by_account_id", "revoked_by_user_id"].map(|name| revoked[name].clone());
        assert_eq!(by, [json!(2), json!(1), json!(3)]);
        assert!(!works(&client).await);
        for (client, query, count) in [(&operator, "?account_id=2", 1), (&operator, "", 0), (&admin(app, 2), "", 1)] {
            let list = client.get(&format!("{PATH}{query}")).await.json();
            assert_eq!(list["revocations"].as_array().unwrap().len(), count, "{query}");
        }
        admin(app, 1).get(&format!("{PATH}?account_id=2")).await.problem(403);
        // For one's own account no scope is needed, whether it is named or not.
        assert_eq!(admin(app, 2).get(&format!("{PATH}?account_id=2")).await.status, 200);
    });
}

#[test]
fn the_list_goes_on_where_a_page_ends() {
    test(async |app| {
        let admin = admin(app, 1);
        for user in 1..=7 {
            revoke(&admin, &json!({"user_id": user}).to_string()).await;
        }
        // Again: it is the latest now, and still one.
        revoke(&admin, r#"{"user_id":3}"#).await;
        let (mut users, mut query) = (Vec::new(), "?limit=3".to_owned());
        loop {
            let page = admin.get(&format!("{PATH}{query}")).await.json();
            users.extend(page["revocations"].as_array().unwrap().iter().map(|one| one["user_id"].as_i64().unwrap()));
            match page["next"].as_str() {
                Some(next) => query = format!("?limit=3&after={next}"),
                None => break,
            }
        }
        assert_eq!(users, [3, 7, 6, 5, 4, 2, 1]);
        for wrong in ["?after=x", "?after=-1", "?limit=0", "?account_id=x", "?account_id=0"] {
            admin.get(&format!("{PATH}{wrong}")).await.problem(400);
        }
    });
}

#[test]
fn bodies() {
    test(async |app| {
        let admin = admin(app, 1);
        for (body, violations) in [
            ("", vec!["InvalidType "]),
            ("{}", vec!["FieldMissing jti"]),
            (r#"{"jti":"a","user_id":1}"#, vec!["NotExpected jti"]),
            (r#"{"jti":" "}"#, vec!["NotBlank jti", "FieldMissing jti"]),
            (r#"{"user_id":0}"#, vec!["TooLow user_id", "FieldMissing jti"]),
            (r#"{"user_id":"1"}"#, vec!["InvalidType user_id", "FieldMissing jti"]),
            (r#"{"client_uuid":"x"}"#, vec!["InvalidUuid client_uuid", "FieldMissing jti"]),
            (r#"{"jti":"a","account_id":-1,"more":1}"#, vec!["TooLow account_id", "NotExpected more"]),
        ] {
            assert_eq!(admin.post(PATH, body).await.violations(), violations, "{body}");
        }
        let long = json!({"jti": "x".repeat(256)}).to_string();
        assert_eq!(admin.post(PATH, &long).await.violations(), ["TooLong jti", "FieldMissing jti"]);
    });
}

#[test]
fn in_force_on_every_server_within_five_seconds() {
    test_two(async |first, second| {
        // The second server takes the tokens of the first.
        let path = second.data_dir.path().join("keys/signing.pem");
        std::fs::copy(first.data_dir.path().join("keys/signing.pem"), path).unwrap();
        let token = Claims::user(1, 8).sign(&first.key, first.now());
        let on = |app: &TestApp| app.with_token(Some(token.clone()));
        assert!(works(&on(first)).await && works(&on(second)).await);
        revoke(&admin(first, 1), r#"{"user_id":8}"#).await;
        let revoked = Instant::now();
        assert!(!works(&on(first)).await);
        while works(&on(second)).await {
            assert!(revoked.elapsed() < Duration::from_secs(5));
        }
    });
}

#[test]
fn kept_until_the_last_token_has_expired() {
    test(async |app| {
        let revoked = revoke(&admin(app, 1), r#"{"user_id":8}"#).await;
        let time = |name: &str| {
            let text = revoked[name].as_str().unwrap();
            time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
        };
        assert!(time("kept_until") - time("issued_until") > MOST_LIFETIME + Duration::from_secs(30));
        let count = async || -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM revocations").fetch_one(&app.pool).await.unwrap()
        };
        let at = |time: time::OffsetDateTime| Clock::new(move || time);
        let before = at(time("kept_until") - Duration::from_secs(1));
        assert_eq!(revocations::remove_some(&app.service, &before, 100).await.unwrap(), 0);
        assert_eq!(count().await, 1);
        let after = at(time("kept_until"));
        assert_eq!(revocations::remove_some(&app.service, &after, 100).await.unwrap(), 1);
        assert_eq!(count().await, 0);
    });
}

#[test]
fn an_account_cannot_fill_the_memory_of_all() {
    test(async |app| {
        let fill = "INSERT INTO revocations (account_id, kind, subject, version, issued_until, kept_until, revoked_by_account_id, \
            revoked_by_user_id) SELECT 1, $2, (100000 + n)::text, 0, now(), now() + interval '1 day', 1, 1 FROM generate_series(1, $1) AS n";
        let (one, other) = (admin(app, 1), admin(app, 2));
        for (kind, known, next) in
            [("token", r#"{"jti":"100007"}"#, r#"{"jti":"x"}"#), ("user", r#"{"user_id":100009}"#, r#"{"user_id":99}"#)]
        {
            sqlx::query(fill).bind(MOST_OF_A_KIND).bind(kind).execute(&app.pool).await.unwrap();
            assert!(one.post(PATH, next).await.problem(409).contains("10000"));
            // One that is there already takes no more room.
            revoke(&one, known).await;
            revoke(&other, next).await;
        }
    });
}

/// More than are read at once, some with one number, and a database that was put back.
#[test]
fn every_revocation_is_learned() {
    test(async |app| {
        let fill = "INSERT INTO revocations (account_id, kind, subject, version, issued_until, kept_until, revoked_by_account_id, \
            revoked_by_user_id) SELECT 1, 'user', n::text, n, now() + interval '1 hour', now() + interval '1 day', 1, 1 \
            FROM generate_series(100, 1300) AS n";
        sqlx::query(fill).execute(&app.pool).await.unwrap();
        sqlx::query("UPDATE revocation_mark SET version = 1300").execute(&app.pool).await.unwrap();
        let last = app.caller(Claims::user(1, 1300));
        let since = Instant::now();
        while works(&last).await {
            assert!(since.elapsed() < Duration::from_secs(5));
        }
        for user in [100, 599, 600, 601, 1100] {
            assert!(!works(&app.caller(Claims::user(1, user))).await, "{user}");
        }
        assert!(works(&app.caller(Claims::user(1, 99))).await);
        sqlx::query("UPDATE revocation_mark SET version = 50").execute(&app.pool).await.unwrap();
        let put_back = "INSERT INTO revocations (account_id, kind, subject, version, issued_until, kept_until, revoked_by_account_id, \
            revoked_by_user_id) VALUES (1, 'user', '99', 50, now() + interval '1 hour', now() + interval '1 day', 1, 1)";
        sqlx::query(put_back).execute(&app.pool).await.unwrap();
        let since = Instant::now();
        while works(&app.caller(Claims::user(1, 99))).await {
            assert!(since.elapsed() < Duration::from_secs(5));
        }
    });
}

#[test]
fn how_new_what_is_known_is_told() {
    test(async |app| {
        let age = async || {
            let text = app.with_token(None).get("/metrics").await.text().to_owned();
            let line = text
                .lines()
                .find(|line| line.starts_with("widget_registry_revocations_age_seconds "))
                .unwrap()
                .to_owned();
            line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
        };
        assert!(age().await < 5.0);
        sqlx::query("ALTER TABLE revocation_mark RENAME TO hidden").execute(&app.pool).await.unwrap();
        let since = Instant::now();
        while age().await < 2.0 {
            assert!(since.elapsed() < Duration::from_secs(20));
        }
        sqlx::query("ALTER TABLE hidden RENAME TO revocation_mark").execute(&app.pool).await.unwrap();
        let since = Instant::now();
        while age().await >= 2.0 {
            assert!(since.elapsed() < Duration::from_secs(20));
        }
    });
}
