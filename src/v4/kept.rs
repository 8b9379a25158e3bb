//! What the v4 methods keep in memory of the database.

use std::sync::Arc;

use actix_web::HttpResponse;

use super::answers::{Answer, Answers};
use super::model::View;
use super::recent::{MadeFrom, Recent, Sent};
use super::snapshot::Live;
use crate::database::{self, Ended, Failure};
use crate::http::caller::User;
use crate::http::conditional;
use crate::http::route::{Call, NoBody};
use crate::http::shared::Shared;
use crate::installs::Remembered;

/// What is kept in memory, for handlers to find.
#[derive(Debug)]
pub struct Kept {
    /// The catalogue.
    pub catalogue: Arc<Live>,
    /// What accounts have installed.
    pub installs: Arc<Remembered>,
    /// Answers that were given before.
    pub answers: Answers,
    /// Those that were given just now.
    pub recent: Recent,
}

impl Kept {
    /// Reads the catalogue, and says how installs are remembered.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn read(shared: &Shared) -> Result<Self, Failure> {
        let (writes, locale) = (shared.catalogue_writes.clone(), shared.config.default_locale.clone());
        let catalogue = Live::start(shared.pool.clone(), writes, locale).await?;
        let mode = shared.config.install_memory;
        tracing::info!(installs = %mode, "what accounts have installed is read");
        shared.metrics.install_memory(mode.as_str());
        // What a function sets is not passed on to other machines.
        let together = if database::is_distributed(&shared.pool).await? { 0 } else { shared.config.threads() };
        let database = (shared.pool.clone(), together);
        let installs = Remembered::new(
            database,
            shared.config.limits.statement_time,
            shared.install_writes.clone(),
            mode,
            shared.metrics.clone(),
        );
        let (catalogue, installs) = (Arc::new(catalogue), Arc::new(installs));
        Ok(Self { catalogue, installs, answers: Answers::default(), recent: Recent::default() })
    }

    /// What this thread answered to the same request just now, if it is still the answer.
    #[must_use]
    pub fn again(&self, call: &Call<User, NoBody>, view: &View<'_>) -> Option<HttpResponse> {
        // Of what others change too, nothing is kept.
        if !self.installs.is_exact() {
            return None;
        }
        let (account, catalogue) = (call.who.0.account, self.catalogue.believed()?.number());
        let is_newest = |from: MadeFrom| from.catalogue == catalogue && self.installs.is_still(account, from.installs);
        self.recent.again(&sent(call, view), is_newest, |answer| {
            answer.is_asked_for_again();
            respond(call, answer)
        })
    }

    /// Answers a request, with what was made from this content of the catalogue and, where that is known, from what the account had installed
    /// as of then.
    #[must_use]
    pub fn answer(
        &self,
        call: &Call<User, NoBody>,
        view: &View<'_>,
        (catalogue, as_of): (u64, Option<Ended>),
        answer: &Arc<Answer>,
    ) -> HttpResponse {
        if let Some(installs) = as_of {
            self.recent.keep(&sent(call, view), MadeFrom { catalogue, installs }, answer);
        }
        respond(call, answer)
    }
}

fn sent<'a>(call: &'a Call<User, NoBody>, view: &'a View<'_>) -> Sent<'a> {
    Sent::new(&call.who.0, call.target(), (view.accepted(), view.origin()))
}

fn respond(call: &Call<User, NoBody>, answer: &Answer) -> HttpResponse {
    conditional::answer(call, &answer.tag, &answer.body, |form| answer.packed(form))
}
