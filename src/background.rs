//! Work that goes on beside the requests, from start to stop: sweepers and workers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::database::Failure;

/// Time before work that failed in a way of its own making is begun again.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// Tells a piece of work when to end.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Whether the end has been asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits until the end is asked for.
    pub async fn asked(&mut self) {
        // A sender that is gone asks as well.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Waits for some time; `true` when the end was asked for meanwhile.
    pub async fn within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.asked()).await.is_ok()
    }
}

/// A bell that is rung when there may be work. It only saves time: whoever waits for it looks by itself now and then.
#[derive(Debug, Clone)]
pub struct Bell {
    workers: watch::Sender<()>,
    /// For those who wait for what is of one account; accounts share places.
    accounts: Arc<[watch::Sender<()>; PLACES]>,
    here: watch::Sender<()>,
}

/// Of those who wait for what is of one account, a ring for another one wakes one of so many.
const PLACES: usize = 16;

impl Default for Bell {
    fn default() -> Self {
        let accounts = std::array::from_fn(|_| watch::Sender::new(()));
        Self { workers: watch::Sender::new(()), accounts: Arc::new(accounts), here: watch::Sender::new(()) }
    }
}

impl Bell {
    /// Wakes everybody who listens.
    pub fn ring(&self) {
        self.ring_quietly();
        self.here.send_replace(());
    }

    /// Wakes those who look for work, but not those who tell others of it: they have told us.
    pub fn ring_quietly(&self) {
        self.workers.send_replace(());
        for place in self.accounts.iter() {
            place.send_replace(());
        }
    }

    /// Wakes those who wait for what is of this account, and those who tell others of it: there is nothing for anybody else.
    pub fn ring_for(&self, account: i64) {
        if let Some(place) = self.place(account) {
            place.send_replace(());
        }
        self.here.send_replace(());
    }

    /// Hears every ring from now on but those for one account.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.workers.subscribe())
    }

    /// Hears every ring from now on that is for everybody or for this account.
    #[must_use]
    pub fn listen_for(&self, account: i64) -> Listener {
        Listener(self.place(account).unwrap_or(&self.workers).subscribe())
    }

    /// Hears every ring from now on but the quiet ones.
    #[must_use]
    pub fn listen_here(&self) -> Listener {
        Listener(self.here.subscribe())
    }

    fn place(&self, account: i64) -> Option<&watch::Sender<()>> {
        let place = usize::try_from(account.unsigned_abs() % PLACES as u64).ok()?;
        self.accounts.get(place)
    }
}

/// Hears a [`Bell`].
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Waits for a ring since the last one that was waited for.
    pub async fn heard(&mut self) {
        // A bell that is gone rings no more.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for a ring since the last one that was waited for, at most for some time.
    pub async fn heard_within(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.heard()).await;
    }
}

/// The running pieces of work.
#[derive(Debug)]
pub struct Background {
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

impl Default for Background {
    fn default() -> Self {
        Self { stop: watch::Sender::new(false), running: JoinSet::new() }
    }
}

impl Background {
    /// Begins a piece of work, which ends soon after its [`Stop`] asks for it. One that panics is told of in the log and begun again.
    pub fn start<W>(&mut self, name: &'static str, work: impl Fn(Stop) -> W + Send + 'static)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let mut stop = Stop(self.stop.subscribe());
        self.running.spawn(async move {
            while let Err(error) = tokio::spawn(work(stop.clone())).await {
                tracing::error!(name, %error, "background work broke off; it begins again");
                if stop.within(AFTER_A_PANIC).await {
                    break;
                }
            }
        });
    }

    /// Asks everything to end, and waits for it.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

/// Repeats `work`, which handles at most `batch` things and tells how many, until it is asked to stop: at once after a full batch, else
/// after `pause`. `things` names them in the log.
pub async fn in_batches<W>(
    things: &'static str,
    batch: i64,
    pause: Duration,
    mut stop: Stop,
    work: impl Fn(i64) -> W + Send,
) where
    W: Future<Output = Result<u64, Failure>> + Send,
{
    loop {
        let done = work(batch).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "{things} cannot be handled now");
            0
        });
        if done > 0 {
            tracing::debug!(done, "{things} were handled");
        }
        let pause = if i64::try_from(done) == Ok(batch) { Duration::ZERO } else { pause };
        if stop.within(pause).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_ends_when_it_is_asked() {
        let mut background = Background::default();
        let ended = Arc::new(AtomicU32::new(0));
        for _ in 0..3 {
            let ended = ended.clone();
            background.start("waiting", move |mut stop| {
                let ended = ended.clone();
                async move {
                    stop.asked().await;
                    assert!(stop.is_asked());
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        background.stop().await;
        assert_eq!(ended.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_panics_begins_again() {
        let mut background = Background::default();
        let begun = Arc::new(AtomicU32::new(0));
        let (done, is_done) = tokio::sync::oneshot::channel();
        let done = Arc::new(std::sync::Mutex::new(Some(done)));
        let counted = begun.clone();
        background.start("breaking", move |_| {
            let (begun, done) = (counted.clone(), done.clone());
            async move {
                assert!(begun.fetch_add(1, Ordering::SeqCst) == 2, "breaks twice");
                done.lock().unwrap().take().unwrap().send(()).unwrap();
            }
        });
        is_done.await.unwrap();
        background.stop().await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_quiet_ring_is_told_to_nobody_else() {
        let bell = Bell::default();
        let (mut all, mut here) = (bell.listen(), bell.listen_here());
        bell.ring_quietly();
        all.heard().await;
        assert!(!here.0.has_changed().unwrap());
        bell.ring();
        all.heard().await;
        here.heard().await;
        // Rings that nobody waited for are one.
        bell.ring();
        bell.ring();
        here.heard().await;
        assert!(!here.0.has_changed().unwrap());
    }

    #[tokio::test]
    async fn a_ring_for_one_account_is_heard_by_those_who_wait_for_it_and_by_who_tells_others() {
        let bell = Bell::default();
        let mut of_account = bell.listen_for(7);
        let (of_another, worker, mut here) = (bell.listen_for(8), bell.listen(), bell.listen_here());
        bell.ring_for(7);
        of_account.heard().await;
        here.heard().await;
        assert!(!of_another.0.has_changed().unwrap() && !worker.0.has_changed().unwrap());
        for ring in [Bell::ring, Bell::ring_quietly] {
            let listeners = [bell.listen_for(7), bell.listen_for(i64::MIN), bell.listen()];
            ring(&bell);
            for mut listener in listeners {
                listener.heard().await;
            }
        }
    }
}
