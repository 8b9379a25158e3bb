//! The key that signs our own tokens, and issuing them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, encode};
use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use super::claims::{AccountId, Claims, NumericDate, Role, Scope, UserId};
use super::keys::{KeyAlgorithm, VerificationKey};
use crate::digest::Sha256;
use crate::sources::{Clock, Identifiers};
use crate::whole_file;

/// The Ed25519 key pair that signs our tokens. Its id is made from its public half, so that it never changes meaning.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    public: Vec<u8>,
    signing: EncodingKey,
}

/// A signing key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error("cannot read or write the signing key {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} does not hold an Ed25519 private key in PEM (PKCS #8): {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        why: String,
    },
    /// The file can be read by others.
    #[error("the signing key {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file beside it that is called like a retired key holds another or none.
    #[error("{path} does not hold the public key that its name says; remove it, or bring back what was there")]
    Retired {
        /// The file.
        path: PathBuf,
    },
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Issue {
    /// The tenant.
    pub account: AccountId,
    /// The user.
    pub user: UserId,
    /// The user's rights.
    pub role: Role,
    /// The integration that it is given to.
    pub client: Option<Uuid>,
    /// What it may do under `/registry/v1`.
    pub scopes: Vec<Scope>,
    /// How long it lives.
    pub lifetime: Duration,
}

impl SigningKey {
    /// Reads the key, or makes one with mode 0600 when the file is not there. Several programs may do this at once: all get
    /// the same key.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written, holds something else, or is readable by others.
    pub fn load_or_create(path: &Path) -> Result<Self, SigningKeyError> {
        let file = |source| SigningKeyError::File { path: path.to_owned(), source };
        match Self::load(path) {
            Err(SigningKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(file)?;
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Reads the key.
    ///
    /// # Errors
    ///
    /// As [`SigningKey::load_or_create`], and when the file is not there.
    pub fn load(path: &Path) -> Result<Self, SigningKeyError> {
        let file = |source| SigningKeyError::File { path: path.to_owned(), source };
        let malformed = |why: String| SigningKeyError::Malformed { path: path.to_owned(), why };
        let text = fs::read(path).map_err(file)?;
        let mode = fs::metadata(path).map_err(file)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SigningKeyError::Exposed { path: path.to_owned(), mode });
        }
        let document = pem::parse(&text).map_err(|why| malformed(why.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(document.contents())
            .map_err(|why| malformed(why.to_string()))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { kid: kid_of(&public), public, signing: EncodingKey::from_ed_der(document.contents()) })
    }

    /// The half that verifies.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey::new(self.kid.clone(), KeyAlgorithm::EdDsa, DecodingKey::from_ed_der(&self.public))
    }

    /// The key's id, the `kid` of its tokens.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The 32 bytes of the half that verifies.
    pub(super) fn public(&self) -> &[u8] {
        &self.public
    }

    /// Signs a token.
    ///
    /// # Errors
    ///
    /// When the cryptographic library refuses, which a key that was read does not cause.
    pub fn issue(
        &self,
        issuer: &str,
        issue: &Issue,
        clock: &Clock,
        ids: &Identifiers,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = clock.microseconds();
        // With a fraction always, so that it is told apart from a token of the same second that was revoked.
        let iat = if iat % 1_000_000 == 0 { iat + 1 } else { iat };
        let now = iat / 1_000_000;
        let lifetime = i64::try_from(issue.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: issuer.to_owned(),
            sub: issue.user.to_string(),
            account_id: issue.account.get(),
            role: issue.role,
            aud: issue.client,
            scopes: issue.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            exp: NumericDate::from_unix(now.saturating_add(lifetime)),
            iat: Some(NumericDate::from_microseconds(iat)),
            nbf: None,
            jti: Some(ids.next().to_string()),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        encode(&header, &claims, &self.signing)
    }
}

/// The id of a key, made from its public half.
pub(super) fn kid_of(public: &[u8]) -> String {
    Sha256::of(&[public]).to_string().chars().take(16).collect()
}

/// A key that signs nothing yet.
#[derive(Debug)]
pub(super) struct NewKey {
    pub(super) kid: String,
    /// The private key as the text of a PEM file.
    pub(super) text: SecretString,
}

/// Makes a new private key.
pub(super) fn generate() -> io::Result<NewKey> {
    let pair = Ed25519KeyPair::generate().map_err(|_| io::Error::other("the system gave no random numbers"))?;
    let document = pair.to_pkcs8v1().map_err(|_| io::Error::other("the new key could not be encoded"))?;
    let text = SecretString::from(pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref())));
    Ok(NewKey { kid: kid_of(pair.public_key().as_ref()), text })
}

/// Writes a new key, unless somebody was faster.
fn create(path: &Path) -> io::Result<()> {
    match whole_file::create(path, generate()?.text.expose_secret().as_bytes(), 0o600) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.pem");
        let first = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::load_or_create(&path).unwrap().kid, first.kid);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(SigningKeyError::Exposed { mode: 0o644, .. })));
    }
}
