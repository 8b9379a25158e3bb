//! Tokens for integrations that show their secret, in the shapes of the real service.
//!
//! An access token acts for somebody: for the integration's owner, or in an account that has a widget of the integration installed, for the
//! administrator who installed it. With it comes a refresh token, which is good for one use and is replaced by it.

pub mod api;
mod basic;
pub mod refresh_token;
mod request;
pub mod store;

use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::auth::Role;
use crate::background::{Stop, in_batches};
use crate::database::{Failure, Pool};
use crate::digest::Sha256;

/// How long an access token lives: a day, as those of the real service.
pub const ACCESS: Duration = Duration::from_hours(24);

/// Families of one integration in one account at most: a client that asks for new ones at every start ends its oldest.
pub const MOST_FAMILIES: i64 = 50;

/// Time between two looks for refresh tokens that are over.
const OLD: Duration = Duration::from_mins(10);

/// Rows that are removed at once.
const BATCH: i64 = 500;

/// On what grounds an integration acts for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The user is its owner.
    Owner,
    /// The user has installed a widget of it.
    Install,
}

impl Basis {
    /// As it stands in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Install => "install",
        }
    }

    /// The rights that follow. Only administrators install. Of an integration's owner nothing is known but that they publish, so that
    /// their integration cannot give them more rights in their account than they have.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Owner => Role::User,
            Self::Install => Role::Admin,
        }
    }
}

impl FromStr for Basis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Owner, Self::Install].into_iter().find(|basis| basis.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no basis of a grant"))
    }
}

/// The digest by which an integration's secret is compared and remembered: equally long for every secret, so that the time that it takes
/// to compare tells nothing.
#[must_use]
pub fn digest(secret: &SecretString) -> Sha256 {
    Sha256::of(&[b"integration secret\0", secret.expose_secret().as_bytes()])
}

/// Removes refresh tokens whose time is over, until it is asked to stop.
pub async fn remove_old(pool: Pool, stop: Stop) {
    in_batches("old refresh tokens", BATCH, OLD, stop, |most| remove_some(&pool, most)).await;
}

/// One transaction of [`remove_old`]: how many families it removed, of at most so many.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_some(pool: &Pool, most: i64) -> Result<u64, Failure> {
    let mut transaction = pool.begin_across_accounts().await?;
    let removed = store::remove_old(&mut transaction, most).await?;
    transaction.commit().await?;
    Ok(removed)
}
