//! Tokens: which keys may have signed them, what they must claim, and that every refusal looks the same.

mod claims;
mod doors;
mod edges;
mod forged;
mod forms;
mod issuer;
mod keys;
mod reload;
mod remote;
pub mod signers;
mod start;
mod table;

pub use signers::Signer;
use signers::{Kind, Token, base64, jwks};
