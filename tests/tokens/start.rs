//! Keys with which the service does not start.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use widget_registry::app::{App, AppError};
use widget_registry::auth::SigningKey;
use widget_registry::config::{Config, Sources};
use widget_registry::sources::{Clock, Identifiers};

use super::{Signer, base64, jwks};
use crate::support::randomness;

/// Starts with these keys, and returns why that fails. Keys are looked at before the database, which does not exist here.
fn refusal(dir: &Path, keys: &str) -> String {
    let flags = BTreeMap::from([
        ("listen", "127.0.0.1:0".to_owned()),
        ("data_dir", dir.join("data").to_str().unwrap().to_owned()),
        ("database_url", "postgres://nobody@127.0.0.1:1/nothing".to_owned()),
        ("verification_keys", keys.to_owned()),
    ]);
    let config = match Config::read(Sources { flags, ..Sources::default() }).config {
        Ok(config) => config,
        Err(mistakes) => return mistakes.to_string(),
    };
    actix_web::rt::System::new().block_on(async {
        match App::start(config, Clock::system(), Identifiers::random(), randomness()).await {
            Err(AppError::Key(error)) => error.to_string(),
            // It would start if there were a database.
            Err(error) => format!("{keys} is accepted: {error}"),
            Ok(app) => panic!("{keys}: starts at {}", app.address),
        }
    })
}

/// The words that configure a file with this content.
fn file(dir: &Path, kid: &str, algorithm: &str, content: impl AsRef<[u8]>) -> String {
    let path = dir.join(format!("{kid}.file"));
    std::fs::write(&path, content).unwrap();
    format!("kid={kid},algorithm={algorithm},file={}", path.display())
}

fn set(dir: &Path, content: impl AsRef<[u8]>) -> String {
    let path = dir.join("set.json");
    std::fs::write(&path, content).unwrap();
    format!("jwks={}", path.display())
}

/// A number of this many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= modulus.len() * 8 - bits;
    modulus
}

/// A length as DER has it, in two bytes.
fn length(count: usize) -> Vec<u8> {
    [&[0x82], u16::try_from(count).unwrap().to_be_bytes().as_slice()].concat()
}

/// An RSA public key with a modulus of this many bits, as PKCS #1. Nobody knows its factors, and nobody needs to.
fn rsa(bits: usize) -> Vec<u8> {
    let mut modulus = modulus(bits);
    if modulus[0] > 0x7f {
        // A zero keeps the number positive.
        modulus.insert(0, 0);
    }
    let numbers = [&[0x02], length(modulus.len()).as_slice(), &modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    [&[0x30], length(numbers.len()).as_slice(), &numbers].concat()
}

/// The same as `SubjectPublicKeyInfo`.
fn rsa_spki(bits: usize) -> Vec<u8> {
    let key = rsa(bits);
    let algorithm = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let key = [&[0x03], length(key.len() + 1).as_slice(), &[0], &key].concat();
    [&[0x30], length(algorithm.len() + key.len()).as_slice(), &algorithm, &key].concat()
}

fn pem(tag: &str, der: Vec<u8>) -> String {
    pem::encode(&pem::Pem::new(tag, der))
}

#[test]
fn weak_keys() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let secret = |length: usize| "s".repeat(length);
    for content in
        [secret(31), secret(31) + "\n", secret(31) + "\r\n\n", String::new(), "\n".to_owned(), " ".repeat(64)]
    {
        let why = refusal(dir, &file(dir, "k", "HS256", &content));
        assert!(why.contains("the HS256 secret `k` has") && why.contains("at least 32"), "{content:?}: {why}");
    }
    for bits in [512, 1_024, 2_040, 2_047] {
        for content in [pem("RSA PUBLIC KEY", rsa(bits)), pem("PUBLIC KEY", rsa_spki(bits))] {
            let why = refusal(dir, &file(dir, "k", "RS256", content));
            assert!(why.contains(&format!("the RSA key `k` has {bits} bits; at least 2048")), "{bits}: {why}");
        }
        let modulus = modulus(bits);
        let key = json!({"keys": [{"kty": "RSA", "kid": "k", "alg": "RS256", "n": base64(&modulus), "e": "AQAB"}]});
        let why = refusal(dir, &set(dir, key.to_string()));
        assert!(why.contains(&format!("the RSA key `k` has {bits} bits; at least 2048")), "{bits} in a set: {why}");
    }
    let key = json!({"keys": [{"kty": "oct", "kid": "k", "alg": "HS256", "k": base64(secret(31).as_bytes())}]});
    assert!(refusal(dir, &set(dir, key.to_string())).contains("the HS256 secret `k` has 31 bytes"));
}

#[test]
fn keys_with_one_id() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (hs, ed) = (Signer::hs256("k"), Signer::ed25519("k"));
    let path = dir.join("other.key");
    std::fs::write(&path, ed.file()).unwrap();
    let other = format!("kid=k,algorithm=EdDSA,file={}", path.display());
    let own = SigningKey::load_or_create(&{
        std::fs::create_dir_all(dir.join("data/keys")).unwrap();
        dir.join("data/keys/signing.pem")
    });
    let own = own.unwrap().verification_key().kid;
    for (name, keys, kid) in [
        ("two files", format!("{};{other}", hs.configure(dir)), "k"),
        ("the same file twice", format!("{};{}", hs.configure(dir), hs.configure(dir)), "k"),
        ("a file and a set", format!("{};{}", hs.configure(dir), set(dir, jwks(&[&ed]))), "k"),
        ("our own", Signer::ed25519(&own).configure(dir), own.as_str()),
    ] {
        let why = refusal(dir, &keys);
        assert!(why.contains(&format!("two keys have the kid `{kid}`")), "{name}: {why}");
    }
    let why = refusal(dir, &set(dir, jwks(&[&hs, &ed])));
    assert!(why.contains("two keys have the kid `k`"), "within a set: {why}");
}

#[test]
fn key_sets() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let of = |signer: &Signer, name: &str, value: Value| {
        let mut key = signer.jwk();
        key[name] = value;
        if key[name].is_null() {
            key.as_object_mut().unwrap().remove(name);
        }
        json!({"keys": [key]}).to_string()
    };
    let with = |name: &str, value: Value| of(&Signer::es256("k"), name, value);
    for (content, says) in [
        (of(&Signer::hs256("k"), "alg", json!(null)), "the key `k` needs an `alg`"),
        (with("alg", json!("ES384")), "the key `k` needs an `alg`"),
        (with("alg", json!("none")), "the key `k` needs an `alg`"),
        (with("alg", json!("RSA-OAEP")), "the key `k` needs an `alg`"),
        (with("alg", json!("RS256")), "is of another kind than its `alg`"),
        (with("alg", json!("HS256")), "is of another kind than its `alg`"),
        (with("alg", json!("EdDSA")), "is of another kind than its `alg`"),
        (with("use", json!("enc")), "the key `k` is not for signatures"),
        (with("kid", json!(null)), "a key has no `kid`"),
        (with("kid", json!(1)), "not a JSON Web Key Set"),
        (with("x", json!("not base64!")), "the key `k` cannot be used"),
        (with("kty", json!("XYZ")), "the key `k`"),
        ("{\"keys\":[]}".to_owned(), "no key of the set can be used"),
        ("{}".to_owned(), "not a JSON Web Key Set"),
        ("[]".to_owned(), "not a JSON Web Key Set"),
        (String::new(), "not a JSON Web Key Set"),
        ("{\"keys\":{}}".to_owned(), "not a JSON Web Key Set"),
        (Signer::es256("k").jwk().to_string(), "not a JSON Web Key Set"),
    ] {
        let why = refusal(dir, &set(dir, &content));
        assert!(why.contains(says) && why.contains("set.json"), "{content}: {why}");
    }
}

#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (ed, es, rs) = (Signer::ed25519("k"), Signer::es256("k"), Signer::rs256("k"));
    for (algorithm, content) in [
        ("EdDSA", es.file()),
        ("EdDSA", rs.file()),
        ("ES256", ed.file()),
        ("ES256", rs.file()),
        ("RS256", ed.file()),
        ("RS256", es.file()),
        ("RS256", String::new()),
        ("EdDSA", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_owned()),
        ("ES256", "garbage".to_owned()),
    ] {
        let why = refusal(dir, &file(dir, "k", algorithm, &content));
        assert!(why.contains("does not hold a public key for"), "{algorithm}: {why}");
    }
    let missing = format!("kid=k,algorithm=RS256,file={}", dir.join("missing").display());
    assert!(refusal(dir, &missing).contains("cannot read the key file"));
    assert!(refusal(dir, &format!("jwks={}", dir.join("missing").display())).contains("cannot read the key file"));
    let many: Vec<String> = (0..64).map(|number| Signer::hs256(&format!("k{number}")).configure(dir)).collect();
    assert!(refusal(dir, &many.join(";")).contains("there are 65 verification keys; at most 64"));
}

#[test]
fn words() {
    let dir = tempfile::tempdir().unwrap();
    for keys in [
        "kid=k,algorithm=none,file=/x",
        "kid=k,algorithm=HS512,file=/x",
        "kid=k,algorithm=hs256,file=/x",
        "kid=k,file=/x",
        "kid=,algorithm=HS256,file=/x",
        "algorithm=HS256,file=/x",
        "kid=k,algorithm=HS256",
        "kid=k,algorithm=HS256,secret=x",
        "/x",
    ] {
        let why = refusal(dir.path(), keys);
        assert!(why.contains("verification_keys: "), "{keys}: {why}");
    }
}

#[test]
fn keys_of_another_curve() {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    };

    let dir = tempfile::tempdir().unwrap();
    let pem = |algorithm| {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        pem::encode(&pem::Pem::new("PUBLIC KEY", der.as_ref()))
    };
    let other = file(dir.path(), "long", "ES256", pem(&ECDSA_P384_SHA384_FIXED_SIGNING));
    assert!(
        refusal(dir.path(), &other).starts_with("the key `long` is not on the curve of Es256"),
        "{}",
        refusal(dir.path(), &other)
    );
    let right = file(dir.path(), "right", "ES256", pem(&ECDSA_P256_SHA256_FIXED_SIGNING));
    assert!(refusal(dir.path(), &right).contains("is accepted"));
}
