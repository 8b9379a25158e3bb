//! Sealing and opening: AES-256-GCM with a data key, and data keys wrapped by a key-encryption key. Pure but for the nonces.
//!
//! A sealed value is one byte for the version (1), 8 for the account and 4 for the number of its data key (both big-endian), 12 for the
//! nonce, then the encrypted value and the 16 bytes that prove it. What is proved besides: all of that, and the place where the value
//! stands. So it opens nowhere else.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretSlice};

use super::{Fault, KeyId};
use crate::auth::AccountId;
use crate::config::ENCRYPTION_KEY;
use crate::sources::Secrets;

/// The version of sealed values.
const VERSION: u8 = 1;
/// Bytes before the nonce: version, account, data key.
const HEADER: usize = 13;
/// What tells the two uses of a key apart.
const VALUE: &[u8] = b"widget-registry value";
const DATA_KEY: &[u8] = b"widget-registry data key";
const DATA_KEY_OF_SEALED: &[u8] = b"widget-registry data key, every row is sealed";

/// What the wrapping of a data key says, under proof, of rows that are older than sealing. Whoever has no key-encryption key can take the
/// word from a data key only together with the key, and with all that it has sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// There may be some.
    Mixed,
    /// There is none any more.
    AllSealed,
}

impl Era {
    /// What a wrapped data key begins with.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Mixed => 1,
            Self::AllSealed => 2,
        }
    }

    /// The era that a wrapped data key says; `None` when it begins with something else.
    #[must_use]
    pub fn of(wrapped: &[u8]) -> Option<Self> {
        [Self::Mixed, Self::AllSealed].into_iter().find(|era| wrapped.first() == Some(&era.byte()))
    }

    const fn use_of_key(self) -> &'static [u8] {
        match self {
            Self::Mixed => DATA_KEY,
            Self::AllSealed => DATA_KEY_OF_SEALED,
        }
    }
}

/// Where a value stands: table, row and field. A value that was sealed for one place opens at no other.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table.
    pub table: &'static str,
    parts: Vec<String>,
}

impl Place {
    /// A place, from the table down to the field.
    #[must_use]
    pub fn new(table: &'static str, parts: &[&dyn fmt::Display]) -> Self {
        Self { table, parts: parts.iter().map(ToString::to_string).collect() }
    }

    /// As a log names it.
    #[must_use]
    pub fn row(&self) -> String {
        self.parts.join("/")
    }

    /// The fault of a value at this place that is not sealed, when all should be.
    #[must_use]
    pub fn unsealed(&self) -> Fault {
        Fault::Unsealed { table: self.table, row: self.row() }
    }

    /// The fault of a value at this place that does not open.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::Unopened { table: self.table, row: self.row() }
    }

    /// Each part after its length, so that no two places have the same bytes.
    fn proved(&self, use_of_key: &[u8], header: &[u8]) -> Vec<u8> {
        let parts = self.parts.iter().map(String::as_bytes);
        proved([use_of_key, header, self.table.as_bytes()].into_iter().chain(parts))
    }
}

fn proved<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A sealed value whose beginning can be read.
#[derive(Clone)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Reads the beginning; `None` when this is no sealed value.
    #[must_use]
    pub fn parse(bytes: Vec<u8>) -> Option<Self> {
        let sealed = Self(bytes);
        let whole = sealed.0.len() >= HEADER + NONCE_LEN + AES_256_GCM.tag_len() && sealed.0.first() == Some(&VERSION);
        (whole && sealed.key().is_some()).then_some(sealed)
    }

    /// The account and the number of the data key.
    #[must_use]
    pub fn key(&self) -> Option<(AccountId, i32)> {
        let (header, _) = self.0.split_first_chunk::<HEADER>()?;
        let [_, account @ .., a, b, c, d] = *header;
        let id = i32::from_be_bytes([a, b, c, d]);
        Some((AccountId::new(i64::from_be_bytes(account))?, id))
    }

    /// As it is stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({:?})", self.key())
    }
}

/// A data key, ready for use.
pub struct DataKey {
    /// Whose it is.
    pub account: AccountId,
    /// Its number in the account, from 1.
    pub id: i32,
    key: LessSafeKey,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, {})", self.account, self.id)
    }
}

impl DataKey {
    fn header(&self) -> [u8; HEADER] {
        let mut header = [VERSION; HEADER];
        let bytes = self.account.get().to_be_bytes().into_iter().chain(self.id.to_be_bytes());
        header.iter_mut().skip(1).zip(bytes).for_each(|(to, from)| *to = from);
        header
    }

    /// Seals a value for its place.
    ///
    /// # Errors
    ///
    /// Without randomness.
    pub fn seal(&self, place: &Place, value: &[u8], secrets: &Secrets) -> Result<Sealed, Fault> {
        let header = self.header();
        let mut bytes = header.to_vec();
        bytes.extend(encrypt(&self.key, &place.proved(VALUE, &header), value, secrets)?);
        Ok(Sealed(bytes))
    }

    /// Whether what is stored says that it was sealed with this key.
    #[must_use]
    pub fn has_sealed(&self, stored: &[u8]) -> bool {
        Sealed::parse(stored.to_vec()).and_then(|sealed| sealed.key()) == Some((self.account, self.id))
    }

    /// Opens a value that was sealed for this place with this key.
    ///
    /// # Errors
    ///
    /// When it was not, or a bit of it was changed.
    pub fn open(&self, place: &Place, sealed: &Sealed) -> Result<SecretSlice<u8>, Fault> {
        let header = self.header();
        let encrypted = sealed.0.strip_prefix(header.as_slice());
        encrypted
            .and_then(|encrypted| decrypt(&self.key, &place.proved(VALUE, &header), encrypted))
            .ok_or_else(|| place.fault())
    }
}

/// A key that wraps data keys.
pub struct KeyEncryptionKey {
    /// Its id.
    pub id: KeyId,
    key: LessSafeKey,
}

impl fmt::Debug for KeyEncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyEncryptionKey({})", self.id)
    }
}

impl KeyEncryptionKey {
    /// From its 32 bytes; `None` for another number.
    #[must_use]
    pub fn of_bytes(bytes: &SecretSlice<u8>) -> Option<Self> {
        let id = KeyId::of_key(bytes.expose_secret());
        key(bytes.expose_secret()).map(|key| Self { id, key })
    }

    /// Makes a new data key and wraps it: what is stored of it.
    ///
    /// # Errors
    ///
    /// Without randomness.
    pub fn make(&self, account: AccountId, id: i32, era: Era, secrets: &Secrets) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; ENCRYPTION_KEY];
        secrets.fill(&mut bytes)?;
        self.wrap((account, id, era), &SecretSlice::from(bytes), secrets)
    }

    /// Wraps a data key: a byte for the era, then nonce, encrypted key and proof.
    ///
    /// # Errors
    ///
    /// Without randomness.
    fn wrap(
        &self,
        (account, id, era): (AccountId, i32, Era),
        bytes: &SecretSlice<u8>,
        secrets: &Secrets,
    ) -> Result<Vec<u8>, Fault> {
        let mut wrapped = vec![era.byte()];
        wrapped.extend(encrypt(&self.key, &self.proved(account, id, era), bytes.expose_secret(), secrets)?);
        Ok(wrapped)
    }

    /// Unwraps a data key; `None` when it was wrapped with another key or for another account or number, or changed.
    fn unwrap_bytes(&self, account: AccountId, id: i32, wrapped: &[u8]) -> Option<SecretSlice<u8>> {
        let (era, encrypted) = (Era::of(wrapped)?, wrapped.get(1..)?);
        decrypt(&self.key, &self.proved(account, id, era), encrypted)
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    ///
    /// When it was wrapped with another key or for another account or number, or changed.
    pub fn open(&self, account: AccountId, id: i32, wrapped: &[u8]) -> Result<DataKey, Fault> {
        let key = self.unwrap_bytes(account, id, wrapped).and_then(|bytes| key(bytes.expose_secret()));
        key.map(|key| DataKey { account, id, key }).ok_or_else(|| data_key_place(account, id).fault())
    }

    /// Wraps a data key with this key that another one had wrapped, or this one in an era before.
    ///
    /// # Errors
    ///
    /// As [`KeyEncryptionKey::open`], and without randomness.
    pub fn take_over(
        &self,
        from: &Self,
        (account, id, era): (AccountId, i32, Era),
        wrapped: &[u8],
        secrets: &Secrets,
    ) -> Result<Vec<u8>, Fault> {
        let bytes = from.unwrap_bytes(account, id, wrapped).ok_or_else(|| data_key_place(account, id).fault())?;
        // What was said once is never taken back.
        let era = Era::of(wrapped).map_or(era, |said| said.max(era));
        self.wrap((account, id, era), &bytes, secrets)
    }

    fn proved(&self, account: AccountId, id: i32, era: Era) -> Vec<u8> {
        data_key_place(account, id).proved(era.use_of_key(), self.id.as_str().as_bytes())
    }
}

pub(super) fn data_key_place(account: AccountId, id: i32) -> Place {
    Place::new("data_keys", &[&account, &id])
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes).ok().map(LessSafeKey::new)
}

/// Nonce, encrypted value and proof. The nonce is random: a key may seal 2^32 values before two of the same become as likely as NIST SP
/// 800-38D, 8.3, puts up with.
fn encrypt(key: &LessSafeKey, proved: &[u8], value: &[u8], secrets: &Secrets) -> Result<Vec<u8>, Fault> {
    let mut nonce = [0; NONCE_LEN];
    secrets.fill(&mut nonce)?;
    let mut bytes = value.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(proved), &mut bytes)
        .map_err(|_| Fault::Refused)?;
    Ok([nonce.as_slice(), &bytes].concat())
}

fn decrypt(key: &LessSafeKey, proved: &[u8], encrypted: &[u8]) -> Option<SecretSlice<u8>> {
    let (nonce, encrypted) = encrypted.split_first_chunk::<NONCE_LEN>()?;
    let mut bytes = encrypted.to_vec();
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(proved), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(SecretSlice::from(bytes))
}
