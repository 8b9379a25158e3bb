//! The catalogue for people: searching, filtering and sorting the widgets that a caller sees.

pub mod api;
pub mod cursor;
pub mod filter;
pub mod store;
