//! What the tests stand on: one temporary PostgreSQL for all of them, a database and a running service for each.

pub mod app;
pub mod client;
pub mod cluster;
mod contents;
pub mod engine;
mod locks;
pub mod raw;
pub mod record;
pub mod sample;
pub mod tokens;

pub use app::{Setup, TestApp, test, test_after, test_two, test_two_with, test_with};
pub use client::{Answer, Client};
pub use engine::Engine;
pub use raw::Raw;
pub use record::{randomness, secret};
pub use sample::Sample;
pub use tokens::Claims;
