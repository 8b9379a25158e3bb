//! The five methods.

mod envelope;
mod examples;
