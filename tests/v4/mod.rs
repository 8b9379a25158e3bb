//! The five methods.

mod examples;
mod install;
mod races;
mod roundtrip;
