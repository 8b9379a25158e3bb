//! The vocabulary of the wire: errors, links, bodies, callers, and the walk of a request through its checks. Knows no feature.

mod bearer;
pub mod caller;
pub mod conditional;
pub mod cors;
pub mod exchange;
pub mod fields;
pub mod grant;
pub mod hal;
pub mod head;
mod held;
pub mod json;
pub mod members;
pub mod negotiation;
pub mod origin;
pub mod page;
pub mod paths;
pub mod places;
pub mod problem;
pub mod query;
pub mod request_id;
pub mod route;
pub mod service;
pub mod shared;
pub mod upload;
pub mod violation;
pub(crate) mod weighted;
