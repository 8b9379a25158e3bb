//! Integrations: making, listing, changing, and their secrets.

use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;
use widget_registry::integrations::secrets as stored;

use crate::support::{Claims, Client, Sample, TestApp, test};

const PATH: &str = "/registry/v1/integrations";
const CLAIMED: Uuid = Uuid::from_u128(0x5555_5555_5555_4555_8555_5555_5555_5555);

fn publisher(app: &TestApp, account: i64, user: i64) -> Client {
    app.caller(Claims::admin(account, user).scopes(&["publish"]))
}

async fn create(client: &Client, body: &str) -> Value {
    let answer = client.post(PATH, body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn path_of(integration: &Value) -> String {
    format!("{PATH}/{}", integration["client_uuid"].as_str().unwrap())
}

/// What signs now, and what else is valid.
async fn secrets(app: &TestApp, client: &str) -> Option<(String, Option<String>)> {
    let client = client.parse().unwrap();
    let text = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    let valid = stored::valid(&app.service, &app.sealing, client).await.unwrap();
    let signing = stored::signing(&app.service, &app.sealing, client).await.unwrap();
    assert_eq!(signing.as_ref().map(text), valid.as_ref().map(|valid| text(&valid.newest)));
    valid.map(|valid| (text(&valid.newest), valid.old.as_ref().map(text)))
}

#[test]
fn an_integration_is_made_shown_and_changed() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let body = r#"{"name":"Телефония","redirect_uri":"https://example.com/back?a=1","disable_hook":"http://localhost:9/off"}"#;
        let made = create(&owner, body).await;
        let secret = made["secret"].as_str().unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(secrets(app, made["client_uuid"].as_str().unwrap()).await, Some((secret.to_owned(), None)));

        let shown = owner.get(&path_of(&made)).await;
        assert!(!shown.text().contains(secret) && !shown.text().contains("\"secret\""), "{shown:?}");
        let mut expected = made.clone();
        expected.as_object_mut().unwrap().remove("secret");
        assert_eq!(shown.json(), expected);
        assert_eq!(expected["name"], "Телефония");
        assert_eq!(expected["redirect_uri"], "https://example.com/back?a=1");
        assert_eq!(expected["disable_hook"], "http://localhost:9/off");
        assert_eq!(expected["secret_made_at"], expected["created_at"]);
        assert_eq!(expected["old_secret_valid_until"], Value::Null);

        // What a change leaves out stays; null takes an address away.
        let changed = owner.patch(&path_of(&made), r#"{"redirect_uri":null,"name":"Other"}"#).await;
        expected["redirect_uri"] = Value::Null;
        expected["name"] = "Other".into();
        assert_eq!((changed.status, changed.json()), (200, expected.clone()));
        let changed =
            owner.patch(&path_of(&made), r#"{"redirect_uri":"https://a.example/","disable_hook":null}"#).await;
        expected["redirect_uri"] = "https://a.example/".into();
        expected["disable_hook"] = Value::Null;
        assert_eq!(changed.json(), expected);
        assert_eq!(owner.patch(&path_of(&made), "{}").await.json(), expected);
        assert_eq!(owner.get(&path_of(&made)).await.json(), expected);
    });
}

#[test]
fn a_client_uuid_can_be_chosen_and_is_taken_then() {
    test(async |app| {
        let body = format!(r#"{{"name":"A","client_uuid":"{CLAIMED}"}}"#);
        let owner = publisher(app, 1, 7);
        assert_eq!(create(&owner, &body).await["client_uuid"], CLAIMED.to_string());
        assert_eq!(
            owner.post(PATH, &body).await.problem(409),
            format!("The integration {CLAIMED} is yours already; change it with PATCH, or give it a new secret")
        );
        for stranger in [publisher(app, 2, 7), publisher(app, 1, 8)] {
            assert_eq!(
                stranger.post(PATH, &body).await.problem(409),
                format!("The client_uuid {CLAIMED} is taken; choose another one, or leave it out")
            );
        }
        let before = secrets(app, &CLAIMED.to_string()).await;
        assert!(before.is_some());
        // Nobody else's widget can name it.
        let query = format!("/registry/v1/widgets?code=foreign&client_uuid={CLAIMED}");
        let refused = publisher(app, 2, 7).post_bytes(&query, "application/zip", Sample::plain("x").zip()).await;
        assert_eq!(refused.problem(409), format!("the integration {CLAIMED} belongs to another publisher"));
        let query = format!("/registry/v1/widgets?code=own&client_uuid={CLAIMED}");
        assert_eq!(owner.post_bytes(&query, "application/zip", Sample::plain("x").zip()).await.status, 201);
        assert_eq!(secrets(app, &CLAIMED.to_string()).await, before);
    });
}

#[test]
fn what_publishing_claimed_is_there_without_name_and_secret() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let query = format!("/registry/v1/widgets?code=own&client_uuid={CLAIMED}");
        assert_eq!(owner.post_bytes(&query, "application/zip", Sample::plain("x").zip()).await.status, 201);
        let listed = owner.get(PATH).await.json();
        let claimed = &listed["integrations"][0];
        assert_eq!(claimed["client_uuid"], CLAIMED.to_string());
        assert_eq!((&claimed["name"], &claimed["secret_made_at"]), (&Value::Null, &Value::Null));
        assert_eq!(secrets(app, &CLAIMED.to_string()).await, None);
        // It is given a name and a secret like any other; there is no old secret to keep.
        assert_eq!(owner.patch(&path_of(claimed), r#"{"name":"Named"}"#).await.json()["name"], "Named");
        let rotated = owner.post(&format!("{}/secrets", path_of(claimed)), "").await;
        assert_eq!((rotated.status, &rotated.json()["old_secret_valid_until"]), (201, &Value::Null), "{rotated:?}");
        let secret = rotated.json()["secret"].as_str().unwrap().to_owned();
        assert_eq!(secrets(app, &CLAIMED.to_string()).await, Some((secret, None)));
    });
}

#[test]
fn two_secrets_are_valid_for_a_while_and_never_three() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let made = create(&owner, r#"{"name":"A"}"#).await;
        let (client, path) = (made["client_uuid"].as_str().unwrap(), format!("{}/secrets", path_of(&made)));
        let rotate = async |body: &str| {
            let answer = owner.post(&path, body).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.json()
        };
        let text = |body: &Value| body["secret"].as_str().unwrap().to_owned();
        let (first, second) = (text(&made), rotate("").await);
        assert_eq!(secrets(app, client).await, Some((text(&second), Some(first.clone()))));
        let seconds: i64 = sqlx::query_scalar(
            "SELECT extract(epoch FROM old_secret_until - secret_made_at)::bigint FROM integrations",
        )
        .fetch_one(&app.pool)
        .await
        .unwrap();
        assert_eq!(seconds, 86_400);
        assert_eq!(owner.get(&path_of(&made)).await.json()["old_secret_valid_until"], second["old_secret_valid_until"]);
        assert!(second["old_secret_valid_until"].is_string());
        let third = rotate(r#"{"keep_old_seconds":2592000}"#).await;
        assert_eq!(secrets(app, client).await, Some((text(&third), Some(text(&second)))));
        // When its time is over it is valid no more, and not shown.
        sqlx::query("UPDATE integrations SET old_secret_until = now()").execute(&app.pool).await.unwrap();
        assert_eq!(secrets(app, client).await, Some((text(&third), None)));
        assert_eq!(owner.get(&path_of(&made)).await.json()["old_secret_valid_until"], Value::Null);
        let fourth = rotate(r#"{"keep_old_seconds":0}"#).await;
        assert_eq!(fourth["old_secret_valid_until"], Value::Null);
        assert_eq!(secrets(app, client).await, Some((text(&fourth), None)));
    });
}

#[test]
fn rotations_at_once_leave_two_that_were_answered() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let made = create(&owner, r#"{"name":"A"}"#).await;
        let path = format!("{}/secrets", path_of(&made));
        let answers = join_all((0..10).map(|_| owner.post(&path, "{}"))).await;
        let answered: Vec<String> =
            answers.iter().map(|answer| answer.json()["secret"].as_str().unwrap().to_owned()).collect();
        let (newest, old) = secrets(app, made["client_uuid"].as_str().unwrap()).await.unwrap();
        let old = old.unwrap();
        assert!(answered.contains(&newest) && answered.contains(&old) && newest != old);
    });
}

#[test]
fn nobody_else_sees_or_touches_it() {
    test(async |app| {
        let made = create(&publisher(app, 1, 7), r#"{"name":"A"}"#).await;
        let (path, before) = (path_of(&made), app.contents().await);
        for stranger in [publisher(app, 1, 8), publisher(app, 2, 7)] {
            assert_eq!(stranger.get(PATH).await.json()["integrations"], Value::Array(Vec::new()));
            let not_found = "Integration isn't found";
            assert_eq!(stranger.get(&path).await.problem(404), not_found);
            assert_eq!(stranger.patch(&path, r#"{"name":"B"}"#).await.problem(404), not_found);
            assert_eq!(stranger.patch(&path, r#"{"name":1}"#).await.problem(404), not_found);
            assert_eq!(stranger.post(&format!("{path}/secrets"), "").await.problem(404), not_found);
            assert_eq!(stranger.post(&format!("{path}/secrets"), "[]").await.problem(404), not_found);
            assert_eq!(stranger.get(&format!("{PATH}/nonsense")).await.problem(404), not_found);
        }
        assert_eq!(app.contents().await, before);
    });
}

#[test]
fn a_list_is_read_page_by_page() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let mut made = Vec::new();
        for number in 0..7 {
            made.push(create(&owner, &format!(r#"{{"name":"{number}"}}"#)).await["client_uuid"].clone());
        }
        // Some were made in the same instant.
        sqlx::query("UPDATE integrations SET created_at = date_trunc('day', created_at) WHERE name IN ('2', '3', '4')")
            .execute(&app.pool)
            .await
            .unwrap();
        create(&publisher(app, 1, 8), r#"{"name":"of another user"}"#).await;
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = owner.get(&format!("{PATH}?limit=2{after}")).await.json();
            let integrations = page["integrations"].as_array().unwrap();
            seen.extend(integrations.iter().map(|one| one["client_uuid"].clone()));
            assert!(integrations.len() <= 2);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let all = owner.get(PATH).await.json();
        let listed: Vec<Value> =
            all["integrations"].as_array().unwrap().iter().map(|one| one["client_uuid"].clone()).collect();
        assert_eq!((seen.len(), &all["next"]), (7, &Value::Null));
        assert_eq!(seen, listed);
        // The latest made first.
        assert_eq!(seen.first(), made.last());
        let mut sorted = (seen.clone(), made.clone());
        sorted.0.sort_by_key(Value::to_string);
        sorted.1.sort_by_key(Value::to_string);
        assert_eq!(sorted.0, sorted.1);
        assert_eq!(owner.get(&format!("{PATH}?limit=1000")).await.json()["integrations"].as_array().unwrap().len(), 7);
        for wrong in ["after=1", "after=", "limit=0", "limit=x", "limit=1&limit=1"] {
            owner.get(&format!("{PATH}?{wrong}")).await.problem(400);
        }
    });
}

#[test]
fn what_is_wrong_with_a_body_is_told_at_once() {
    test(async |app| {
        let owner = publisher(app, 1, 7);
        let made = create(&owner, r#"{"name":"A"}"#).await;
        let (path, before) = (path_of(&made), app.contents().await);
        let long = |length: usize| "a".repeat(length);
        for (body, errors) in [
            ("", &["InvalidType "][..]),
            ("[]", &["InvalidType "]),
            ("{}", &["FieldMissing name"]),
            (r#"{"name":null}"#, &["InvalidType name"]),
            (r#"{"name":" "}"#, &["NotBlank name"]),
            (&format!(r#"{{"name":"{}"}}"#, long(256)), &["TooLong name"]),
            (
                r#"{"redirect_uri":"http://example.com","disable_hook":5,"client_uuid":"1","secret":"x"}"#,
                &[
                    "FieldMissing name",
                    "InvalidUrl redirect_uri",
                    "InvalidType disable_hook",
                    "InvalidUuid client_uuid",
                    "NotExpected secret",
                ],
            ),
            (
                &format!(r#"{{"name":"a","redirect_uri":"https://example.com/{}"}}"#, long(2_029)),
                &["TooLong redirect_uri"],
            ),
        ] {
            assert_eq!(owner.post(PATH, body).await.violations(), errors, "{body}");
        }
        for (body, errors) in [
            ("", &["InvalidType "][..]),
            (r#"{"name":null}"#, &["InvalidType name"]),
            (r#"{"client_uuid":"1","redirect_uri":""}"#, &["NotBlank redirect_uri", "NotExpected client_uuid"]),
        ] {
            assert_eq!(owner.patch(&path, body).await.violations(), errors, "{body}");
        }
        for (body, errors) in [
            ("[]", &["InvalidType "][..]),
            (r#"{"keep_old_seconds":-1}"#, &["OutOfRange keep_old_seconds"]),
            (r#"{"keep_old_seconds":2592001}"#, &["OutOfRange keep_old_seconds"]),
            (r#"{"keep_old_seconds":1.5}"#, &["InvalidType keep_old_seconds"]),
            (r#"{"keep":1}"#, &["NotExpected keep"]),
        ] {
            assert_eq!(owner.post(&format!("{path}/secrets"), body).await.violations(), errors, "{body}");
        }
        assert_eq!(app.contents().await, before);
        // The longest that may be.
        let longest =
            format!(r#"{{"name":"{}","redirect_uri":"https://example.com/{}"}}"#, "я".repeat(255), long(2_028));
        create(&owner, &longest).await;
    });
}
