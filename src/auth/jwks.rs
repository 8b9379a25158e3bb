//! JSON Web Key Sets (RFC 7517): those of others, whose tokens we believe, and our own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{self, AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Serialize;

use super::keys::{KeyAlgorithm, KeyError, VerificationKey};

/// Our own public keys, as others read them.
#[derive(Debug, Clone, Serialize)]
pub struct PublicKeySet {
    /// One for each key that a valid token of ours may be signed with.
    pub keys: Vec<PublicKey>,
}

/// The public half of an Ed25519 key as a JSON Web Key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    x: String,
}

impl PublicKey {
    /// From the key's id and its 32 bytes.
    pub(super) fn new(kid: &str, public: &[u8]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(public);
        Self { kty: "OKP", crv: "Ed25519", r#use: "sig", alg: "EdDSA", kid: kid.to_owned(), x }
    }
}

/// The keys of a set that can be used here. Others are passed over, as RFC 7517, 5, asks: sets of identity providers hold keys for
/// encryption too.
///
/// # Errors
///
/// When the text is no set, or no key of it can be used; `place` is where it is from.
pub(super) fn read(text: &[u8], place: &str) -> Result<Vec<VerificationKey>, KeyError> {
    let fail = |why: String| KeyError::Jwks { place: place.to_owned(), why };
    let set: JwkSet = serde_json::from_slice(text).map_err(|why| fail(format!("not a JSON Web Key Set: {why}")))?;
    let mut keys = Vec::new();
    let mut reasons = Vec::new();
    for jwk in &set.keys {
        match from_jwk(jwk) {
            Ok(key) => keys.push(key),
            Err(why) => {
                tracing::warn!(place, why, "a key of a set is passed over");
                reasons.push(why);
            }
        }
    }
    if keys.is_empty() {
        return Err(fail(format!("no key of the set can be used: {}", reasons.join("; "))));
    }
    Ok(keys)
}

fn from_jwk(jwk: &Jwk) -> Result<VerificationKey, String> {
    let kid = jwk.common.key_id.clone().ok_or("a key has no `kid`; each needs one")?;
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return Err(format!("the key `{kid}` is not for signatures"));
    }
    let algorithm = match (jwk.common.key_algorithm, &jwk.algorithm) {
        (Some(jwk::KeyAlgorithm::EdDSA), _) => KeyAlgorithm::EdDsa,
        // Without an `alg` some keys leave no choice.
        (Some(jwk::KeyAlgorithm::RS256), _) | (None, AlgorithmParameters::RSA(_)) => KeyAlgorithm::Rs256,
        (Some(jwk::KeyAlgorithm::ES256), _) => KeyAlgorithm::Es256,
        (Some(jwk::KeyAlgorithm::HS256), _) => KeyAlgorithm::Hs256,
        (None, AlgorithmParameters::OctetKeyPair(key)) if key.curve == EllipticCurve::Ed25519 => KeyAlgorithm::EdDsa,
        (None, AlgorithmParameters::EllipticCurve(key)) if key.curve == EllipticCurve::P256 => KeyAlgorithm::Es256,
        _ => return Err(format!("the key `{kid}` needs an `alg`, one of EdDSA, RS256, ES256, HS256")),
    };
    let key = DecodingKey::from_jwk(jwk).map_err(|why| format!("the key `{kid}` cannot be used: {why}"))?;
    if key.family() != Algorithm::from(algorithm).family() {
        return Err(format!("the key `{kid}` is of another kind than its `alg` {algorithm:?}"));
    }
    Ok(VerificationKey::new(kid, algorithm, key))
}
