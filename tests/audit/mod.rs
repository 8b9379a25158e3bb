//! The audit log: what is written, by whom it is read, and what its check finds.

mod api;
mod chain;
mod changes;
mod concurrency;
mod program;
