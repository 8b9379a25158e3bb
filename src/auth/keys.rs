//! The keys that tokens are verified with, each bound to one algorithm.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use super::jwks;

/// Bytes of an HS256 secret at least (RFC 7518, 3.2).
const LEAST_SECRET: usize = 32;
/// Bits of an RSA modulus at least (RFC 7518, 3.3).
const LEAST_MODULUS: usize = 2048;
/// Keys at most: a token that names no key is tried against each.
const MOST_KEYS: usize = 64;

/// What a key may sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// Ed25519.
    EdDsa,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256.
    Hs256,
}

impl FromStr for KeyAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "EdDSA" => Ok(Self::EdDsa),
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            "HS256" => Ok(Self::Hs256),
            other => Err(format!("names the algorithm `{other}`; one of EdDSA, RS256, ES256, HS256 is needed")),
        }
    }
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::EdDsa => Self::EdDSA,
            KeyAlgorithm::Rs256 => Self::RS256,
            KeyAlgorithm::Es256 => Self::ES256,
            KeyAlgorithm::Hs256 => Self::HS256,
        }
    }
}

/// A configured source of verification keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// One key: its id, the one algorithm that it verifies, and the file that holds a PEM or, for HS256, the secret's bytes.
    File {
        /// The `kid` of tokens signed with it.
        kid: String,
        /// The algorithm.
        algorithm: KeyAlgorithm,
        /// The file.
        path: PathBuf,
    },
    /// A JSON Web Key Set, each key with its own `kid` and `alg`.
    Jwks(PathBuf),
    /// The address of such a set. Whoever asks it hands its keys to [`super::Keyring::fetched`].
    Url(String),
}

/// One key and the one algorithm that it verifies.
#[derive(Debug, Clone)]
pub struct VerificationKey {
    /// The key's id, the `kid` of tokens.
    pub kid: String,
    /// Taken from the configuration, never from a token.
    pub algorithm: KeyAlgorithm,
    pub(super) key: DecodingKey,
    /// Until when it counts, seconds since 1970; `None` for ever.
    pub(super) until: Option<i64>,
    /// Whether only tokens that name it are tried against it.
    pub(super) named_only: bool,
}

impl VerificationKey {
    /// A key that counts for ever, also for tokens that name none.
    pub(super) fn new(kid: String, algorithm: KeyAlgorithm, key: DecodingKey) -> Self {
        Self { kid, algorithm, key, until: None, named_only: false }
    }

    fn counts(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A key that cannot be used; the service does not start with it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key file {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{path} does not hold a public key for {algorithm:?}: {why}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected.
        algorithm: KeyAlgorithm,
        /// What the parser said.
        why: String,
    },
    /// It is no JSON Web Key Set, or no key of it can be used.
    #[error("{place}: {why}")]
    Jwks {
        /// The file or address.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A short secret can be guessed.
    #[error("the HS256 secret `{kid}` has {length} bytes; at least 32 are needed")]
    ShortSecret {
        /// The key's id.
        kid: String,
        /// Its length in bytes.
        length: usize,
    },
    /// A short RSA key can be broken.
    #[error("the RSA key `{kid}` has {bits} bits; at least 2048 are needed")]
    ShortRsa {
        /// The key's id.
        kid: String,
        /// Its length in bits.
        bits: usize,
    },
    /// A key that can never verify.
    #[error("the key `{kid}` is not on the curve of {algorithm:?} (P-256 for Es256, Ed25519 for EdDsa)")]
    OtherCurve {
        /// The key's id.
        kid: String,
        /// What it is to verify.
        algorithm: KeyAlgorithm,
    },
    /// Two keys with one id.
    #[error("two keys have the kid `{kid}`; give each its own")]
    Twice {
        /// The id.
        kid: String,
    },
    /// More keys than a token can be tried against.
    #[error("there are {count} verification keys; at most 64 can be used")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// All keys that tokens are verified with, and the issuer that they must name.
#[derive(Debug, Clone)]
pub struct Verifier {
    pub(super) issuer: String,
    keys: BTreeMap<String, VerificationKey>,
}

impl Verifier {
    /// Puts our own keys beside those of the configured files.
    ///
    /// # Errors
    ///
    /// When a source cannot be read, a key is too weak, two have the same `kid`, or there are more than 64.
    pub fn new(issuer: String, own: Vec<VerificationKey>, sources: &[KeySource]) -> Result<Self, KeyError> {
        let mut keys = own;
        for source in sources {
            match source {
                KeySource::File { kid, algorithm, path } => keys.push(from_file(kid, *algorithm, path)?),
                KeySource::Jwks(path) => keys.extend(jwks::read(&read(path)?, &path.display().to_string())?),
                KeySource::Url(_) => {}
            }
        }
        let count = keys.iter().filter(|key| !key.named_only).count();
        if count > MOST_KEYS {
            return Err(KeyError::TooMany { count });
        }
        let mut by_kid = BTreeMap::new();
        for key in keys {
            strong_enough(&key)?;
            let kid = key.kid.clone();
            if by_kid.insert(kid.clone(), key).is_some() {
                return Err(KeyError::Twice { kid });
            }
        }
        Ok(Self { issuer, keys: by_kid })
    }

    /// Adds the keys of a set that was fetched. What is configured here is never replaced by what comes from elsewhere, and more than
    /// 64 keys are not kept.
    #[must_use]
    pub(super) fn with(mut self, fetched: &[VerificationKey]) -> Self {
        for key in fetched {
            let room = self.keys.values().filter(|key| !key.named_only).count() < MOST_KEYS;
            match self.keys.entry(key.kid.clone()) {
                Entry::Vacant(place) if room => {
                    place.insert(key.clone());
                }
                _ => tracing::warn!(
                    kid = key.kid,
                    "a fetched key is passed over: its kid is taken, or there are 64 keys"
                ),
            }
        }
        self
    }

    /// Whether a key of this id counts now.
    pub(super) fn has(&self, kid: &str, now: i64) -> bool {
        self.keys.get(kid).is_some_and(|key| key.counts(now))
    }

    /// The keys that may have signed a token whose header says this.
    pub(super) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: i64,
    ) -> impl Iterator<Item = &VerificationKey> {
        let named = move |key: &VerificationKey| kid.map_or(!key.named_only, |kid| kid == key.kid);
        self.keys
            .values()
            .filter(move |key| Algorithm::from(key.algorithm) == algorithm && named(key) && key.counts(now))
    }
}

/// The usable keys of a set that was fetched from this address, each strong enough. Secrets are passed over: what everybody can fetch
/// is none.
///
/// # Errors
///
/// When it is no set, or no key of it can be used.
pub(super) fn fetched(text: &[u8], url: &str) -> Result<Vec<VerificationKey>, KeyError> {
    let mut keys = jwks::read(text, url)?;
    keys.retain(|key| {
        let usable = match strong_enough(key) {
            _ if key.algorithm == KeyAlgorithm::Hs256 => Err("it is a secret that everybody can fetch".to_owned()),
            strong => strong.map_err(|why| why.to_string()),
        };
        if let Err(why) = &usable {
            tracing::warn!(url, kid = key.kid, why, "a key of a set is passed over");
        }
        usable.is_ok()
    });
    if keys.is_empty() {
        return Err(KeyError::Jwks { place: url.to_owned(), why: "no key of the set can be used".to_owned() });
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    fs::read(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

fn from_file(kid: &str, algorithm: KeyAlgorithm, path: &Path) -> Result<VerificationKey, KeyError> {
    let bytes = read(path)?;
    let key = match algorithm {
        KeyAlgorithm::Rs256 => DecodingKey::from_rsa_pem(&bytes),
        KeyAlgorithm::Es256 => DecodingKey::from_ec_pem(&bytes),
        KeyAlgorithm::EdDsa => DecodingKey::from_ed_pem(&bytes),
        // A secret is the file's bytes without the line end that editors add.
        KeyAlgorithm::Hs256 => Ok(DecodingKey::from_secret(bytes.trim_ascii_end())),
    };
    let key = key.map_err(|why| KeyError::Malformed { path: path.to_owned(), algorithm, why: why.to_string() })?;
    Ok(VerificationKey::new(kid.to_owned(), algorithm, key))
}

fn strong_enough(key: &VerificationKey) -> Result<(), KeyError> {
    match key.algorithm {
        KeyAlgorithm::Hs256 => {
            let length = key.key.try_get_as_bytes().map_or(0, <[u8]>::len);
            if length < LEAST_SECRET {
                return Err(KeyError::ShortSecret { kid: key.kid.clone(), length });
            }
        }
        KeyAlgorithm::Rs256 => {
            let bits = match key.key.kind() {
                DecodingKeyKind::RsaModulusExponent { n, .. } => bit_length(n),
                DecodingKeyKind::SecretOrDer(der) => modulus(der).map_or(0, bit_length),
            };
            if bits < LEAST_MODULUS {
                return Err(KeyError::ShortRsa { kid: key.kid.clone(), bits });
            }
        }
        KeyAlgorithm::EdDsa => length_of(key, 32)?,
        KeyAlgorithm::Es256 => length_of(key, 65)?,
    }
    Ok(())
}

/// A key of another curve has another length: it would be taken here and verify nothing.
fn length_of(key: &VerificationKey, expected: usize) -> Result<(), KeyError> {
    if key.key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == expected) {
        return Ok(());
    }
    Err(KeyError::OtherCurve { kid: key.kid.clone(), algorithm: key.algorithm })
}

/// Bits of a number whose highest byte comes first.
fn bit_length(number: &[u8]) -> usize {
    let mut significant = number.iter().skip_while(|byte| **byte == 0);
    significant.next().map_or(0, |first| (significant.count() + 1) * 8 - first.leading_zeros() as usize)
}

/// The modulus in a PKCS #1 `RSAPublicKey`: a sequence whose first member is the integer `n`.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = der_value(der, 0x30)?;
    der_value(sequence, 0x02).map(|(modulus, _)| modulus)
}

/// The content of the DER value with this tag at the start of `bytes`, and what follows it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
