//! The worker: takes events that are due, sends them, and says how it went.
//!
//! It holds no state that matters: when it dies, its leases end by themselves and another one goes on.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::lease::{Finished, KEPT_ANSWER, Leased, Report};
use super::schedule::{self, LEASE, Next};
use super::store::{self, Whose};
use super::{Outcome, Way, counted, secret};
use crate::auth::AccountId;
use crate::background::{Bell, Stop};
use crate::database::{Connection, Failure, Pool};
use crate::metrics::Metrics;
use crate::outgoing::{self, CallError, Target};
use crate::sealing::{Fault, Sealing};
use crate::sources::{Clock, Identifiers};

/// The worker looks for events at least this often.
const POLL: Duration = Duration::from_millis(500);

/// One account has one of so many shares of the calls at once before others come first, and all but one when nobody else wants any.
const SHARES: usize = 5;

/// Time before the end of a try is told again to a database that did not answer.
const AGAIN: Duration = Duration::from_millis(250);

/// A future that is made by a trait object.
pub type Promise<'a, T, E = Failure> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// What there is to send to a widget.
#[derive(Debug)]
pub enum CallMessage {
    /// This.
    Send {
        /// How the body is written.
        content_type: &'static str,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing: nobody waits for it any more.
    Unwanted,
    /// Nothing can be sent now, and why.
    Impossible(String),
}

/// What calls are made of, and what follows when they fail: known to the feature that ordered them.
pub trait Calls: Send + Sync + 'static {
    /// What there is to send there.
    fn message<'a>(&'a self, leased: &'a Leased, target: &'a Target) -> Promise<'a, CallMessage, Fault>;

    /// Writes what follows when the tries are given up, into the same transaction.
    fn gave_up<'a>(&'a self, connection: &'a mut Connection, leased: &'a Leased, why: &'a str) -> Promise<'a, ()>;
}

/// The running tries, and whose each is.
#[derive(Debug, Default)]
struct Running {
    tries: JoinSet<()>,
    accounts: HashMap<Id, AccountId>,
}

impl Running {
    fn start(&mut self, account: AccountId, work: impl Future<Output = ()> + Send + 'static) {
        let id = self.tries.spawn(work).id();
        self.accounts.insert(id, account);
    }

    fn count(&self) -> usize {
        self.tries.len()
    }

    /// The accounts that have so many or more.
    fn accounts_with(&self, share: usize) -> Vec<i64> {
        let mut counts: HashMap<AccountId, usize> = HashMap::new();
        for account in self.accounts.values() {
            *counts.entry(*account).or_default() += 1;
        }
        counts.into_iter().filter(|(_, count)| *count >= share).map(|(account, _)| account.get()).collect()
    }

    fn forget_ended(&mut self) {
        while let Some(ended) = self.tries.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    /// Waits for the end of one; for ever while there is none.
    async fn one_ends(&mut self) {
        match self.tries.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
    }

    async fn all_end(&mut self) {
        while self.tries.join_next().await.is_some() {}
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|broken| broken.id(), |(id, ())| id);
        self.accounts.remove(&id);
    }
}

/// What a worker works with.
pub struct Worker {
    /// The database.
    pub pool: Pool,
    /// Opens the secrets that events are signed with.
    pub sealing: Sealing,
    /// How addresses that others chose are called.
    pub client: outgoing::Client,
    /// Tokens of leases, and chance.
    pub ids: Identifiers,
    /// The time that signatures name.
    pub clock: Clock,
    /// Rung when an event was accepted.
    pub bell: Bell,
    /// The feature that orders calls.
    pub calls: Arc<dyn Calls>,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// Tries that run at once.
    pub at_once: usize,
}

impl Worker {
    /// Works until it is asked to stop; then the running tries end.
    pub async fn run(self: Arc<Self>, mut stop: Stop) {
        let mut running = Running::default();
        let mut rung = self.bell.listen();
        while !stop.is_asked() {
            running.forget_ended();
            let taken = self.take(&running).await;
            let idle = taken.is_empty();
            for leased in taken {
                let account = leased.lease.account;
                running.start(account, self.clone().deliver(leased));
            }
            if idle {
                tokio::select! {
                    () = stop.asked() => {}
                    () = running.one_ends() => {}
                    () = rung.heard_within(POLL) => {}
                }
            }
        }
        running.all_end().await;
    }

    /// Takes events: first of accounts that have less than a fair share of the calls; of the others, too, while that leaves a share
    /// free.
    async fn take(&self, running: &Running) -> Vec<Leased> {
        let share = (self.at_once / SHARES).max(1);
        let free = self.at_once.saturating_sub(running.count());
        let busy = running.accounts_with(share);
        let taken = self.lease(&busy, free.min(share)).await;
        if !taken.is_empty() || busy.is_empty() {
            return taken;
        }
        self.lease(&[], free.saturating_sub(share).min(share)).await
    }

    async fn lease(&self, but: &[i64], most: usize) -> Vec<Leased> {
        let Ok(most @ 1..) = u32::try_from(most) else { return Vec::new() };
        let taken =
            store::lease(&self.pool, Whose::Worker { but }, most, self.ids.next()).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "events cannot be taken from the database now");
                Vec::new()
            });
        counted::taken(&self.metrics, &taken);
        taken
    }

    async fn deliver(self: Arc<Self>, leased: Leased) {
        let ends = Instant::now() + LEASE;
        let report = match self.attempt(&leased).await {
            Ok(report) => report,
            // Nothing was sent. When the lease ends somebody tries again.
            Err(error) => return tracing::warn!(%error, delivery = %leased.lease.id, "a try could not be prepared"),
        };
        loop {
            match self.report(&leased, &report).await {
                Ok(finished) => return self.tell(&leased, &report, finished),
                Err(Failure::Unavailable(error)) if Instant::now() + AGAIN < ends => {
                    tracing::warn!(%error, delivery = %leased.lease.id, "the end of a try cannot be written now");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => {
                    return tracing::error!(%error, delivery = %leased.lease.id, "the end of a try was not written");
                }
            }
        }
    }

    /// One try.
    async fn attempt(&self, leased: &Leased) -> Result<Report, Fault> {
        let address = leased.address.as_deref().unwrap_or_default();
        // Judged again: what is allowed may have changed since the address was given.
        let target = match self.client.target(address) {
            Ok(target) => target,
            Err(refused) => return Ok(self.failed(leased, Outcome::Forbidden, refused.to_string())),
        };
        let (headers, body) = match self.message(leased, &target).await? {
            Ok(message) => message,
            Err(report) => return Ok(report),
        };
        let try_time = leased.lease.way.schedule().try_time;
        Ok(match self.client.post(&target, &headers, body, try_time).await {
            Ok(answer) => self.answered(leased, answer),
            Err(CallError::TimedOut) => {
                self.failed(leased, Outcome::Timeout, format!("no answer within {} s", try_time.as_secs()))
            }
            Err(CallError::Unreachable(why)) => self.failed(leased, Outcome::Unreachable, why),
            Err(CallError::Refused(why)) => self.failed(leased, Outcome::Forbidden, why.to_string()),
        })
    }

    /// Headers and body; the end of the try when there is nothing to send.
    async fn message(
        &self,
        leased: &Leased,
        target: &Target,
    ) -> Result<Result<(Vec<(&'static str, String)>, Vec<u8>), Report>, Fault> {
        let Some(payload) = &leased.payload else {
            return Ok(match self.calls.message(leased, target).await? {
                CallMessage::Send { content_type, body } => Ok((vec![("content-type", content_type.to_owned())], body)),
                CallMessage::Unwanted => Err(Report::plain(Outcome::Withdrawn, Next::Withdrawn)),
                CallMessage::Impossible(why) => Err(self.failed(leased, Outcome::Forbidden, why)),
            });
        };
        let account = leased.lease.account;
        let Some(secrets) = secret::sealed::in_force(&self.pool, &self.sealing, account).await? else {
            return Ok(Err(self.failed(leased, Outcome::Forbidden, "the account has no webhook secret".to_owned())));
        };
        let (id, now) = (leased.lease.id.webhook_id(account), self.clock.unix());
        let signature = secrets.sign(&id, now, payload);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature),
        ];
        Ok(Ok((headers, payload.clone())))
    }

    fn answered(&self, leased: &Leased, answer: outgoing::Answer) -> Report {
        let outcome = match answer.status {
            200..300 => Outcome::Delivered,
            410 if leased.lease.way == Way::Push => Outcome::Gone,
            _ => Outcome::Refused,
        };
        let error = (outcome != Outcome::Delivered).then(|| format!("the receiver answered {}", answer.status));
        let mut kept = answer.body;
        kept.truncate(KEPT_ANSWER);
        let next = self.next(leased, outcome, answer.retry_after);
        Report { outcome, status: Some(answer.status), answer: Some(kept), error, next }
    }

    fn failed(&self, leased: &Leased, outcome: Outcome, why: String) -> Report {
        let next = self.next(leased, outcome, None);
        Report { outcome, status: None, answer: None, error: Some(why), next }
    }

    fn next(&self, leased: &Leased, outcome: Outcome, asked: Option<Duration>) -> Next {
        leased.lease.way.schedule().after(leased.attempt, outcome, schedule::chance(&self.ids), asked)
    }

    /// One transaction: the end of the try, and what follows from it.
    async fn report(&self, leased: &Leased, report: &Report) -> Result<Finished, Failure> {
        let mut transaction = self.pool.begin_for(leased.lease.account).await?;
        let finished = store::finish(&mut transaction, &leased.lease, report).await?;
        if leased.lease.way == Way::Call && matches!(finished, Finished::Closed { dead: true, .. }) {
            let why = report.error.as_deref().unwrap_or_default();
            self.calls.gave_up(&mut transaction, leased, why).await?;
        }
        transaction.commit().await?;
        Ok(finished)
    }

    fn tell(&self, leased: &Leased, report: &Report, finished: Finished) {
        counted::finished(&self.metrics, leased.lease.way, report.outcome, finished);
        let (id, attempt, outcome) = (leased.lease.id.0, leased.attempt, report.outcome.as_str());
        match finished {
            Finished::Closed { dead: true, .. } => {
                let why = report.error.as_deref();
                tracing::warn!(account = %leased.lease.account, delivery = id, attempt, outcome, why, "a delivery was given up");
            }
            Finished::Stale => {
                tracing::warn!(delivery = id, attempt, "a try ended after its lease and counts for nothing");
            }
            Finished::Closed { .. } | Finished::Again => {
                tracing::debug!(delivery = id, attempt, outcome, "a try ended");
            }
        }
        if leased.lease.way == Way::Call {
            self.bell.ring();
        }
    }
}
