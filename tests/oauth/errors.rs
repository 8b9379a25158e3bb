//! What is not given, and how that is told: to the clients of the real service by `hint`, `title` and `detail`, to others by `error`.

use serde_json::{Value, json};

use super::{Integration, PATH, ask};
use crate::support::{Answer, Raw, Setup, TestApp, test, test_with};

/// A name and its value.
type Pair<'a> = (&'a str, &'a str);

fn told(answer: &Answer) -> (u16, String, Value) {
    answer.problem(answer.status);
    let body = answer.json();
    (answer.status, body["error"].as_str().unwrap_or_default().to_owned(), body["hint"].clone())
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (id, secret) = (integration.client.as_str(), integration.secret.as_str());
        let check = |name: &str| json!(format!("Check the `{name}` parameter"));
        let grants = json!("`grant_type` must be client_credentials or refresh_token");
        let rows: [(Vec<Pair<'_>>, &str, Value); 9] = [
            (vec![], "invalid_request", check("grant_type")),
            (vec![("grant_type", "")], "invalid_request", check("grant_type")),
            (vec![("grant_type", "authorization_code"), ("code", "x")], "unsupported_grant_type", grants.clone()),
            (vec![("grant_type", "password")], "unsupported_grant_type", grants.clone()),
            (vec![("grant_type", "Refresh_Token")], "unsupported_grant_type", grants),
            (vec![("grant_type", "refresh_token")], "invalid_request", check("refresh_token")),
            (vec![("grant_type", "client_credentials")], "invalid_request", check("client_id")),
            (vec![("grant_type", "client_credentials"), ("client_id", id)], "invalid_request", check("client_secret")),
            (
                vec![
                    ("grant_type", "client_credentials"),
                    ("client_id", id),
                    ("client_secret", secret),
                    ("account_id", "0"),
                ],
                "invalid_request",
                check("account_id"),
            ),
        ];
        for (pairs, error, hint) in rows {
            let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let answer = ask(app, form).await;
            assert_eq!(told(&answer), (400, error.to_owned(), hint), "{pairs:?}");
            let object: serde_json::Map<String, Value> =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            let same = app.with_token(None).post(PATH, &Value::from(object).to_string()).await;
            assert_eq!(same.body, answer.body, "{pairs:?}");
        }
    });
}

#[test]
fn bodies_that_are_none() {
    test(async |app| {
        let form = "application/x-www-form-urlencoded";
        let rows: Vec<(&str, Vec<u8>, u16)> = vec![
            ("text/plain", b"grant_type=refresh_token".to_vec(), 415),
            ("multipart/form-data; boundary=x", b"--x--".to_vec(), 415),
            ("application/json", b"[]".to_vec(), 400),
            ("application/json", b"{".to_vec(), 400),
            ("application/json", b"{\"grant_type\":[\"refresh_token\"]}".to_vec(), 400),
            ("application/json", b"{\"grant_type\":\"a\",\"grant_type\":\"b\"}".to_vec(), 400),
            ("application/json", "[".repeat(100).into_bytes(), 400),
            (form, b"grant_type=refresh_token&grant_type=refresh_token".to_vec(), 400),
            (form, b"%ff%fe=%00&&&==".to_vec(), 400),
            (form, vec![0xff; 100], 400),
            (form, vec![b'a'; 16 * 1024], 400),
            (form, vec![b'a'; 16 * 1024 + 1], 413),
            ("application/json", vec![b' '; 16 * 1024 + 1], 413),
        ];
        for (kind, body, status) in rows {
            let answer = app.with_token(None).post_bytes(PATH, kind, body.clone()).await;
            answer.problem(status);
            // RFC 6749, 5.2
            let error = answer.json()["error"].clone();
            assert_eq!(error, if status == 400 { json!("invalid_request") } else { Value::Null }, "{answer:?}");
        }
        let packed = Raw::new("POST", PATH).header("Content-Encoding", "gzip").header("Content-Type", form).body("x");
        app.ask(&packed).await.problem(415);
    });
}

/// Which of them is wrong is not told: an integration that does not exist, one without a secret, another secret.
#[test]
fn a_wrong_secret_is_no_oracle() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let claimed = "55555555-5555-4555-8555-555555555555";
        let sample = crate::support::Sample::plain("claimed");
        let query = format!("/registry/v1/widgets?code=claimed&client_uuid={claimed}");
        assert_eq!(super::owner(app).post_bytes(&query, "application/zip", sample.zip()).await.status, 201);
        let other = Integration::make(app).await;
        let mut longer = integration.secret.clone();
        longer.push('x');
        let mut bodies = Vec::new();
        for (client, secret) in [
            (integration.client.as_str(), other.secret.as_str()),
            (&integration.client, &longer),
            (&integration.client, integration.secret.split_at(1).1),
            (&integration.client, &integration.secret.to_lowercase()),
            (claimed, "x"),
            ("11111111-1111-4111-8111-111111111111", &integration.secret),
            ("00000000-0000-0000-0000-000000000000", "x"),
            ("not an id", &integration.secret),
            (&other.client, &integration.secret),
        ] {
            let wrong = Integration { client: client.to_owned(), secret: secret.to_owned() };
            for further in [
                &[("grant_type", "client_credentials")][..],
                &[("grant_type", "refresh_token"), ("refresh_token", "x")],
            ] {
                let answer = wrong.ask(app, further).await;
                assert_eq!(told(&answer), (401, "invalid_client".to_owned(), Value::Null), "{client} {secret}");
                assert_eq!(answer.header("www-authenticate"), "Basic realm=\"widget-registry\"");
                bodies.push(answer.body);
            }
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1);
    });
}

/// Of ids that exist and of those that do not, and nobody else's right secret is held back by it.
#[test]
fn wrong_secrets_are_limited_and_lock_nobody_out() {
    test(async |app| {
        let (integration, other) = (Integration::make(app).await, Integration::make(app).await);
        let (_, refresh) = integration.tokens(app, None).await;
        for client in [integration.client.as_str(), "11111111-1111-4111-8111-111111111111"] {
            let wrong = Integration { client: client.to_owned(), secret: "x".to_owned() };
            let mut refused = 0;
            let limited = loop {
                let answer = wrong.ask(app, &[("grant_type", "client_credentials")]).await;
                if answer.status == 429 {
                    break answer;
                }
                assert_eq!(answer.problem(401), "Client authentication failed");
                refused += 1;
                assert!(refused < 1_000, "{refused} wrong secrets were answered");
            };
            assert!(refused >= 20, "{refused}");
            assert_eq!(limited.problem(429), "Too many requests; wait and try again");
            let wait: u64 = limited.header("retry-after").parse().unwrap();
            assert!((1..=3).contains(&wait), "{wait}");
        }
        integration.tokens(app, None).await;
        other.tokens(app, None).await;
        super::given(&integration.refresh(app, &refresh).await);
    });
}

/// RFC 6749, 2.3.1.
#[test]
fn a_client_may_show_itself_by_basic() {
    test(async |app| {
        let integration = Integration::make(app).await;
        let (id, secret) = (integration.client.as_str(), integration.secret.as_str());
        let of = |id: &str, secret: &str| {
            let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{id}:{secret}"));
            format!("Basic {text}")
        };
        let ask = async |authorization: &str, pairs: &[Pair<'_>]| {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("grant_type", "client_credentials")
                .extend_pairs(pairs)
                .finish();
            let form_type = "application/x-www-form-urlencoded";
            let request =
                Raw::new("POST", PATH).header("Content-Type", form_type).header("Authorization", authorization);
            app.ask(&request.body(form)).await
        };
        let basic = of(id, secret);
        assert_eq!(ask(&basic, &[]).await.status, 200);
        assert_eq!(ask(&basic, &[("client_id", id), ("client_secret", "")]).await.status, 200);
        for wrong in [&of(id, "x"), &of("x", secret), &of(id, ""), "Basic", "Basic x", "Basic !"] {
            let answer = ask(wrong, &[]).await;
            if wrong == "Basic" {
                // No scheme and no value: as if it were not there.
                assert_eq!(told(&answer).1, "invalid_request");
                continue;
            }
            assert_eq!(told(&answer), (401, "invalid_client".to_owned(), Value::Null), "{wrong}");
            assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
        }
        for (name, value) in [("client_secret", secret), ("client_id", "x")] {
            let twice = ask(&basic, &[(name, value)]).await;
            assert_eq!(
                told(&twice),
                (400, "invalid_request".to_owned(), json!(format!("Check the `{name}` parameter")))
            );
        }
        // Clients that send the token that has expired mean nothing by it.
        let both = [("client_id", id), ("client_secret", secret)];
        assert_eq!(ask("Bearer a.b.c", &both).await.status, 200);
    });
}

#[test]
fn the_rate_counts_here_too() {
    test_with(Setup::default().set("rate", 1), async |app| {
        // Making it counts for its owner, who is another caller than the integration.
        let integration = Integration::make(app).await;
        let mut limited = 0;
        for _ in 0..5 {
            let answer = integration.ask(app, &[("grant_type", "client_credentials")]).await;
            assert!(matches!(answer.status, 200 | 429), "{answer:?}");
            limited += u8::from(answer.status == 429);
        }
        assert!(limited > 0);
    });
}

/// An integration's secret has no place in a page.
#[test]
fn no_page_may_call_it() {
    test_with(Setup::default().set("cors_origins", "https://front.test"), async |app: &TestApp| {
        let origin = |request: Raw| request.header("Origin", "https://front.test");
        let preflight = origin(Raw::new("OPTIONS", PATH)).header("Access-Control-Request-Method", "POST");
        let posted = origin(Raw::new("POST", PATH)).json("{}");
        for request in [preflight, posted] {
            let answer = app.ask(&request).await;
            assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")), "{answer:?}");
        }
        let other = origin(Raw::get("/.well-known/jwks.json"));
        assert_eq!(app.ask(&other).await.header("access-control-allow-origin"), "https://front.test");
    });
}
