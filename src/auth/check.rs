//! Checking a token, beyond what the library checks by itself.

use std::collections::HashSet;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::de::DeserializeOwned;

use super::claims::{Caller, Claims, MOST_LIFETIME, NumericDate};
use super::keys::Verifier;
use super::revoked::Revocations;
use crate::sources::Clock;

/// Seconds by which the clocks of issuer and registry may differ.
const LEEWAY: f64 = 30.0;

/// Why a token was refused. For the log: the answer is the same for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no `Authorization` header, or more than one.
    #[error("there is not exactly one Authorization header")]
    Missing,
    /// It is longer than allowed.
    #[error("the Authorization header is too long")]
    TooLong,
    /// It is not `Bearer` and a token.
    #[error("the Authorization header is not a Bearer token")]
    NotBearer,
    /// It is not three parts of base64url around a JSON header.
    #[error("the token is malformed")]
    Malformed,
    /// The header names extensions that must be understood.
    #[error("the token's header has `crit`")]
    Critical,
    /// No key of ours fits the header's `kid` and `alg`.
    #[error("no configured key fits the token's kid and alg")]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature does not fit")]
    Signature,
    /// A claim is missing, of the wrong type, or not ours.
    #[error("a claim is missing or wrong")]
    Claims,
    /// Another issuer.
    #[error("the issuer is another one")]
    Issuer,
    /// Meant for somebody else.
    #[error("the audience is another one")]
    Audience,
    /// Its life is over.
    #[error("the token has expired")]
    Expired,
    /// Its life has not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// It lives longer than a token may.
    #[error("the token lives longer than 366 days")]
    LivesTooLong,
    /// It was taken back.
    #[error("the token was revoked")]
    Revoked,
}

/// Checks a token: signature by a key of ours with that key's algorithm, issuer, life with 30 s of leeway and of at most 366 days, ids,
/// and that it was not revoked.
///
/// # Errors
///
/// The reason of the refusal, for the log only.
pub fn check(token: &str, verifier: &Verifier, revoked: &Revocations, clock: &Clock) -> Result<Caller, Refusal> {
    let (claims, _) = verify(token, verifier, clock)?;
    accept(&claims, verifier, revoked, clock)
}

/// The part of [`check`] that depends on nothing but the keys: what the token says, and until when the key counts that signed it.
pub(super) fn verify(token: &str, verifier: &Verifier, clock: &Clock) -> Result<(Claims, Option<i64>), Refusal> {
    let header = decode_header(token).map_err(|_| Refusal::Malformed)?;
    if header.crit.is_some() {
        return Err(Refusal::Critical);
    }
    let mut refusal = Refusal::UnknownKey;
    for key in verifier.candidates(header.kid.as_deref(), header.alg, clock.unix()) {
        match signed::<Claims>(token, &key.key, key.algorithm.into()) {
            Ok(claims) => return Ok((claims, key.until)),
            Err(reason) => refusal = reason,
        }
    }
    Err(refusal)
}

/// Signature and shape of the claims; times, issuer and ids are judged by others.
pub(super) fn signed<T: DeserializeOwned + Clone>(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<T, Refusal> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims = HashSet::new();
    match decode::<T>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(match error.kind() {
            ErrorKind::InvalidSignature => Refusal::Signature,
            ErrorKind::Json(_) => Refusal::Claims,
            _ => Refusal::Malformed,
        }),
    }
}

/// Whether the token's life has begun and is not over.
pub(super) fn alive(exp: NumericDate, nbf: Option<NumericDate>, clock: &Clock) -> Result<(), Refusal> {
    let now = clock.unix();
    if exp.seconds_after(now) <= -LEEWAY {
        return Err(Refusal::Expired);
    }
    if nbf.is_some_and(|nbf| nbf.seconds_after(now) > LEEWAY) {
        return Err(Refusal::NotYet);
    }
    Ok(())
}

/// The rest of it, which the keys do not decide.
pub(super) fn accept(
    claims: &Claims,
    verifier: &Verifier,
    revoked: &Revocations,
    clock: &Clock,
) -> Result<Caller, Refusal> {
    if claims.iss != verifier.issuer {
        return Err(Refusal::Issuer);
    }
    alive(claims.exp, claims.nbf, clock)?;
    // What is left of a life is not all of it: a revocation is kept for as long as any token lives that was issued before.
    let left = claims.exp.seconds_after(clock.unix());
    let whole = claims.iat.map_or(left, |iat| claims.exp.seconds_since(iat));
    if left.max(whole) > MOST_LIFETIME.as_secs_f64() + LEEWAY {
        return Err(Refusal::LivesTooLong);
    }
    let caller = Caller::from_claims(claims).ok_or(Refusal::Claims)?;
    if revoked.cover(&caller, claims.jti.as_deref(), claims.iat) { Err(Refusal::Revoked) } else { Ok(caller) }
}
