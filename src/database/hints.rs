//! Words between the servers of one database: `NOTIFY` and `LISTEN`. They only save time, and may be lost.

use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::{Failure, Pool, options_of};

/// Where they are said and heard.
const CHANNEL: &str = "widget_registry_deliveries";

/// The way to hear them: past a pooler, since listening belongs to a session.
#[derive(Debug, Clone)]
pub struct Hints {
    direct: PgConnectOptions,
}

impl Hints {
    /// From the URL of the database itself.
    ///
    /// # Errors
    ///
    /// When it is not a URL of a PostgreSQL database.
    pub fn of(direct_url: &SecretString) -> Result<Self, sqlx::Error> {
        Ok(Self { direct: options_of(direct_url)? })
    }

    /// Opens a connection that hears everything said from now on.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached.
    pub async fn listen(&self) -> Result<Listening, Failure> {
        // One connection, which lives as long as it is listened on.
        let one = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&one.connect_with(self.direct.clone()).await?).await?;
        listener.listen(CHANNEL).await?;
        Ok(Listening(listener))
    }
}

/// A connection that hears what servers say.
#[derive(Debug)]
pub struct Listening(PgListener);

impl Listening {
    /// The next word; `None` when the connection was lost, and words perhaps with it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        Ok(self.0.try_recv().await?.map(|word| word.payload().to_owned()))
    }
}

/// Says something to every server that listens. In a statement of its own: transactions that notify wait for each other at their end.
///
/// # Errors
///
/// When the database fails.
pub async fn say(pool: &Pool, word: &str) -> Result<(), Failure> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(word).execute(&mut *pool.catalogue().await?).await?;
    Ok(())
}
