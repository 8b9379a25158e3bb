//! The versions of a widget: looking at them, taking one back, choosing the current one.

pub mod api;
mod choose;
pub mod store;

pub use choose::{ChangeError, Choice, becomes_current, change};
