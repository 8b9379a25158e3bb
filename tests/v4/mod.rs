//! The five methods.

mod continue_bot;
mod examples;
mod install;
mod races;
mod roundtrip;
