//! Hints between the servers of one database: an event that one accepts hurries the others' workers and waiting calls. Everybody still
//! looks by itself now and then, so a hint that is lost costs half a second.

use std::time::Duration;

use crate::background::{Bell, Stop};
use crate::database::hints::{self, Hints};
use crate::database::{Failure, Pool};

/// Rings of this time are one hint.
const GATHER: Duration = Duration::from_millis(100);

/// Time before a lost connection is opened again.
const AGAIN: Duration = Duration::from_secs(5);

/// A connection that has been quiet for longer may be dead without saying so, and is opened anew.
const QUIET: Duration = Duration::from_mins(5);

/// Tells the other servers of the rings of this one, until it is asked to stop. `name` is this server's own.
pub async fn tell(pool: Pool, bell: Bell, name: String, mut stop: Stop) {
    let mut rung = bell.listen_here();
    loop {
        tokio::select! {
            () = stop.asked() => return,
            () = rung.heard() => {}
        }
        if let Err(error) = hints::say(&pool, &name).await {
            tracing::debug!(%error, "the other servers cannot be told now");
        }
        if stop.within(GATHER).await {
            return;
        }
    }
}

/// Rings when another server tells of something, until it is asked to stop.
pub async fn hear(hints: Hints, bell: Bell, name: String, mut stop: Stop) {
    loop {
        let heard = tokio::select! {
            () = stop.asked() => return,
            heard = hear_while_connected(&hints, &bell, &name) => heard,
        };
        if let Err(error) = heard {
            tracing::warn!(%error, "the other servers cannot be heard now; their events are found more slowly");
        }
        if stop.within(AGAIN).await {
            return;
        }
    }
}

async fn hear_while_connected(hints: &Hints, bell: &Bell, name: &str) -> Result<(), Failure> {
    let mut listening = hints.listen().await?;
    // Whatever was said before.
    bell.ring_quietly();
    while let Ok(word) = tokio::time::timeout(QUIET, listening.next()).await {
        match word? {
            // It is heard here as well as elsewhere.
            Some(word) if word == name => {}
            Some(_) => bell.ring_quietly(),
            None => break,
        }
    }
    Ok(())
}
