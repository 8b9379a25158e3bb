//! Every test that needs more than one module, in one program: one link, one temporary database.
#![expect(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests fail by panicking, and nobody reads their documentation elsewhere"
)]

mod support;

mod architecture;
mod archive;
mod audit;
mod authorization;
mod bad_input;
mod canary;
mod catalogue;
mod continuations;
mod cors;
mod deletion;
mod delivery;
mod deprecation;
mod durability;
mod embedded;
mod explain;
mod files;
mod health;
mod hostile_uploads;
mod install_counts;
mod integrations;
mod lead_source;
mod limits;
mod memory;
mod metrics;
mod migrations;
mod oauth;
mod ownership;
mod packed_files;
mod plan;
mod program;
mod publishing;
mod publishing_fields;
mod ratings;
mod revocations;
mod sealing;
mod security;
mod supply_chain;
mod tokens;
mod uploads;
mod v4;
mod versions;
mod visibility;
mod walls;
