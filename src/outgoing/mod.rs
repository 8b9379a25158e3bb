//! Calls to addresses that somebody else chose. What is on this machine or beside it is not to be reached through them.

mod address;
mod client;
mod retry_after;
mod target;

pub use client::{Answer, CallError, Client, ClientError};
pub use target::{Refused, Target};

/// What may be called beyond https to public addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Public addresses without TLS.
    pub http: bool,
    /// This machine's own loopback addresses (`127.0.0.0/8`, `::1`), with TLS and without: for development.
    pub loopback: bool,
}
