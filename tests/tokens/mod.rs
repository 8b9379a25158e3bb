//! Tokens: which keys may have signed them, what they must claim, and that every refusal looks the same.

mod edges;
mod forged;
mod keys;
mod signers;
mod start;

use signers::{Kind, Signer, Token, base64, jwks};
