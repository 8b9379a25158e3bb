//! Of the service's `http`, the reader of JSON bodies.

#[path = "../../src/http/json.rs"]
pub mod json;
#[path = "../../src/http/violation.rs"]
pub mod violation;
