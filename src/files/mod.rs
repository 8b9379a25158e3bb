//! The files of published versions, as a front-end loads them: immutable, by version.

pub mod api;
mod range;
pub mod store;
