//! The SQL of revocations, a function per statement.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::Kind;
use crate::auth::{AccountId, Revocation, Subject, UserId};
use crate::catalogue::Owner;
use crate::database::{Connection, Failure};

/// A revocation as people see it.
#[derive(Debug)]
pub struct Revoked {
    /// What it does.
    pub revocation: Revocation,
    /// Its number: a later one has a higher.
    pub version: i64,
    /// What was said about it.
    pub reason: Option<String>,
    /// Who did it.
    pub by: Owner,
}

/// The number of the latest revocation, 0 before the first.
///
/// # Errors
///
/// When the database fails.
pub async fn version(connection: &mut Connection) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar("SELECT version FROM revocation_mark WHERE id = 1").fetch_one(connection).await?)
}

/// Counts the mark up and returns its new value. Other revocations wait until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn next_version(connection: &mut Connection) -> Result<i64, Failure> {
    let statement = "UPDATE revocation_mark SET version = version + 1 WHERE id = 1 RETURNING version";
    Ok(sqlx::query_scalar(statement).fetch_one(connection).await?)
}

/// The account's other revocations of the same kind, counted up to `most`.
///
/// # Errors
///
/// When the database fails.
pub async fn others(
    connection: &mut Connection,
    account: AccountId,
    subject: &Subject,
    most: i64,
) -> Result<i64, Failure> {
    let (kind, subject) = Kind::of(subject);
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM revocations WHERE account_id = $1 AND kind = $2 AND subject <> $3 LIMIT $4) AS counted",
    )
    .bind(account.get())
    .bind(kind.as_str())
    .bind(subject)
    .bind(most)
    .fetch_one(connection)
    .await?)
}

/// Writes a revocation, in the place of the one before of the same tokens.
///
/// # Errors
///
/// When the database fails.
pub async fn write(connection: &mut Connection, revoked: &Revoked) -> Result<(), Failure> {
    let of = &revoked.revocation;
    let (kind, subject) = Kind::of(&of.subject);
    sqlx::query(
        "INSERT INTO revocations AS r (account_id, kind, subject, version, issued_until, kept_until, reason, \
           revoked_by_account_id, revoked_by_user_id) \
         VALUES ($1, $2, $3, $4, timestamptz 'epoch' + $5 * interval '1 microsecond', to_timestamp($6::bigint), $7, $8, $9) \
         ON CONFLICT ON CONSTRAINT revocations_pkey DO UPDATE SET version = excluded.version, \
           issued_until = greatest(r.issued_until, excluded.issued_until), \
           kept_until = greatest(r.kept_until, excluded.kept_until), reason = excluded.reason, \
           revoked_by_account_id = excluded.revoked_by_account_id, revoked_by_user_id = excluded.revoked_by_user_id",
    )
    .bind(of.account.get())
    .bind(kind.as_str())
    .bind(subject)
    .bind(revoked.version)
    .bind(of.issued_until)
    .bind(of.kept_until)
    .bind(&revoked.reason)
    .bind(revoked.by.account.get())
    .bind(revoked.by.user.get())
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns that [`revoked`] reads.
macro_rules! columns {
    () => {
        "account_id, kind, subject, version, (extract(epoch FROM issued_until) * 1000000)::bigint AS issued_until, \
         extract(epoch FROM kept_until)::bigint AS kept_until, reason, revoked_by_account_id, revoked_by_user_id"
    };
}

/// Revocations of every account that are newer than a version and still in force, the oldest first, at most `count`.
///
/// Servers learn from this what they refuse, so it names no account.
///
/// # Errors
///
/// When the database fails.
pub async fn newer(connection: &mut Connection, version: i64, now: i64, count: i64) -> Result<Vec<Revoked>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM revocations WHERE version > $1 AND kept_until > to_timestamp($2::bigint) ORDER BY version LIMIT $3"
    ))
    .bind(version)
    .bind(now)
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(revoked).collect()
}

/// The account's revocations in force, the latest first, at most `count`; those before a version.
///
/// # Errors
///
/// When the database fails.
pub async fn list(
    connection: &mut Connection,
    account: AccountId,
    before: Option<i64>,
    now: i64,
    count: i64,
) -> Result<Vec<Revoked>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        columns!(),
        " FROM revocations WHERE account_id = $1 AND ($2::bigint IS NULL OR version < $2) \
         AND kept_until > to_timestamp($3::bigint) ORDER BY version DESC LIMIT $4"
    ))
    .bind(account.get())
    .bind(before)
    .bind(now)
    .bind(count)
    .fetch_all(connection)
    .await?;
    rows.iter().map(revoked).collect()
}

fn revoked(row: &PgRow) -> Result<Revoked, Failure> {
    let (account, kind): (i64, String) = (row.try_get("account_id")?, row.try_get("kind")?);
    let subject: String = row.try_get("subject")?;
    let corrupt = |why: &str| Failure::Corrupt {
        table: "revocations",
        row: format!("{account}, {kind}, {subject}"),
        why: why.to_owned(),
    };
    let account_id = |name| -> Result<AccountId, Failure> {
        AccountId::new(row.try_get(name)?).ok_or_else(|| corrupt("an account is not positive"))
    };
    let user = UserId::new(row.try_get("revoked_by_user_id")?).ok_or_else(|| corrupt("a user is not positive"))?;
    Ok(Revoked {
        revocation: Revocation {
            account: account_id("account_id")?,
            subject: read_subject(&kind, &subject).ok_or_else(|| corrupt("the subject cannot be read"))?,
            issued_until: row.try_get("issued_until")?,
            kept_until: row.try_get("kept_until")?,
        },
        version: row.try_get("version")?,
        reason: row.try_get("reason")?,
        by: Owner { account: account_id("revoked_by_account_id")?, user },
    })
}

fn read_subject(kind: &str, subject: &str) -> Option<Subject> {
    match kind.parse().ok()? {
        Kind::Token => Some(Subject::Token(subject.to_owned())),
        Kind::User => subject.parse().ok().map(Subject::User),
        Kind::Client => subject.parse().ok().map(Subject::Client),
    }
}

/// Removes revocations whose tokens had all expired at `now`, at most `count`; how many there were.
///
/// # Errors
///
/// When the database fails.
pub async fn remove_old(connection: &mut Connection, now: OffsetDateTime, count: i64) -> Result<u64, Failure> {
    let removed = sqlx::query(
        "WITH old AS (SELECT account_id, kind, subject FROM revocations WHERE kept_until <= $1 ORDER BY kept_until LIMIT $2) \
         DELETE FROM revocations r USING old \
         WHERE r.account_id = old.account_id AND r.kind = old.kind AND r.subject = old.subject AND r.kept_until <= $1",
    )
    .bind(now)
    .bind(count)
    .execute(connection)
    .await?;
    Ok(removed.rows_affected())
}
