//! The text of a refresh token: `refresh-ACCOUNT-FAMILY-SECRET`. It names where its digest stands, and nothing of it can be guessed. The last
//! characters of the secret are a mark of the family, by which one that was given once is told from one that was mistyped or made up.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

use crate::auth::AccountId;
use crate::digest::Sha256;
use crate::sources::{NoRandomness, Secrets};

const PREFIX: &str = "refresh";
/// Characters of the secret; the first are random, and carry 261 bits.
const SECRET: usize = 64;
const RANDOM: usize = 44;

/// A refresh token.
pub struct RefreshToken {
    /// The account in which it counts.
    pub account: AccountId,
    /// The family that it belongs to.
    pub family: Uuid,
    secret: SecretString,
}

impl RefreshToken {
    /// The first or the next one of a family that was begun with the integration's secret of this digest.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn make(
        account: AccountId,
        family: Uuid,
        begun_with: &Sha256,
        secrets: &Secrets,
    ) -> Result<Self, NoRandomness> {
        let random: String = secrets.next()?.expose_secret().chars().take(RANDOM).collect();
        let mark = mark(account, family, begun_with, &random);
        Ok(Self { account, family, secret: SecretString::from(random + &mark) })
    }

    /// Whether it is one that [`make`](Self::make) has made for the family, at whatever time.
    #[must_use]
    pub fn was_made_for(&self, begun_with: &Sha256) -> bool {
        let parts = self.secret.expose_secret().split_at_checked(RANDOM);
        parts.is_some_and(|(random, end)| end == mark(self.account, self.family, begun_with, random))
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

/// 80 bits that only who knows the integration's secret can make.
fn mark(account: AccountId, family: Uuid, begun_with: &Sha256, random: &str) -> String {
    let account = account.get().to_be_bytes();
    let parts = [b"refresh token\0", &begun_with.0[..], &account, family.as_bytes(), random.as_bytes()];
    Sha256::of(&parts).to_string().chars().take(SECRET - RANDOM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let account = AccountId::new(31).unwrap();
        let secret = Sha256::of(&[b"secret"]);
        let token = RefreshToken::make(account, Uuid::from_u128(7), &secret, &Secrets::random()).unwrap();
        let text = token.text().expose_secret().to_owned();
        let read = RefreshToken::parse(&text).unwrap();
        assert_eq!((read.account, read.family, read.digest()), (account, token.family, token.digest()));
        assert!(!format!("{token:?}").contains(token.secret.expose_secret()));
        assert!(token.was_made_for(&secret) && !token.was_made_for(&Sha256::of(&[b"another"])));
        let next = RefreshToken::make(account, token.family, &secret, &Secrets::random()).unwrap();
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

    #[test]
    fn a_mistyped_one_was_made_for_nobody() {
        let (account, secret) = (AccountId::new(31).unwrap(), Sha256::of(&[b"secret"]));
        let token = RefreshToken::make(account, Uuid::from_u128(7), &secret, &Secrets::random()).unwrap();
        let text = token.text().expose_secret().to_owned();
        for at in text.len() - SECRET..text.len() {
            let other = |character| if character == 'a' { 'b' } else { 'a' };
            let mistyped: String = text
                .chars()
                .enumerate()
                .map(|(n, character)| if n == at { other(character) } else { character })
                .collect();
            assert!(!RefreshToken::parse(&mistyped).unwrap().was_made_for(&secret), "{at}");
        }
        let moved = RefreshToken::parse(&text.replacen("-31-", "-32-", 1)).unwrap();
        assert!(!moved.was_made_for(&secret));
    }
}
