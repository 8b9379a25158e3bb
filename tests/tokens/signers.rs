//! Keys of every kind, and tokens signed with them byte for byte as a test wants them.

use std::path::Path;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa};
use serde_json::{Value, json};
use widget_registry::auth::SigningKey;

use crate::support::{Claims, TestApp, record, secret};

/// What a key signs with.
pub enum Kind {
    Hs256(Vec<u8>),
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// A key pair, or a secret, with its id.
pub struct Signer {
    pub kid: String,
    pub kind: Kind,
}

impl Signer {
    pub fn hs256(kid: &str) -> Self {
        Self { kid: kid.to_owned(), kind: Kind::Hs256(secret(kid).into_bytes()) }
    }

    pub fn rs256(kid: &str) -> Self {
        Self { kid: kid.to_owned(), kind: Kind::Rs256(RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap()) }
    }

    pub fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        record::note_es256(&pair);
        Self { kid: kid.to_owned(), kind: Kind::Es256(pair) }
    }

    pub fn ed25519(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        record::note_ed25519(&pair);
        Self { kid: kid.to_owned(), kind: Kind::EdDsa(pair) }
    }

    /// The key with which the service signs its own tokens.
    pub fn of(app: &TestApp) -> Self {
        Self::in_file(&app.data_dir.path().join("keys/signing.pem"))
    }

    /// The signing key in a file.
    pub fn in_file(path: &Path) -> Self {
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(pem::parse(std::fs::read(path).unwrap()).unwrap().contents());
        Self { kid: SigningKey::load(path).unwrap().kid().to_owned(), kind: Kind::EdDsa(pair.unwrap()) }
    }

    pub fn algorithm(&self) -> &'static str {
        match &self.kind {
            Kind::Hs256(_) => "HS256",
            Kind::Rs256(_) => "RS256",
            Kind::Es256(_) => "ES256",
            Kind::EdDsa(_) => "EdDSA",
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.kind {
            Kind::Hs256(secret) => hs256(secret, message),
            Kind::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Kind::Es256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Kind::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// The public half: PKCS #1 for RSA, the point for P-256, 32 bytes for Ed25519; a secret is itself.
    pub fn public(&self) -> Vec<u8> {
        match &self.kind {
            Kind::Hs256(secret) => secret.clone(),
            Kind::Rs256(pair) => pair.public_key().as_ref().to_vec(),
            Kind::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Kind::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// The public half as `SubjectPublicKeyInfo`.
    pub fn der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match &self.kind {
            Kind::Hs256(secret) => return secret.clone(),
            Kind::Rs256(pair) => pair.public_key().as_der().unwrap(),
            Kind::Es256(pair) => pair.public_key().as_der().unwrap(),
            Kind::EdDsa(pair) => pair.public_key().as_der().unwrap(),
        };
        der.as_ref().to_vec()
    }

    /// The content of the file that the configuration names for this key.
    pub fn file(&self) -> String {
        match &self.kind {
            Kind::Hs256(secret) => String::from_utf8(secret.clone()).unwrap() + "\n",
            _ => pem::encode(&pem::Pem::new("PUBLIC KEY", self.der())),
        }
    }

    /// Writes that file and returns the words of the configuration.
    pub fn configure(&self, dir: &Path) -> String {
        let path = dir.join(format!("{}.key", self.kid));
        std::fs::write(&path, self.file()).unwrap();
        format!("kid={},algorithm={},file={}", self.kid, self.algorithm(), path.display())
    }

    /// The public half as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let public = self.public();
        let mut jwk = match &self.kind {
            Kind::Hs256(secret) => json!({"kty": "oct", "k": base64(secret)}),
            // A sequence of 266 bytes: the modulus of 257, with a zero before it, and the exponent of 3.
            Kind::Rs256(_) => json!({"kty": "RSA", "n": base64(&public[9..265]), "e": base64(&public[267..])}),
            Kind::Es256(_) => {
                json!({"kty": "EC", "crv": "P-256", "x": base64(&public[1..33]), "y": base64(&public[33..])})
            }
            Kind::EdDsa(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&public)}),
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A lawful token of this key, to be changed.
    pub fn token(&self, app: &TestApp) -> Token<'_> {
        let header = json!({"typ": "JWT", "alg": self.algorithm(), "kid": self.kid});
        Token { signer: self, header, claims: Claims::admin(1, 7).json(app.now()) }
    }
}

/// A key set.
pub fn jwks(keys: &[&Signer]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
}

pub fn hs256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
}

/// A token in the making.
#[derive(Clone)]
pub struct Token<'a> {
    pub signer: &'a Signer,
    pub header: Value,
    pub claims: Value,
}

impl Token<'_> {
    /// With another member in its header; without it when the value is null.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// With another claim; without it when the value is null.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// Header and claims as they are signed.
    pub fn message(&self) -> String {
        message(&self.header.to_string(), self.claims.to_string().as_bytes())
    }

    pub fn sign(&self) -> String {
        self.sign_message(&self.message())
    }

    pub fn sign_message(&self, message: &str) -> String {
        format!("{message}.{}", base64(&self.signer.sign(message.as_bytes())))
    }

    /// Signed with this text as its claims.
    pub fn sign_claims(&self, claims: &[u8]) -> String {
        self.sign_message(&message(&self.header.to_string(), claims))
    }

    /// Signed with this text as its header.
    pub fn sign_header(&self, header: &str) -> String {
        self.sign_message(&message(header, self.claims.to_string().as_bytes()))
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

pub fn message(header: &str, claims: &[u8]) -> String {
    format!("{}.{}", base64(header.as_bytes()), base64(claims))
}

/// Base64 for URLs, without padding.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        let characters = (0..=group.len()).map(|index| char::from(ALPHABET[bits >> (18 - 6 * index) & 63]));
        text.extend(characters);
    }
    text
}

#[test]
fn base64_is_right() {
    for (bytes, text) in
        [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("\u{3ff}?", "z78_")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
