//! Bytes by their digest: the content of published files, in pieces, in the database.

pub mod store;
mod write;

pub use write::{BlobError, NewBlob, write};

/// Bytes of every piece but the last.
pub const CHUNK: u64 = 256 * 1024;
