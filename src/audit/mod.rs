//! The audit log: who changed what, written in the transaction of the change, each account's entries chained by hash.
//!
//! What an entry says never is a secret or the value of a setting: [`Change`] has no place for one.

pub mod anchor;
pub mod api;
mod change;
mod entry;
pub mod store;
pub mod verify;

use uuid::Uuid;

pub use change::{Action, Attributes, Change, Step};
pub use entry::Entry;
pub use store::record;

use crate::auth::{AccountId, Caller, Role};
use crate::http::caller::{Permission, Who};
use crate::http::route::Call;

/// Whose chain an entry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    /// The registry's own, such as that of its keys.
    Registry,
    /// That of the account in which something changed, or whose widget or integration it was.
    Account(AccountId),
}

impl Chain {
    /// As it is stored: the account's number, or 0.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Registry => 0,
            Self::Account(account) => account.get(),
        }
    }
}

impl From<AccountId> for Chain {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

/// Who does something, and by which right.
#[derive(Debug, Clone)]
pub struct Actor {
    account: Option<i64>,
    user: Option<i64>,
    client: Option<Uuid>,
    acted_as: &'static str,
    request_id: Option<String>,
}

impl Actor {
    /// Who sent a request, acting by the right that its route asks for.
    #[must_use]
    pub fn of<P: Permission, B>(call: &Call<P, B>) -> Self {
        let caller = call.who.caller();
        Self {
            account: caller.map(|caller| caller.account.get()),
            user: caller.map(|caller| caller.user.get()),
            client: caller.and_then(|caller| caller.client),
            acted_as: right(P::WHO, caller),
            request_id: Some(call.request_id().to_owned()),
        }
    }

    /// Somebody at the command line of the server's own machine.
    #[must_use]
    pub fn command_line() -> Self {
        Self { account: None, user: None, client: None, acted_as: "cli", request_id: None }
    }

    /// The same, acting as an operator.
    #[must_use]
    pub fn as_operator(self) -> Self {
        Self { acted_as: "operator", ..self }
    }
}

fn right(who: Who, caller: Option<&Caller>) -> &'static str {
    let is_admin = caller.is_some_and(|caller| caller.role == Role::Admin);
    match who {
        Who::Anyone | Who::Visitor => "anyone",
        Who::User => "user",
        Who::AdminOr(_) if is_admin => "admin",
        Who::Admin => "admin",
        Who::Bearer(scope) | Who::AdminOr(scope) => scope.as_str(),
    }
}
