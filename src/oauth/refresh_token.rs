//! The text of a refresh token: `refresh-ACCOUNT-FAMILY-SECRET`. It names where its digest stands, and nothing of it can be guessed.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::auth::AccountId;
use crate::digest::Sha256;
use crate::sources::{NoRandomness, Secrets};

const PREFIX: &str = "refresh";
/// Characters of the secret.
const SECRET: usize = 64;

/// A refresh token.
pub struct RefreshToken {
    /// The account in which it counts.
    pub account: AccountId,
    /// The family that it belongs to.
    pub family: Uuid,
    secret: SecretString,
}

impl RefreshToken {
    /// The first or the next one of a family.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn make(account: AccountId, family: Uuid, secrets: &Secrets) -> Result<Self, NoRandomness> {
        Ok(Self { account, family, secret: secrets.next()? })
    }

    /// Reads a token; `None` for any other text, such as a token of another kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(5, '-').collect();
        let [PREFIX, account, family, secret] = parts.as_slice() else { return None };
        let whole = secret.len() == SECRET && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // In one spelling only: the parser of ids takes several.
        let family = Uuid::try_parse(family).ok().filter(|id| id.simple().to_string() == *family)?;
        let token = Self { account: account.parse().ok()?, family, secret: SecretString::from((*secret).to_owned()) };
        whole.then_some(token)
    }

    /// As it is given to the client.
    #[must_use]
    pub fn text(&self) -> SecretString {
        let (account, family) = (self.account, self.family.simple());
        SecretString::from(format!("{PREFIX}-{account}-{family}-{}", self.secret.expose_secret()))
    }

    /// What is stored of it.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&[self.text().expose_secret().as_bytes()])
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({}, {})", self.account, self.family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let account = AccountId::new(31).unwrap();
        let token = RefreshToken::make(account, Uuid::from_u128(7), &Secrets::random()).unwrap();
        let text = token.text().expose_secret().to_owned();
        let read = RefreshToken::parse(&text).unwrap();
        assert_eq!((read.account, read.family, read.digest()), (account, token.family, token.digest()));
        assert!(!format!("{token:?}").contains(token.secret.expose_secret()));
        let next = RefreshToken::make(account, token.family, &Secrets::random()).unwrap();
        assert_ne!(next.digest(), token.digest());
        for wrong in [
            String::new(),
            text.to_uppercase(),
            text.replacen("-31-", "-031-", 1),
            text.replacen("-31-", "-0-", 1),
            format!("{text}-"),
            format!("{text}x"),
            text.replacen("refresh", "access", 1),
            text.replacen(&token.family.simple().to_string(), &token.family.to_string(), 1),
            text.replacen(&token.family.simple().to_string(), "7", 1),
            text.chars().take(text.len() - 1).collect(),
            format!("{}é", text.split_at(text.len() - 2).0),
            "a.b.c".to_owned(),
        ] {
            assert!(RefreshToken::parse(&wrong).is_none(), "{wrong}");
        }
    }
}
