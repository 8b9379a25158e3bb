//! Every test that needs more than one module, in one program: one link, one temporary database.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and nobody reads their documentation elsewhere"
)]

mod support;

mod architecture;
mod archive;
mod authorization;
mod bad_input;
mod cors;
mod embedded;
mod files;
mod limits;
mod migrations;
mod program;
mod tokens;
mod v4;
mod versions;
