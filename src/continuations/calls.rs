//! The call to a widget's server with which a wait begins.

use super::{ContinueId, close};
use crate::database::{Connection, Pool};
use crate::delivery::lease::Leased;
use crate::delivery::worker::{Calls, Promise};

/// What calls are made of.
#[derive(Debug)]
pub struct WidgetCalls {
    /// The database.
    pub pool: Pool,
}

impl Calls for WidgetCalls {
    fn request<'a>(&'a self, leased: &'a Leased) -> Promise<'a, Option<(&'static str, Vec<u8>)>> {
        Box::pin(async move {
            let _ = (&self.pool, leased);
            Ok(None)
        })
    }

    fn gave_up<'a>(&'a self, connection: &'a mut Connection, leased: &'a Leased, why: &'a str) -> Promise<'a, ()> {
        Box::pin(async move {
            let reason = format!("The widget could not be reached: {why}");
            // A record that waits no more needs no end.
            close::fail(connection, leased.lease.account, None, ContinueId(leased.subject), &reason).await?;
            Ok(())
        })
    }
}
