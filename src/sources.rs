//! Time and randomness, the two inputs of a program that its tests must be able to choose.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use time::OffsetDateTime;
use uuid::Uuid;

/// Tells the wall-clock time. Used for the lifetime of tokens only: every time that is stored or compared in the database comes
/// from the database's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The clock of the operating system.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
    pub fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that a test sets.
    #[must_use]
    pub fn new(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        (self.0)()
    }

    /// Microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn microseconds(&self) -> i64 {
        i64::try_from(self.now().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
    }

    /// Seconds since 1970-01-01 UTC, as tokens count.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.now().unix_timestamp()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Makes identifiers that nobody can guess: request ids and token ids.
#[derive(Clone)]
pub struct Identifiers(Arc<dyn Fn() -> Uuid + Send + Sync>);

impl Identifiers {
    /// Random version 4 UUIDs from the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(Uuid::new_v4))
    }

    /// A source that a test sets.
    #[must_use]
    pub fn new(next: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self(Arc::new(next))
    }

    /// The next identifier.
    #[must_use]
    pub fn next(&self) -> Uuid {
        (self.0)()
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identifiers")
    }
}

/// Makes secrets that nobody can guess.
#[derive(Clone)]
pub struct Secrets(Arc<Fill>);

/// Fills bytes at random.
type Fill = dyn Fn(&mut [u8]) -> Result<(), NoRandomness> + Send + Sync;

/// The operating system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random numbers")]
pub struct NoRandomness;

impl Secrets {
    /// Characters of a secret: as many as those of the real service have. They carry 381 bits.
    const LENGTH: usize = 64;
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// From the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(|bytes| aws_lc_rs::rand::fill(bytes).map_err(|_| NoRandomness)))
    }

    /// A source that a test sets: it fills the bytes that it is given.
    #[must_use]
    pub fn new(fill: impl Fn(&mut [u8]) -> Result<(), NoRandomness> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// The next secret: 64 letters and digits, each as likely as any other.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn next(&self) -> Result<SecretString, NoRandomness> {
        let mut text = String::with_capacity(Self::LENGTH);
        while text.len() < Self::LENGTH {
            let mut bytes = [0; Self::LENGTH];
            (self.0)(&mut bytes)?;
            // Bytes past the last whole round of the alphabet would make its first characters more likely.
            let fair = bytes.into_iter().filter(|byte| usize::from(*byte) < 256 / 62 * 62);
            let characters = fair.filter_map(|byte| Self::ALPHABET.get(usize::from(byte) % 62));
            text.extend(characters.take(Self::LENGTH - text.len()).map(|byte| char::from(*byte)));
        }
        Ok(SecretString::from(text))
    }

    /// Fills some bytes: nonces and keys.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        (self.0)(bytes)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn every_character_is_as_likely() {
        let start = std::sync::atomic::AtomicU8::new(0);
        // Every byte equally often: 4 × 64 of them are all 256 values.
        let secrets = Secrets::new(move |bytes| {
            let first = start.fetch_add(64, std::sync::atomic::Ordering::Relaxed);
            bytes.iter_mut().zip(first..=first + 63).for_each(|(byte, value)| *byte = value);
            Ok(())
        });
        let mut seen: BTreeMap<char, usize> = BTreeMap::new();
        let text = |secret: SecretString| secret.expose_secret().to_owned();
        // Of 256 values 248 count. The rest of the last fill is not used.
        for character in (0..3).flat_map(|_| text(secrets.next().unwrap()).chars().collect::<Vec<_>>()) {
            *seen.entry(character).or_default() += 1;
        }
        assert_eq!((seen.len(), seen.values().sum::<usize>()), (62, 192));
        assert!(seen.values().all(|count| (3..=4).contains(count)), "{seen:?}");
    }

    #[test]
    fn secrets_are_long_and_differ_and_do_not_show() {
        let (one, other) = (Secrets::random().next().unwrap(), Secrets::random().next().unwrap());
        assert_eq!(one.expose_secret().len(), 64);
        assert!(one.expose_secret().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(!format!("{one:?}").contains(one.expose_secret()));
        let broken = Secrets::new(|_| Err(NoRandomness));
        assert_eq!(broken.next().unwrap_err(), NoRandomness);
    }
}
