//! Errors beside secrets: what is wrong is told, and what is secret is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::walk::Walk;
use super::world::Shows;
use crate::support::{Answer, Sample};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// Sends requests that are wrong and have a secret in them.
pub async fn provoke(walk: &Walk<'_>) {
    settings(walk).await;
    tokens(walk).await;
    oauth(walk).await;
    elsewhere(walk).await;
    forms(walk).await;
}

async fn refused(walk: &Walk<'_>, path: &str, kind: &str, body: impl Into<Vec<u8>>) {
    let body = body.into();
    let what = format!("{path} {}", body[..body.len().min(100)].escape_ascii());
    see(walk, &what, &walk.person.post_bytes(path, kind, body).await);
}

fn see(walk: &Walk<'_>, what: &str, answer: &Answer) {
    if !(400..500).contains(&answer.status) {
        walk.taken.borrow_mut().push(format!("{what}: {answer:?}"));
    }
    walk.world.see(None, answer, Shows::Nothing);
}

/// Bodies of installs.
async fn settings(walk: &Walk<'_>) {
    let word = || walk.world.secrets.word("secret in a wrong body");
    let long = format!("{}{}", word(), "x".repeat(5_000));
    let bodies = [
        format!(r#"{{"KEY":7,"password":"{}"}}"#, word()),
        format!(r#"{{"password":"{}"}}"#, word()),
        format!(r#"{{"KEY":"n","password":["{}"]}}"#, word()),
        format!(r#"{{"KEY":"n","password":{{"a":"{}"}}}}"#, word()),
        format!(r#"{{"KEY":"n","password":"{long}"}}"#),
        format!(r#"{{"KEY":"n","password":"\u0000{}"}}"#, word()),
        format!(r#"{{"KEY":"n","password":"x","logins":"{}"}}"#, word()),
        format!(r#"{{"KEY":"n","password":"x","logins":{{"7":"{}"}}}}"#, word()),
        format!(r#"{{"KEY":"n","password":"x","logins":{{"7":{{"login":"{}","password":7}}}}}}"#, word()),
        format!(r#"{{"KEY":"n","password":"x","logins":{{"7":{{"login":"l","password":"{}","x":1}}}}}}"#, word()),
        // JSON that is none.
        format!(r#"{{"KEY":"n","password":"{}"#, word()),
        format!(r#"{{"KEY":"n","password":"{}\q"}}"#, word()),
        format!(r#"{{"KEY":"n","password":{}}}"#, word()),
        format!("{{\"KEY\":\"n\",\"password\":\"{}\n\"}}", word()),
        format!(r#"{{"KEY":"n","password":"{}"}} more"#, word()),
        format!(r#"{{"KEY":"n","password":"{}","password":"{}"}}"#, word(), word()),
        format!(r#"{{"KEY":"n","password":{}"{}"{}}}"#, "[".repeat(40), word(), "]".repeat(40)),
        format!(r#"["{}"]"#, word()),
        format!(r#""{}""#, word()),
        format!(r#"{{"KEY":"n","password":"{}{}"}}"#, word(), "x".repeat(300_000)),
    ];
    for body in bodies {
        refused(walk, &walk.widget(), JSON, body.replace("KEY", &walk.world.name)).await;
    }
    let not_unicode = [br#"{"password":"\xff"#.as_slice(), b"\xff", word().as_bytes(), b"\"}"].concat();
    refused(walk, &walk.widget(), JSON, not_unicode).await;
    refused(walk, &walk.widget(), FORM, format!("name=n&password={}", word())).await;
    refused(walk, "/api/v4/widgets/there_is_none", JSON, walk.settings()).await;
    let unknown = format!("/api/v4/widgets/{}x", walk.code);
    refused(walk, &unknown, JSON, walk.settings()).await;
}

/// Tokens that are none, in every place where one may stand.
async fn tokens(walk: &Walk<'_>) {
    let word = || walk.world.secrets.word("token that is none");
    let basic = STANDARD.encode(format!("user:{}", word()));
    let headers = [
        ("authorization", format!("Bearer {}", word())),
        ("authorization", format!("Bearer eyJhbGciOiJFZERTQSJ9.e30.{}", word())),
        ("authorization", format!("Bearer {}{}", word(), "x".repeat(9_000))),
        ("authorization", format!("Basic {basic}")),
        ("authorization", format!("Token {}", word())),
        ("authorization", word()),
        ("x-auth-token", word()),
        ("cookie", format!("session={}", word())),
    ];
    for (name, value) in headers {
        let anybody = crate::support::Client::new(reqwest::Client::new(), walk.server.url.clone(), None);
        let answer = anybody.send(anybody.request("GET", "/api/v4/widgets").header(name, value)).await;
        see(walk, name, &answer);
    }
}

/// Requests for tokens.
async fn oauth(walk: &Walk<'_>) {
    let word = || walk.world.secrets.word("secret in a wrong request for a token");
    let secret = walk.secret.clone();
    let family = uuid::Uuid::new_v4().simple();
    let unknown = format!("refresh-{}-{family}-{}{}", walk.world.account, word(), word());
    for form in [
        vec![("grant_type", "client_credentials"), ("client_secret", &word())],
        vec![("grant_type", "password"), ("client_secret", &secret), ("password", &word())],
        vec![("grant_type", "authorization_code"), ("client_secret", &secret), ("code", &word())],
        vec![("grant_type", &word()), ("client_secret", &secret)],
        vec![("client_secret", &secret)],
        vec![("grant_type", "client_credentials"), ("client_secret", &secret), ("account_id", &word())],
        vec![("grant_type", "client_credentials"), ("client_secret", &secret), ("account_id", "12")],
        vec![("grant_type", "refresh_token"), ("client_secret", &secret), ("refresh_token", &word())],
        vec![("grant_type", "refresh_token"), ("client_secret", &secret), ("refresh_token", &unknown)],
        vec![("client_secret", &secret), ("client_secret", &word())],
    ] {
        see(walk, "oauth", &walk.oauth(&form).await);
    }
    let path = "/oauth2/access_token";
    for (kind, body) in [
        (JSON, format!(r#"{{"client_secret":"{secret}""#)),
        (JSON, format!(r#"{{"client_id":"{}","client_secret":["{secret}"]}}"#, walk.client)),
        (JSON, format!(r#"{{"client_id":"{secret}","grant_type":"client_credentials","client_secret":"x"}}"#)),
        (FORM, format!("client_secret={secret}&%zz=%ff")),
        ("text/plain", format!("client_secret={secret}")),
    ] {
        refused(walk, path, kind, body).await;
    }
}

/// Bodies of other routes.
async fn elsewhere(walk: &Walk<'_>) {
    let word = || walk.world.secrets.word("secret in another wrong body");
    for path in [
        "/registry/v1/integrations",
        "/registry/v1/webhook-secret",
        "/registry/v1/revocations",
        "/registry/v1/deliveries/lease",
        "/registry/v1/nothing/there",
    ] {
        refused(walk, path, JSON, format!(r#"{{"name":7,"keep_old_seconds":"{}","max":"x","secret":"#, word())).await;
        refused(walk, path, JSON, format!(r#"{{"name":["{}"],"keep_old_seconds":"{}","max":"x"}}"#, word(), word()))
            .await;
    }
}

/// Forms with parts. One is taken: its archive's manifest has a secret key, which is blanked. The name of an unknown field and what stands for
/// `visibility` are quoted to who sent them, and are no places for a secret, so there is none.
async fn forms(walk: &Walk<'_>) {
    let word = || walk.world.secrets.word("secret in a form");
    let part = |head: &str, content: &[u8]| {
        let head = format!("--border\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let kind = "multipart/form-data; boundary=border";
    let mut sample = Sample::plain(&format!("{}_form", walk.code));
    sample.manifest["widget"]["secret_key"] = word().into();
    let archive = part(r#"name="archive"; filename="widget.zip""#, &sample.zip());
    let code = part(r#"name="code""#, sample.code.as_bytes());
    let end = b"--border--\r\n".to_vec();
    let path = "/registry/v1/widgets";
    let taken = walk.person.post_bytes(path, kind, [code.clone(), archive.clone(), end.clone()].concat()).await;
    assert!(matches!(taken.status, 200 | 201), "{taken:?}");
    walk.world.see(None, &taken, Shows::Nothing);
    let none = format!(r#"name="archive"; filename="{}.zip""#, word());
    for body in [
        [part(r#"name="password""#, word().as_bytes()), code.clone(), archive.clone(), end.clone()].concat(),
        [part(r#"name="code""#, format!("?{}", word()).as_bytes()), archive.clone(), end.clone()].concat(),
        [part(r#"name="client_uuid""#, format!("no-{}", word()).as_bytes()), code.clone(), archive.clone()].concat(),
        [code.clone(), part(&none, word().as_bytes()), end.clone()].concat(),
        [part(r#"name="password""#, word().as_bytes()), code.clone()].concat(),
        [b"--border\r\nX-Token: ".as_slice(), word().as_bytes(), b"\r\n\r\n1\r\n", &end].concat(),
        word().into_bytes(),
    ] {
        refused(walk, path, kind, body).await;
    }
    let settings = [part(r#"name="password""#, word().as_bytes()), end].concat();
    refused(walk, &walk.widget(), kind, settings).await;
    refused(walk, path, &format!("multipart/form-data; boundary={}", word()), archive).await;
}
