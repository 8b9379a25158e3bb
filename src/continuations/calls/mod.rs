//! The call to a widget's server with which a wait begins.

pub mod body;
pub mod store;

use std::time::Duration;

use secrecy::ExposeSecret as _;
use url::Url;

use self::store::Ordered;
use super::{ContinueId, close};
use crate::auth::{WidgetCall, WidgetSecret};
use crate::database::{Connection, Pool};
use crate::delivery::lease::Leased;
use crate::delivery::worker::{CallMessage, Calls, Promise};
use crate::integrations;
use crate::outgoing::Target;
use crate::sealing::{Fault, Sealing};
use crate::sources::{Clock, Identifiers};

/// How long the token of a call is good for: a widget may hand it on to a queue of its own.
const LIFETIME: Duration = Duration::from_mins(10);

/// What calls are made of.
#[derive(Debug)]
pub struct WidgetCalls {
    /// The database.
    pub pool: Pool,
    /// Opens the secrets that calls are signed with.
    pub sealing: Sealing,
    /// The time that tokens name.
    pub clock: Clock,
    /// Their ids.
    pub ids: Identifiers,
}

impl Calls for WidgetCalls {
    fn message<'a>(&'a self, leased: &'a Leased, target: &'a Target) -> Promise<'a, CallMessage, Fault> {
        Box::pin(async move {
            let id = ContinueId(leased.subject);
            let Some(ordered) = store::ordered_call(&self.pool, leased.lease.account, id).await? else {
                return Ok(CallMessage::Unwanted);
            };
            Ok(match self.write(leased, target, &ordered).await? {
                Ok(body) => CallMessage::Send { content_type: ordered.encoding.content_type(), body },
                Err(why) => CallMessage::Impossible(why),
            })
        })
    }

    fn gave_up<'a>(&'a self, connection: &'a mut Connection, leased: &'a Leased, why: &'a str) -> Promise<'a, ()> {
        Box::pin(async move {
            let reason = format!("The widget could not be called: {why}");
            // A record that waits no more needs no end.
            close::fail(connection, leased.lease.account, None, ContinueId(leased.subject), &reason).await?;
            Ok(())
        })
    }
}

impl WidgetCalls {
    /// The body of a call, with a token of its own; a sentence when it cannot be made.
    async fn write(
        &self,
        leased: &Leased,
        target: &Target,
        ordered: &Ordered,
    ) -> Result<Result<Vec<u8>, String>, Fault> {
        let Some(client) = ordered.client else {
            return Ok(Err("the widget has no integration any more".to_owned()));
        };
        let Some(secret) = integrations::secrets::signing(&self.pool, &self.sealing, client).await? else {
            return Ok(Err("the widget's integration has no secret".to_owned()));
        };
        let call = WidgetCall {
            issuer: &ordered.origin,
            audience: &target.origin(),
            account: leased.lease.account,
            subdomain: &subdomain(&ordered.origin),
            client,
            entity_type: &ordered.entity_type,
            entity_id: ordered.entity_id,
            bot_type: ordered.bot.kind.as_str(),
            lifetime: LIFETIME,
        };
        let signed = WidgetSecret::new(secret.expose_secret().as_bytes().to_vec())
            .map_err(|short| short.to_string())
            .and_then(|secret| secret.sign(&call, &self.clock, &self.ids).map_err(|why| why.to_string()));
        let token = match signed {
            Ok(token) => token,
            Err(why) => return Ok(Err(why)),
        };
        let return_url = ordered.bot.return_url(&ordered.origin, ContinueId(leased.subject));
        let body = body::encode(ordered.encoding, &token, ordered.data()?, &return_url);
        Ok(body.map_err(|too_large| too_large.to_string()))
    }
}

/// What widgets put before their registry's domain: the first label of its host name, and the whole host where that is an address.
fn subdomain(origin: &str) -> String {
    let url = Url::parse(origin).ok();
    match url.as_ref().and_then(Url::host) {
        Some(url::Host::Domain(name)) => name.split('.').next().unwrap_or_default().to_owned(),
        Some(address) => address.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subdomain_is_the_first_label() {
        for (origin, label) in [
            ("https://crm.example.com", "crm"),
            ("http://localhost:8080", "localhost"),
            ("http://127.0.0.1:8080", "127.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(subdomain(origin), label);
        }
    }
}
