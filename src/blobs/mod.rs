//! Bytes by their digest: the content of published files, in pieces, in the database, and packed beside it where that pays.

mod pack;
mod packable;
pub mod store;
mod write;

pub use crate::encoding::Encoding;
pub use write::{BlobError, NewBlob, write};

/// Bytes of every piece but the last.
pub const CHUNK: u64 = PIECE as u64;
const PIECE: usize = 256 * 1024;
