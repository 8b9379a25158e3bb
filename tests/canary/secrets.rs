//! The secrets of a run, as they come to be known.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::search::Searcher;

/// Every secret by name.
#[derive(Default)]
pub struct Secrets(RefCell<Vec<(String, Vec<u8>)>>);

impl Secrets {
    pub fn note(&self, name: &str, secret: impl AsRef<[u8]>) {
        let noted = (name.to_owned(), secret.as_ref().to_vec());
        if !self.0.borrow().contains(&noted) {
            self.0.borrow_mut().push(noted);
        }
    }

    /// A new random word that is secret.
    pub fn word(&self, name: &str) -> String {
        let word = Uuid::new_v4().simple().to_string();
        self.note(name, &word);
        word
    }

    /// A secret that the service made: as it is written, and the bytes that it stands for.
    pub fn made(&self, name: &str, text: &str) {
        self.note(name, text);
        if let Some(Ok(bytes)) = text.strip_prefix("whsec_").map(|rest| STANDARD.decode(rest)) {
            self.note(name, bytes);
        } else if let Some(bytes) = from_hex(text) {
            self.note(name, bytes);
        }
    }

    /// A token: who it is of may be told, so what is secret is its signature. Without that nobody takes it.
    pub fn token(&self, name: &str, token: &str) {
        let signature = token.rsplit('.').next().unwrap();
        self.note(name, signature);
        self.note(name, base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap());
    }

    /// A refresh token, `refresh-ACCOUNT-FAMILY-SECRET`: the last part alone cannot be known.
    pub fn refresh_token(&self, token: &str) {
        let secret = token.splitn(4, '-').nth(3).unwrap();
        assert!(secret.len() >= 32, "{token}");
        self.note("refresh token", secret);
    }

    /// The keys in the folder of keys: those that sign, and those that encrypt keys, which are returned with their file's name.
    pub fn keys(&self, folder: &Path) -> Vec<Vec<u8>> {
        let mut encrypting = Vec::new();
        for path in super::world::files(folder) {
            let bytes = fs::read(&path).unwrap();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("pem") => {
                    let document = pem::parse(bytes).unwrap();
                    if document.tag().contains("PUBLIC") {
                        continue;
                    }
                    // PKCS #8 of Ed25519 without the public half ends with the private one.
                    assert_eq!(document.contents().len(), 48, "{}", path.display());
                    self.note("signing key", &document.contents()[16..]);
                }
                Some("key") => {
                    assert_eq!(bytes.len(), 32, "{}", path.display());
                    self.note("key-encryption key", &bytes);
                    encrypting.push(bytes);
                }
                _ => {}
            }
        }
        assert!(!encrypting.is_empty());
        encrypting
    }

    /// A data key, as its row has it: account, number, id of the key that wraps it, wrapped bytes. Opened as `sealing` does it, which
    /// gives the bytes of no key away.
    pub fn data_key(&self, encrypting: &[Vec<u8>], (account, id, kek, wrapped): &(i64, i32, String, Vec<u8>)) {
        let of_sealed = "widget-registry data key, every row is sealed";
        let use_of_key = if wrapped[0] == 2 { of_sealed } else { "widget-registry data key" };
        let parts = [use_of_key, kek, "data_keys", &account.to_string(), &id.to_string()];
        let proved: Vec<u8> =
            parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes(), part.as_bytes()].concat()).collect();
        let nonce: [u8; 12] = wrapped[1..13].try_into().unwrap();
        let opened = encrypting.iter().find_map(|key| {
            let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
            let mut bytes = wrapped[13..].to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            key.open_in_place(nonce, Aad::from(&proved), &mut bytes).ok().map(|bytes| bytes.to_vec())
        });
        self.note("data key", opened.expect("one of the keys opens it"));
    }

    pub fn searcher(&self) -> Searcher {
        let secrets = self.0.borrow();
        Searcher::new(secrets.iter().map(|(name, secret)| (name.as_str(), secret.as_slice())))
    }

    /// The names of all kinds that were noted.
    pub fn kinds(&self) -> std::collections::BTreeSet<String> {
        self.0.borrow().iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Bytes of an even number of hexadecimal digits.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(digits).collect()
}
