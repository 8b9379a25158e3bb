//! The answers to requests that carried an `Idempotency-Key`: how a client whose answer was lost finds out.

pub mod store;
