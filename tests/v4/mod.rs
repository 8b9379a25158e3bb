//! The five methods.

mod examples;
mod races;
mod roundtrip;
