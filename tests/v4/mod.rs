//! The five methods.

mod examples;
