//! Dead events that are given another chance.

pub mod store;
