//! What an archive without errors holds, and how its files are read again.

use std::io::{self, Read, Seek, SeekFrom};

use super::entries::is_dropped;
use super::finding::Findings;
use super::limits::Limits;
use super::manifest::Manifest;
use super::structure::{self, Record};
use super::unpack::{UnpackError, unpack};

/// An archive in which no error was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// SHA-256 of the archive's bytes as they came.
    pub sha256: [u8; 32],
    /// Size of the archive in bytes.
    pub packed_size: u64,
    /// Its `manifest.json`.
    pub manifest: Manifest,
    /// Its files by path, without directories and without what is dropped (`__MACOSX/`, `._*`, `.DS_Store`, `.idea/`,
    /// `.git/`).
    pub files: Vec<PackagedFile>,
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackagedFile {
    /// Path relative to the root, with `/`; at most 10 segments and 512 bytes.
    pub path: String,
    /// Unpacked size in bytes.
    pub size: u64,
    /// SHA-256 of the unpacked bytes.
    pub sha256: [u8; 32],
    /// Media type by the first bytes; the name decides only where bytes do not tell.
    pub media_type: &'static str,
    /// `false` for server code, secrets, nested archives, source maps, hidden files, and for a `manifest.json` that
    /// holds a secret key.
    pub served: bool,
}

/// Why a file of an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source failed.
    #[error("the archive cannot be read")]
    Io(#[from] io::Error),
    /// The archive is not one that was accepted.
    #[error("the archive is not an accepted one")]
    Refused,
    /// The archive has no file of this path.
    #[error("the archive has no such file")]
    NotFound,
    /// The file's bytes are broken.
    #[error(transparent)]
    Broken(#[from] UnpackError),
}

/// The files of an accepted archive, opened once and read in any order.
pub struct Files<R> {
    source: R,
    records: Vec<Record>,
}

impl<R: Read + Seek> Files<R> {
    /// Reads the archive's records again.
    ///
    /// # Errors
    ///
    /// [`ReadError::Io`] of the source; [`ReadError::Refused`] when a record is wrong.
    pub fn open(mut source: R, limits: &Limits) -> Result<Self, ReadError> {
        let size = source.seek(SeekFrom::End(0))?;
        let mut findings = Findings::default();
        let records =
            if size > limits.packed { None } else { structure::scan(&mut source, size, limits, &mut findings)? };
        match records {
            Some(mut records) if !findings.any_error() => {
                records.retain(|record| !record.directory && !is_dropped(&record.path));
                Ok(Self { source, records })
            }
            Some(_) | None => Err(ReadError::Refused),
        }
    }

    /// Hands one file's bytes to `sink`, in pieces of at most 32 KiB.
    ///
    /// The bytes of `manifest.json` may hold a secret key: store [`Manifest::redacted`] instead.
    ///
    /// # Errors
    ///
    /// [`ReadError::NotFound`], [`ReadError::Broken`] after some of the bytes, [`ReadError::Io`] of the source.
    pub fn read(&mut self, path: &str, sink: impl FnMut(&[u8])) -> Result<(), ReadError> {
        let record = self.records.iter().find(|record| record.path == path).ok_or(ReadError::NotFound)?;
        Ok(unpack(&mut self.source, record, sink)??)
    }
}

impl<R> std::fmt::Debug for Files<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("records", &self.records).finish_non_exhaustive()
    }
}

/// One file's bytes of an archive that was accepted; [`Files`] reads several with one reading of the records.
///
/// The bytes of `manifest.json` may hold a secret key: store [`Manifest::redacted`] instead.
///
/// # Errors
///
/// [`ReadError::Refused`] for an archive that is not accepted, [`ReadError::NotFound`], [`ReadError::Broken`], and
/// [`ReadError::Io`] of the source.
pub fn read_file<R: Read + Seek>(source: R, path: &str, limits: &Limits) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    Files::open(source, limits)?.read(path, |piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}
