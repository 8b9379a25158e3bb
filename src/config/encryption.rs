//! Where the keys are that encrypt what is secret in the database.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretSlice;

use super::parse;
use super::reader::{Reader, Setting};

/// Bytes of a key.
pub const ENCRYPTION_KEY: usize = 32;

/// Where the key-encryption keys are.
#[derive(Debug, Clone)]
pub enum EncryptionKeys {
    /// Files in a folder; the last by name is the one that a rotation turns to.
    Folder(PathBuf),
    /// The keys themselves, 32 bytes each; the last is the one that a rotation turns to.
    Given(Vec<SecretSlice<u8>>),
}

impl EncryptionKeys {
    /// Reads the two settings; the outer `Option` is `None` after a mistake.
    #[expect(clippy::option_option, reason = "as every optional setting is read: a mistake, or none, or one")]
    pub(super) fn read(r: &mut Reader) -> Option<Option<Self>> {
        let folder = r.optional(
            Setting {
                name: "encryption_key_dir",
                default: "",
                explanation: "Folder of the keys that encrypt secrets in the database, files *.key of 32 bytes and mode 0400; with the embedded database one in the data directory.",
                secret: false,
            },
            parse::path,
        );
        let given = r.optional(
            Setting {
                name: "encryption_keys",
                default: "",
                explanation: "These keys themselves, 32 bytes each in base64, parted by commas; the last is the newest. Meant for the environment.",
                secret: true,
            },
            keys,
        );
        match (folder?, given?) {
            (Some(_), Some(_)) => {
                r.mistake("encryption_key_dir: is set, and encryption_keys too; set one of them".to_owned());
                None
            }
            (folder, given) => Some(folder.map(Self::Folder).or(given.map(Self::Given))),
        }
    }
}

fn keys(text: &str) -> Result<Vec<SecretSlice<u8>>, String> {
    text.split(',').map(str::trim).map(key).collect()
}

fn key(text: &str) -> Result<SecretSlice<u8>, String> {
    let bytes = STANDARD.decode(text).map(SecretSlice::from);
    let length = |bytes: &SecretSlice<u8>| secrecy::ExposeSecret::expose_secret(bytes).len();
    match bytes {
        Ok(bytes) if length(&bytes) == ENCRYPTION_KEY => Ok(bytes),
        Ok(bytes) => Err(format!("has a key of {} bytes; {ENCRYPTION_KEY} are needed", length(&bytes))),
        Err(_) => Err("is not base64; `openssl rand -base64 32` makes a key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_32_bytes_in_base64() {
        let (a, b) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        assert_eq!(keys(&format!("{a}, {b}")).unwrap().len(), 2);
        assert!(keys(&format!("{a},")).unwrap_err().contains("0 bytes"));
        assert!(keys(&STANDARD.encode([1; 31])).unwrap_err().contains("31 bytes"));
        assert!(keys("ä").unwrap_err().contains("not base64"));
        assert!(!format!("{:?}", keys(&a).unwrap()).contains('1'), "a key is not shown");
    }
}
