//! Writing the files of an archive, piece by piece: unpacked on a thread of its own, stored as they come.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use tokio::sync::mpsc;

use super::{CHUNK, store};
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
}

/// Why the files of an archive are not stored.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The archive cannot be read again, though it was accepted: a fault of ours or of the disk.
    #[error("the files of an accepted archive could not be read: {0}")]
    Archive(#[from] ReadError),
    /// The thread that unpacks was lost.
    #[error("unpacking was interrupted")]
    Interrupted,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Failure),
}

enum Piece {
    Bytes(Vec<u8>),
    EndOfFile,
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
    let (pieces, received) = mpsc::channel(PIECES_AHEAD);
    let (limits, paths) = (*limits, wanted.iter().map(|file| file.path.clone()).collect::<Vec<_>>());
    let unpacking = tokio::task::spawn_blocking(move || unpack(source, &limits, &paths, &pieces));
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
    paths: &[String],
    pieces: &mpsc::Sender<Piece>,
) -> Result<(), ReadError> {
    let chunk = usize::try_from(CHUNK).unwrap_or(usize::MAX);
    let mut files = Files::open(source, limits)?;
    for path in paths {
        // A receiver that is gone has an error to tell, and wants no more.
        if pieces.is_closed() {
            return Ok(());
        }
        let mut piece = Vec::with_capacity(chunk);
        files.read(path, |mut bytes| {
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(chunk - piece.len()));
                piece.extend_from_slice(now);
                bytes = later;
                if piece.len() == chunk {
                    let _ =
                        pieces.blocking_send(Piece::Bytes(std::mem::replace(&mut piece, Vec::with_capacity(chunk))));
                }
            }
        })?;
        if !piece.is_empty() {
            let _ = pieces.blocking_send(Piece::Bytes(piece));
        }
        let _ = pieces.blocking_send(Piece::EndOfFile);
    }
    Ok(())
}

async fn store_pieces(
    connection: &mut Connection,
    mut pieces: mpsc::Receiver<Piece>,
    files: &[NewBlob],
) -> Result<(), BlobError> {
    for file in files {
        let mut position = 0;
        loop {
            match pieces.recv().await {
                Some(Piece::Bytes(bytes)) => store::add_chunk(connection, file.sha256, position, &bytes).await?,
                Some(Piece::EndOfFile) => break,
                None => return Err(BlobError::Interrupted),
            }
            position += 1;
        }
    }
    Ok(())
}
