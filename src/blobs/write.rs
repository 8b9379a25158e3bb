//! Writing the files of an archive, piece by piece: unpacked on a thread of its own, stored as they come.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

use tokio::sync::mpsc;

use super::pack::{BUDGET, Packer, Piece};
use super::store;
use crate::archive::{Files, Limits, ReadError};
use crate::database::{Connection, Failure};
use crate::digest::Sha256;

/// Pieces between the thread that unpacks and the one that stores.
const PIECES_AHEAD: usize = 4;

/// A file whose bytes are to be stored.
#[derive(Debug, Clone)]
pub struct NewBlob {
    /// Where it is in the archive.
    pub path: String,
    /// Of its bytes.
    pub sha256: Sha256,
    /// How many there are.
    pub size: u64,
    /// What they are.
    pub media_type: &'static str,
}

/// Why the files of an archive are not stored.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The archive cannot be read again, though it was accepted: a fault of ours or of the disk.
    #[error("the files of an accepted archive could not be read: {0}")]
    Archive(#[from] ReadError),
    /// A file could not be packed: a fault of ours.
    #[error("a file could not be packed: {0}")]
    Packing(#[from] io::Error),
    /// The thread that unpacks was lost.
    #[error("unpacking was interrupted")]
    Interrupted,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

/// Stores the bytes of those files that the database does not have; all in the caller's transaction.
///
/// # Errors
///
/// Why they are not stored; then the transaction must not be committed.
pub async fn write<R>(
    connection: &mut Connection,
    source: R,
    limits: &Limits,
    files: &[NewBlob],
) -> Result<(), BlobError>
where
    R: Read + Seek + Send + 'static,
{
    let mut wanted: Vec<NewBlob> = files.to_vec();
    wanted.sort_by_key(|file| file.sha256);
    wanted.dedup_by(|a, b| a.sha256 == b.sha256);
    let new = claim(connection, &wanted).await?;
    wanted.retain(|file| new.contains(&file.sha256));
    if wanted.is_empty() {
        return Ok(());
    }
    let (pieces, received) = mpsc::channel(PIECES_AHEAD);
    let (limits, files) = (*limits, wanted.clone());
    let unpacking = tokio::task::spawn_blocking(move || unpack(source, &limits, &files, &pieces));
    let stored = store_pieces(connection, received, &wanted).await;
    unpacking.await.map_err(|_| BlobError::Interrupted)??;
    stored
}

/// Writes down those blobs that are not there, holds all of them, and returns the new ones.
async fn claim(connection: &mut Connection, wanted: &[NewBlob]) -> Result<BTreeSet<Sha256>, Failure> {
    let digests: Vec<Sha256> = wanted.iter().map(|file| file.sha256).collect();
    let mut missing: Vec<_> =
        wanted.iter().map(|file| (file.sha256, i64::try_from(file.size).unwrap_or(i64::MAX))).collect();
    let mut new = BTreeSet::new();
    loop {
        new.extend(store::claim(connection, &missing).await?);
        let held: BTreeSet<Sha256> = store::hold(connection, &digests).await?.into_iter().collect();
        // A blob that was there can be removed before it is held: then it is a new one too.
        missing.retain(|(digest, _)| !held.contains(digest));
        if missing.is_empty() {
            return Ok(new);
        }
    }
}

/// Hands over the files in their order, in pieces of the size in which they are stored.
fn unpack<R: Read + Seek>(
    source: R,
    limits: &Limits,
    wanted: &[NewBlob],
    pieces: &mpsc::Sender<Piece>,
) -> Result<(), BlobError> {
    let mut files = Files::open(source, limits)?;
    let mut budget = BUDGET;
    for file in wanted {
        // A receiver that is gone has an error to tell, and wants no more.
        if pieces.is_closed() {
            return Ok(());
        }
        let mut packer = Packer::new(pieces, file, &mut budget);
        let mut written = Ok(());
        files.read(&file.path, |bytes| {
            if written.is_ok() {
                written = packer.write(bytes);
            }
        })?;
        written?;
        packer.finish()?;
    }
    Ok(())
}

async fn store_pieces(
    connection: &mut Connection,
    mut pieces: mpsc::Receiver<Piece>,
    files: &[NewBlob],
) -> Result<(), BlobError> {
    for file in files {
        let blob = file.sha256;
        loop {
            match pieces.recv().await.ok_or(BlobError::Interrupted)? {
                Piece::Bytes { form: None, position, bytes } => {
                    store::add_chunk(connection, blob, position, &bytes).await?;
                }
                Piece::Bytes { form: Some(form), position, bytes } => {
                    store::add_form_chunk(connection, blob, form, position, &bytes).await?;
                }
                Piece::EndOfForm { form, size } => {
                    store::add_form(connection, blob, form, i64::try_from(size).unwrap_or(i64::MAX)).await?;
                }
                Piece::EndOfFile => break,
            }
        }
    }
    Ok(())
}
