//! What can be seen of records that wait or waited, and what a bot's texts make of what the widget sent.

pub mod api;
pub mod store;
