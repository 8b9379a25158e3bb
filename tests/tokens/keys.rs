//! Every kind of key that can be configured, each alone and all at once, and every lawful way to write a token.

use serde_json::json;

use super::{Signer, jwks};
use crate::support::{Setup, TestApp, test, test_with};

fn one_of_each(prefix: &str) -> [Signer; 4] {
    [
        Signer::hs256(&format!("{prefix}-hs")),
        Signer::rs256(&format!("{prefix}-rs")),
        Signer::es256(&format!("{prefix}-es")),
        Signer::ed25519(&format!("{prefix}-ed")),
    ]
}

async fn assert_accepted(app: &TestApp, name: &str, token: String) {
    let answer = app.with_token(Some(token)).get("/api/v4/widgets").await;
    assert_eq!(answer.status, 200, "{name}: {answer:?}");
}

/// With the key's id and without: then each key of the algorithm is tried.
async fn assert_signs(app: &TestApp, signer: &Signer) {
    assert_accepted(app, &signer.kid, signer.token(app).sign()).await;
    assert_accepted(app, &signer.kid, signer.token(app).header("kid", json!(null)).sign()).await;
}

#[test]
fn each_kind_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    for signer in one_of_each("file") {
        test_with(Setup::default().set("verification_keys", signer.configure(dir.path())), async |app| {
            assert_signs(app, &signer).await;
            assert_signs(app, &Signer::of(app)).await;
        });
    }
}

#[test]
fn each_kind_from_a_key_set() {
    let dir = tempfile::tempdir().unwrap();
    for signer in one_of_each("set") {
        let path = dir.path().join(format!("{}.json", signer.kid));
        std::fs::write(&path, jwks(&[&signer])).unwrap();
        test_with(Setup::default().set("verification_keys", format!("jwks={}", path.display())), async |app| {
            assert_signs(app, &signer).await;
            assert_signs(app, &Signer::of(app)).await;
        });
    }
}

/// Where a key leaves no choice it needs no `alg`; and what cannot be used does not stand in the way of what can.
#[test]
fn sets_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let [hs, rs, es, ed] = one_of_each("set");
    let without = |signer: &Signer| {
        let mut key = signer.jwk();
        key.as_object_mut().unwrap().retain(|name, _| name != "alg" && name != "use");
        key
    };
    let keys = json!({"keys": [
        without(&rs), {"kty": "XYZ", "kid": "x"}, without(&hs), without(&es), {"kty": "RSA", "kid": "y"}, without(&ed),
    ]});
    let path = dir.path().join("set.json");
    std::fs::write(&path, keys.to_string()).unwrap();
    test_with(Setup::default().set("verification_keys", format!("jwks={}", path.display())), async |app| {
        for signer in [&rs, &es, &ed] {
            assert_signs(app, signer).await;
        }
        app.with_token(Some(hs.token(app).sign())).get("/api/v4/widgets").await.problem(401);
    });
}

#[test]
fn all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (files, more, set) = (one_of_each("a"), one_of_each("b"), one_of_each("c"));
    let path = dir.path().join("set.json");
    std::fs::write(&path, jwks(&set.each_ref())).unwrap();
    let mut sources: Vec<String> = files.iter().chain(&more).map(|signer| signer.configure(dir.path())).collect();
    sources.push(format!("jwks={}", path.display()));
    test_with(Setup::default().set("verification_keys", sources.join("; ")), async |app| {
        for signer in files.iter().chain(&more).chain(&set) {
            assert_signs(app, signer).await;
        }
        assert_signs(app, &Signer::of(app)).await;
        // Each stays bound to its id.
        for (signer, other) in [(&files, &more), (&more, &set)].iter().flat_map(|(a, b)| a.iter().zip(b.iter())) {
            let token = signer.token(app).header("kid", json!(other.kid)).sign();
            app.with_token(Some(token)).get("/api/v4/widgets").await.problem(401);
        }
    });
}

#[test]
fn rsa_keys_in_either_form() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::rs256("pkcs1");
    let path = dir.path().join("pkcs1.pem");
    std::fs::write(&path, pem::encode(&pem::Pem::new("RSA PUBLIC KEY", signer.public()))).unwrap();
    let source = format!("kid=pkcs1,algorithm=RS256,file={}", path.display());
    test_with(Setup::default().set("verification_keys", source), async |app| assert_signs(app, &signer).await);
}

#[test]
fn lawful_ways_to_write_a_token() {
    test(async |app| {
        let signer = Signer::of(app);
        let lawful = || signer.token(app);
        let exp = lawful().claims["exp"].as_f64().unwrap();
        let rows = [
            ("as it is", lawful()),
            ("without a type", lawful().header("typ", json!(null))),
            ("another type", lawful().header("typ", json!("at+jwt"))),
            ("an unknown header", lawful().header("x", json!({"y": [1]}))),
            ("a fraction of a second", lawful().claim("exp", json!(exp + 0.5))),
            ("without iat", lawful().claim("iat", json!(null))),
            ("an unknown claim", lawful().claim("x", json!({"y": [1, null, "z"]}))),
            ("an id", lawful().claim("jti", json!("any"))),
            ("an integration", lawful().claim("aud", json!("11111111-1111-4111-8111-111111111111"))),
            ("capitals in the integration", lawful().claim("aud", json!("AAAAAAAA-1111-4111-8111-111111111111"))),
            ("no scopes", lawful().claim("scopes", json!([]))),
            ("unknown scopes", lawful().claim("scopes", json!(["crm", "", "publish", "publish"]))),
            (
                "the largest ids",
                lawful().claim("sub", json!(i64::MAX.to_string())).claim("account_id", json!(i64::MAX)),
            ),
        ];
        for (name, token) in rows {
            assert_accepted(app, name, token.sign()).await;
        }
        // Names of schemes have no case, and blanks around the token do not count.
        let token = lawful().sign();
        for value in [format!("bearer {token}"), format!("BEARER {token}"), format!("Bearer   {token}")] {
            let request = app.with_token(None).request("GET", "/api/v4/widgets").header("authorization", &value);
            let answer = app.with_token(None).send(request).await;
            assert_eq!(answer.status, 200, "{value}: {answer:?}");
        }
    });
}

#[test]
fn the_configured_issuer_counts() {
    test_with(Setup::default().set("issuer", "https://issuer.test/"), async |app| {
        let signer = Signer::of(app);
        let issued = |issuer: &str| signer.token(app).claim("iss", json!(issuer)).sign();
        assert_accepted(app, "the issuer", issued("https://issuer.test/")).await;
        for other in ["widget-registry", "https://issuer.test", "https://ISSUER.test/", ""] {
            app.with_token(Some(issued(other))).get("/api/v4/widgets").await.problem(401);
        }
    });
}
