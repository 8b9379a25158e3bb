//! Key sets of others, fetched from an address.

use serde_json::{Value, json};
use widget_registry::auth::{Keyring, SigningKey};
use widget_registry::outgoing::Policy;
use widget_registry::sources::Clock;
use widget_registry::token_keys::Remote;

use super::issuer::Issuer;
use super::{Signer, jwks};
use crate::support::{Setup, TestApp, test_with};

fn from(url: &str) -> Setup {
    let setup = Setup { file: "[outgoing]\nloopback = true\n".to_owned(), ..Setup::default() };
    setup.set("verification_keys", format!("jwks={url}"))
}

async fn works(app: &TestApp, signer: &Signer) -> bool {
    let answer = app.with_token(Some(signer.token(app).sign())).get("/api/v4/widgets").await;
    assert!(matches!(answer.status, 200 | 401), "{answer:?}");
    answer.status == 200
}

/// Runs a test with somebody who serves keys. The server must be there before the service starts.
fn with_issuer(keys: &[&Signer], body: impl AsyncFnOnce(&TestApp, &Issuer)) {
    let set = jwks(keys);
    let (tell, told) = std::sync::mpsc::channel();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move { tell.send(Issuer::serving(set).await).unwrap() });
    let issuer = told.recv().unwrap();
    test_with(from(&issuer.url), async |app| body(app, &issuer).await);
}

#[test]
fn keys_are_there_from_the_first_request_on() {
    let (ed, es, rs) = (Signer::ed25519("ed"), Signer::es256("es"), Signer::rs256("rs"));
    with_issuer(&[&ed, &es, &rs], async |app, issuer| {
        for signer in [&ed, &es, &rs] {
            assert!(works(app, signer).await);
            // Without an id, every key is tried.
            let token = signer.token(app).header("kid", Value::Null).sign();
            assert_eq!(app.with_token(Some(token)).get("/api/v4/widgets").await.status, 200);
        }
        assert_eq!(issuer.asked(), 1);
    });
}

#[test]
fn an_unknown_key_has_them_fetched_once_a_minute() {
    let (old, new, third) = (Signer::ed25519("old"), Signer::ed25519("new"), Signer::ed25519("third"));
    with_issuer(&[&old], async |app, issuer| {
        issuer.serve(jwks(&[&old, &new]));
        // The token that asks waits for the answer and is taken, and so are those beside it.
        let all = futures_util::future::join_all((0..5).map(|_| works(app, &new))).await;
        assert_eq!((all, issuer.asked()), (vec![true; 5], 2));
        issuer.serve(jwks(&[&new, &third]));
        for _ in 0..5 {
            assert!(!works(app, &third).await);
        }
        // Nor does one that is malformed or has a known key and a wrong signature ask.
        let forged = new.token(app).header("kid", json!("old")).sign();
        app.with_token(Some(forged)).get("/api/v4/widgets").await.problem(401);
        assert_eq!(issuer.asked(), 2);
        assert!(works(app, &old).await && works(app, &new).await);
    });
}

#[test]
fn what_is_no_set_leaves_the_keys_as_they_are() {
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    with_issuer(&[&old], async |app, issuer| {
        issuer.answer("500 Internal Server Error", &jwks(&[&new]));
        assert!(!works(app, &new).await && works(app, &old).await);
        assert_eq!(issuer.asked(), 2);
    });
}

/// The service starts without them: its own key is there.
#[test]
fn a_set_that_does_not_come_keeps_nobody_from_starting() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    test_with(from(&format!("http://{closed}/keys.json")), async |app| {
        assert!(works(app, &Signer::of(app)).await);
        assert!(!works(app, &Signer::ed25519("theirs")).await);
    });
}

/// What somebody could change on the way would let everybody in.
#[test]
fn addresses_that_are_not_called() {
    let dir = tempfile::tempdir().unwrap();
    let open = Policy { http: true, loopback: true };
    let refused = |url: &str, policy: Policy| {
        let keyring = ring(dir.path(), url, Clock::system());
        Remote::new(keyring.into(), policy).err().map(|error| error.to_string())
    };
    assert_eq!(refused("https://crm.test/keys.json", Policy::default()), None);
    assert_eq!(refused("http://127.0.0.1:9/keys.json", open), None);
    for (url, policy) in [
        ("http://crm.test/keys.json", open),
        ("http://127.0.0.1:9/keys.json", Policy { http: true, loopback: false }),
        ("https://10.0.0.1/keys.json", open),
        ("https://169.254.169.254/keys.json", open),
        ("https://user:password@crm.test/keys.json", open),
    ] {
        let why = refused(url, policy).unwrap_or_else(|| panic!("{url} is called"));
        assert!(why.starts_with("verification_keys: the address "), "{why}");
    }
}

fn ring(dir: &std::path::Path, url: &str, clock: Clock) -> Keyring {
    let path = dir.join("signing.pem");
    SigningKey::load_or_create(&path).unwrap();
    let source = widget_registry::auth::KeySource::Url(url.to_owned());
    Keyring::open("widget-registry".to_owned(), path, vec![source], clock).unwrap()
}

const NOW: i64 = 1_800_000_000;
const URL: &str = "https://crm.test/keys.json";

/// A ring at a time that can be moved.
fn ring_at(dir: &std::path::Path) -> (Keyring, std::sync::Arc<std::sync::atomic::AtomicI64>) {
    let now = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let told = now.clone();
    let at = move || time::OffsetDateTime::from_unix_timestamp(told.load(std::sync::atomic::Ordering::SeqCst)).unwrap();
    (ring(dir, URL, Clock::new(at)), now)
}

fn takes(ring: &Keyring, signer: &Signer, now: i64) -> bool {
    let header = json!({"alg": signer.algorithm(), "kid": signer.kid});
    let claims = json!({"iss": "widget-registry", "sub": "7", "account_id": 1, "role": "user", "exp": now + 60});
    let token = super::Token { signer, header, claims }.sign();
    let clock = Clock::new(move || time::OffsetDateTime::from_unix_timestamp(now).unwrap());
    let revoked = widget_registry::auth::Revocations::default();
    widget_registry::auth::check(&token, &ring.keys().verifier, &revoked, &clock).is_ok()
}

#[test]
fn keys_that_are_not_fetched_again_count_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let (ring, now) = ring_at(dir.path());
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    ring.fetched(URL, jwks(&[&old]).as_bytes()).unwrap();
    assert!(takes(&ring, &old, NOW) && takes(&ring, &old, NOW + 86_399) && !takes(&ring, &old, NOW + 86_400));
    // Fetched again, they count for another day; those that are gone from the set count no more.
    now.store(NOW + 80_000, std::sync::atomic::Ordering::SeqCst);
    ring.fetched(URL, jwks(&[&old, &new]).as_bytes()).unwrap();
    assert!(takes(&ring, &old, NOW + 100_000));
    ring.fetched(URL, jwks(&[&new]).as_bytes()).unwrap();
    assert!(!takes(&ring, &old, NOW + 80_000) && takes(&ring, &new, NOW + 80_000));
    // Nonsense changes nothing.
    for text in ["", "{}", "{\"keys\":[]}", "[1", "\u{0}"] {
        assert!(ring.fetched(URL, text.as_bytes()).is_err(), "{text}");
    }
    assert!(takes(&ring, &new, NOW + 80_000));
}

/// A fetch that brings nothing new has no signature checked again.
#[test]
fn what_was_checked_is_remembered_as_long_as_the_keys_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (ring, now) = ring_at(dir.path());
    let (old, new) = (Signer::ed25519("old"), Signer::ed25519("new"));
    let set = jwks(&[&old]);
    ring.fetched(URL, set.as_bytes()).unwrap();
    let before = ring.keys();
    now.store(NOW + 600, std::sync::atomic::Ordering::SeqCst);
    ring.fetched(URL, set.as_bytes()).unwrap();
    let same = ring.keys();
    assert!(!std::sync::Arc::ptr_eq(&before, &same) && std::sync::Arc::ptr_eq(&before.checked, &same.checked));
    assert!(takes(&ring, &old, NOW + 86_400 + 599));
    ring.fetched(URL, jwks(&[&old, &new]).as_bytes()).unwrap();
    assert!(!std::sync::Arc::ptr_eq(&same.checked, &ring.keys().checked));
}

#[test]
fn fetched_keys_replace_none_of_ours_and_are_no_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (ring, _) = ring_at(dir.path());
    let own = ring.keys().signing.kid().to_owned();
    let (posing, secret) = (Signer::ed25519(&own), Signer::hs256("secret"));
    assert!(ring.fetched(URL, jwks(&[&secret]).as_bytes()).is_err());
    let short = json!({"keys": [{"kty": "RSA", "kid": "short", "alg": "RS256", "n": "AQAB", "e": "AQAB"}]});
    assert!(ring.fetched(URL, short.to_string().as_bytes()).is_err());
    ring.fetched(URL, jwks(&[&posing, &secret, &Signer::es256("es")]).as_bytes()).unwrap();
    assert!(!takes(&ring, &posing, NOW) && !takes(&ring, &secret, NOW));
    // Their number is bounded.
    let many: Vec<Signer> = (0..80).map(|number| Signer::ed25519(&format!("{number:02}"))).collect();
    ring.fetched(URL, jwks(&many.iter().collect::<Vec<_>>()).as_bytes()).unwrap();
    assert_eq!(many.iter().filter(|signer| takes(&ring, signer, NOW)).count(), 63);
}
