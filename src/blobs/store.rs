//! The SQL of blobs, a function per statement.

use super::Encoding;
use crate::database::{Connection, Failure, Pool};
use crate::digest::Sha256;

/// Writes down blobs that are to come, and returns the digests of those that were not there. Two writers of the same blob wait for
/// each other; both must name their blobs in the order of digests.
///
/// # Errors
///
/// When the database fails.
pub async fn claim(connection: &mut Connection, blobs: &[(Sha256, i64)]) -> Result<Vec<Sha256>, Failure> {
    let digests: Vec<&[u8]> = blobs.iter().map(|(digest, _)| digest.0.as_slice()).collect();
    let sizes: Vec<i64> = blobs.iter().map(|(_, size)| *size).collect();
    let new: Vec<Vec<u8>> = sqlx::query_scalar(
        "INSERT INTO blobs (sha256, size) SELECT * FROM unnest($1::bytea[], $2::bigint[]) \
         ON CONFLICT ON CONSTRAINT blobs_pkey DO NOTHING RETURNING sha256",
    )
    .bind(digests)
    .bind(sizes)
    .fetch_all(connection)
    .await?;
    self::digests(new, "blobs")
}

/// Keeps blobs from being removed until the transaction ends, and tells which of them are there.
///
/// # Errors
///
/// When the database fails.
pub async fn hold(connection: &mut Connection, blobs: &[Sha256]) -> Result<Vec<Sha256>, Failure> {
    let found: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT sha256 FROM blobs WHERE sha256 = ANY($1) ORDER BY sha256 FOR KEY SHARE")
            .bind(blobs.iter().map(|digest| digest.0.as_slice()).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
    digests(found, "blobs")
}

/// Waits for everybody who holds one of these blobs, and keeps others from it until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn lock(connection: &mut Connection, blobs: &[Sha256]) -> Result<(), Failure> {
    sqlx::query("SELECT FROM blobs WHERE sha256 = ANY($1) ORDER BY sha256 FOR UPDATE")
        .bind(blobs.iter().map(|digest| digest.0.as_slice()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes the pieces and the packed forms of blobs.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_chunks(connection: &mut Connection, blobs: &[Sha256]) -> Result<(), Failure> {
    for statement in [
        "DELETE FROM blob_form_chunks WHERE sha256 = ANY($1)",
        "DELETE FROM blob_forms WHERE sha256 = ANY($1)",
        "DELETE FROM blob_chunks WHERE sha256 = ANY($1)",
    ] {
        sqlx::query(statement)
            .bind(blobs.iter().map(|digest| digest.0.as_slice()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Removes blobs whose pieces are gone; they must be locked, and no file may have them.
///
/// # Errors
///
/// When the database fails.
pub async fn remove(connection: &mut Connection, blobs: &[Sha256]) -> Result<(), Failure> {
    sqlx::query("DELETE FROM blobs WHERE sha256 = ANY($1)")
        .bind(blobs.iter().map(|digest| digest.0.as_slice()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Digests as a table has them.
///
/// # Errors
///
/// [`Failure::Corrupt`] when one has not 32 bytes.
pub(crate) fn digests(found: impl IntoIterator<Item = Vec<u8>>, table: &'static str) -> Result<Vec<Sha256>, Failure> {
    let digest = |bytes: Vec<u8>| {
        Sha256::from_slice(&bytes).ok_or_else(|| Failure::Corrupt {
            table,
            row: format!("{bytes:?}"),
            why: "sha256: not 32 bytes".to_owned(),
        })
    };
    found.into_iter().map(digest).collect()
}

/// Writes one piece.
///
/// # Errors
///
/// When the database fails.
pub async fn add_chunk(connection: &mut Connection, blob: Sha256, position: i32, bytes: &[u8]) -> Result<(), Failure> {
    sqlx::query("INSERT INTO blob_chunks (sha256, position, bytes) VALUES ($1, $2, $3)")
        .bind(blob.0.as_slice())
        .bind(position)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes one piece of a packed form.
///
/// # Errors
///
/// When the database fails.
pub async fn add_form_chunk(
    connection: &mut Connection,
    blob: Sha256,
    form: Encoding,
    position: i32,
    bytes: &[u8],
) -> Result<(), Failure> {
    sqlx::query("INSERT INTO blob_form_chunks (sha256, encoding, position, bytes) VALUES ($1, $2, $3, $4)")
        .bind(blob.0.as_slice())
        .bind(form.as_str())
        .bind(position)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

/// Writes down a packed form whose pieces are there.
///
/// # Errors
///
/// When the database fails.
pub async fn add_form(connection: &mut Connection, blob: Sha256, form: Encoding, size: i64) -> Result<(), Failure> {
    sqlx::query("INSERT INTO blob_forms (sha256, encoding, size) VALUES ($1, $2, $3)")
        .bind(blob.0.as_slice())
        .bind(form.as_str())
        .bind(size)
        .execute(connection)
        .await?;
    Ok(())
}

/// Reads one piece; `None` past the last.
///
/// # Errors
///
/// When the database fails.
pub async fn chunk(pool: &Pool, blob: Sha256, position: i32) -> Result<Option<Vec<u8>>, Failure> {
    Ok(sqlx::query_scalar("SELECT bytes FROM blob_chunks WHERE sha256 = $1 AND position = $2")
        .bind(blob.0.as_slice())
        .bind(position)
        .fetch_optional(&mut *pool.catalogue().await?)
        .await?)
}

/// Reads one piece of a packed form; `None` past the last.
///
/// # Errors
///
/// When the database fails.
pub async fn form_chunk(pool: &Pool, blob: Sha256, form: Encoding, position: i32) -> Result<Option<Vec<u8>>, Failure> {
    Ok(sqlx::query_scalar("SELECT bytes FROM blob_form_chunks WHERE sha256 = $1 AND encoding = $2 AND position = $3")
        .bind(blob.0.as_slice())
        .bind(form.as_str())
        .bind(position)
        .fetch_optional(&mut *pool.catalogue().await?)
        .await?)
}
