//! The five methods.

mod examples;
mod races;
