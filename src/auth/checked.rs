//! Tokens whose signatures were checked before: that costs more than the rest of a read.

use std::sync::Arc;

use quick_cache::sync::Cache;

use super::check::{Refusal, accept, verify};
use super::claims::{Caller, Claims};
use super::keys::Verifier;
use super::revoked::Revocations;
use crate::digest::Sha256;
use crate::sources::Clock;

/// Tokens that are remembered at most; each takes about 400 bytes.
const REMEMBERED: usize = 20_000;

/// Checks tokens, and remembers what those say whose signature is right: by their digest, since a token is a secret.
///
/// It belongs to the keys that it checks with, and is gone when there are others. Nothing but the signature is remembered: issuer, life
/// and revocations are judged each time.
#[derive(Debug)]
pub struct Checked(Cache<Sha256, Signed>);

#[derive(Debug, Clone)]
struct Signed {
    claims: Arc<Claims>,
    /// Until when the key counts that the signature was made with, seconds since 1970.
    until: Option<i64>,
}

impl Default for Checked {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Checked {
    /// [`super::check()`] with always the same keys.
    ///
    /// # Errors
    ///
    /// The reason of the refusal, for the log only.
    pub fn check(
        &self,
        token: &[u8],
        verifier: &Verifier,
        revoked: &Revocations,
        clock: &Clock,
    ) -> Result<Caller, Refusal> {
        let digest = Sha256::of(&[token]);
        let known = self.0.get(&digest).filter(|known| known.until.is_none_or(|until| clock.unix() < until));
        let signed = if let Some(known) = known {
            known
        } else {
            let text = std::str::from_utf8(token).map_err(|_| Refusal::NotBearer)?;
            let (claims, until) = verify(text, verifier, clock)?;
            let signed = Signed { claims: Arc::new(claims), until };
            self.0.insert(digest, signed.clone());
            signed
        };
        accept(&signed.claims, verifier, revoked, clock)
    }
}
