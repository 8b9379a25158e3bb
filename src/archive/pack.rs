//! Packing files into an archive.

use std::io::{self, Cursor, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::finding::shown;
use super::limits::Limits;
use super::structure::check_name;

/// Why files cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A name is not a lawful relative path.
    #[error("`{name}` cannot be packed: {reason}")]
    Name {
        /// The name, with control characters escaped.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two files have one name.
    #[error("there are two files named `{0}`")]
    Duplicate(String),
    /// The files do not fit into a zip archive.
    #[error("the files cannot be packed")]
    Zip(#[source] io::Error),
}

/// Packs files into a zip archive: names relative, with `/`.
///
/// The same files give the same bytes, in whatever order they come: names are sorted, timestamps are that of
/// 1980-01-01, with which zip's calendar begins, and everything is deflated.
///
/// # Errors
///
/// A name that [`inspect`](super::inspect()) would refuse, a name given twice, or more than a zip can hold.
pub fn pack(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, PackError> {
    let limits = Limits::default();
    let mut sorted: Vec<&(String, Vec<u8>)> = files.iter().collect();
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    let mut previous = None;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::DEFLATE)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    for (name, bytes) in sorted {
        if let Some((_, reason)) = check_name(name, &limits).first().copied() {
            return Err(PackError::Name { name: shown(name), reason });
        }
        if previous.replace(name) == Some(name) {
            return Err(PackError::Duplicate(shown(name)));
        }
        writer.start_file(name, options).map_err(as_io)?;
        writer.write_all(bytes).map_err(PackError::Zip)?;
    }
    writer.finish().map(Cursor::into_inner).map_err(as_io)
}

fn as_io(error: ZipError) -> PackError {
    PackError::Zip(io::Error::other(error))
}
