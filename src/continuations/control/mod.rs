//! What can be done about a record that waits, other than answering it.

pub mod api;
