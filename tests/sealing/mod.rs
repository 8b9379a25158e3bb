//! What is secret stands sealed in the database: it opens where it was sealed, with the keys that are there, and nowhere else.

mod command;
mod legacy;
mod places;
mod rotation;
mod start;
mod swap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, TestApp, secret};

/// The integration whose tokens see the settings of the samples.
const CLIENT: Uuid = Uuid::from_u128(0x7777_7777_7777_4777_8777_7777_7777_7777);

/// A widget with every kind of setting, two of them secret.
fn sample(code: &str) -> Sample {
    let settings = [
        ("name", "Name", "text", true),
        ("password", "Password", "pass", true),
        ("pin", "PIN", "pass", false),
        ("logins", "Logins", "users_lp", false),
        ("more", "More", "custom", false),
    ];
    Sample::new(code, "1.0.0", &settings)
}

/// Publishes a sample whose settings the tokens of [`CLIENT`] see.
async fn publish(app: &TestApp, code: &str) {
    let path = format!("/registry/v1/widgets?code={code}&visibility=public&client_uuid={CLIENT}");
    let answer = app.admin().post_bytes(&path, "application/zip", sample(code).zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

fn admin(app: &TestApp, account: i64) -> Client {
    app.caller(Claims::admin(account, 7).client(CLIENT).scopes(&["publish", "bots"]))
}

/// Settings whose secrets all hold this word, in bytes that no serialiser would choose.
fn settings(word: &str) -> String {
    let word = secret(word);
    format!(
        r#"{{"name":"open","password":"pa\u0073s-{word}","pin":"pin-{word}","logins":{{"7":{{"login":"log-{word}","password":"\/{word}"}}}},"more":{{"a":1e2,"b":"\"\\u0000"}}}}"#
    )
}

async fn install(client: &Client, code: &str, word: &str) -> Answer {
    client.post(&format!("/api/v4/widgets/{code}"), &settings(word)).await
}

/// The bytes of the member `settings` of an answer.
fn shown(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let (_, rest) = answer.text().split_once(r#""settings":{"#).unwrap_or_else(|| panic!("{answer:?}"));
    format!("{{{}", rest.split_once(r#","_links""#).unwrap().0)
}

async fn read(client: &Client, code: &str) -> String {
    shown(&client.get(&format!("/api/v4/widgets/{code}")).await)
}

/// Makes an integration with two secrets; its id and both.
async fn integration(client: &Client) -> (Uuid, String, String) {
    let made = client.post("/registry/v1/integrations", r#"{"name":"A"}"#).await.json();
    let id: Uuid = made["client_uuid"].as_str().unwrap().parse().unwrap();
    let rotated = client.post(&format!("/registry/v1/integrations/{id}/secrets"), "").await.json();
    let text = |body: &Value| body["secret"].as_str().unwrap().to_owned();
    (id, text(&rotated), text(&made))
}

/// Gives an account two webhook secrets; both, the present one first.
async fn webhook_secrets(client: &Client) -> [String; 2] {
    let make = async || {
        let answer = client.post("/registry/v1/webhook-secret", "").await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["secret"].as_str().unwrap().to_owned()
    };
    let first = make().await;
    [make().await, first]
}

/// What signs an account's events, as its owner got it.
async fn signing(app: &TestApp, account: i64) -> [Option<String>; 2] {
    use secrecy::ExposeSecret as _;
    use widget_registry::auth::AccountId;
    use widget_registry::delivery::secret::sealed::in_force;
    let secrets = in_force(&app.service, &app.sealing, AccountId::new(account).unwrap()).await.unwrap().unwrap();
    let text = |secret: &widget_registry::delivery::secret::WebhookSecret| secret.text().expose_secret().to_owned();
    [Some(text(&secrets.present)), secrets.previous.as_ref().map(text)]
}

/// The newest and the old secret of an integration.
async fn secrets(app: &TestApp, client: Uuid) -> (String, Option<String>) {
    use secrecy::ExposeSecret as _;
    let valid = widget_registry::integrations::secrets::valid(&app.service, &app.sealing, client).await;
    let valid = valid.unwrap_or_else(|error| panic!("{error}")).unwrap();
    let text = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    (text(&valid.newest), valid.old.as_ref().map(text))
}

/// Every row of every table as text, with bytes as hexadecimal digits.
async fn everything(app: &TestApp) -> String {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .fetch_all(&app.pool)
            .await
            .unwrap();
    let mut text = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" t")))
            .fetch_all(&app.pool)
            .await
            .unwrap();
        text.extend(rows);
    }
    text
}

/// Bytes as `bytea` columns show them.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A whsec_ text as `bytea` columns show its bytes.
fn hex_of_webhook(text: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim_start_matches("whsec_")).unwrap();
    hex(&bytes)
}

#[test]
fn nothing_secret_stands_in_any_column() {
    crate::support::test(async |app| {
        publish(app, "one").await;
        let admin = admin(app, 1);
        let answer = install(&admin, "one", "marker").await;
        assert_eq!(shown(&answer), settings("marker"));
        assert_eq!(read(&admin, "one").await, settings("marker"));
        let (client, newest, old) = integration(&admin).await;
        let webhooks = webhook_secrets(&admin).await;
        assert_eq!(secrets(app, client).await, (newest.clone(), Some(old.clone())));
        assert_eq!(signing(app, 1).await, webhooks.clone().map(Some));
        let everything = everything(app).await;
        // What is open is found, so the search finds something.
        assert!(everything.contains("open") && everything.contains(&client.to_string()));
        assert!(!everything.contains("marker"), "{everything}");
        for secret in [newest, old] {
            assert!(!everything.contains(&secret) && !everything.contains(&hex(secret.as_bytes())));
        }
        for secret in webhooks {
            assert!(!everything.contains(&hex_of_webhook(&secret)));
        }
    });
}

#[test]
fn what_a_client_sends_is_never_taken_for_sealed() {
    crate::support::test(async |app| {
        publish(app, "one").await;
        let admin = admin(app, 1);
        assert_eq!(install(&admin, "one", "marker").await.status, 200);
        let stored: String =
            sqlx::query_scalar("SELECT settings::text FROM installs").fetch_one(&app.pool).await.unwrap();
        let sealed: Value = serde_json::from_str(&stored).unwrap();
        // The very text that stands in the database cannot be sent.
        let text = sealed["password"].as_str().unwrap();
        let body = json!({"name": text, "password": "p"}).to_string();
        assert!(admin.post("/api/v4/widgets/one", &body).await.problem(400).contains("U+0000"));
        let custom = json!({"name": "n", "password": "p", "more": text}).to_string();
        assert!(admin.post("/api/v4/widgets/one", &custom).await.problem(400).contains("U+0000"));
        // Without its mark it is a text as any other.
        let plain = json!({"name": text.trim_start_matches('\0'), "password": "p", "more": [text.get(1..)]});
        assert_eq!(admin.post("/api/v4/widgets/one", &plain.to_string()).await.status, 200);
        assert_eq!(serde_json::from_str::<Value>(&read(&admin, "one").await).unwrap(), plain);
    });
}

#[test]
fn many_first_users_of_an_account_get_one_key() {
    crate::support::test_two(async |first, second| {
        publish(first, "one").await;
        let all: Vec<_> = (0..24).map(|at| admin(if at % 2 == 0 { first } else { second }, 5)).collect();
        let word = |at: usize| format!("word{at}");
        let install = async |at: usize| install(&all[at], "one", &word(at)).await;
        let answers = futures_util::future::join_all((0..24).map(install)).await;
        for (at, answer) in answers.iter().enumerate() {
            assert_eq!(shown(answer), settings(&word(at)));
        }
        let read = read(&all[1], "one").await;
        assert!((0..24).any(|at| read == settings(&word(at))), "{read}");
        let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM data_keys").fetch_one(&first.pool).await.unwrap();
        assert_eq!(keys, 1);
    });
}
