//! Who calls. A handler names the right that it needs as the type of its parameter: forgetting it does not compile.

use crate::auth::{Caller, Scope};

use super::problem::Problem;

/// Who may call a route; the authorisation test and the OpenAPI document read it from the route table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, without a token.
    Anyone,
    /// Everybody; a token is not needed, but one that is sent must be valid.
    Visitor,
    /// Every user of the account.
    User,
    /// The account's administrators.
    Admin,
    /// Bearers of a token with this scope.
    Bearer(Scope),
    /// The account's administrators, and bearers of a token with this scope.
    AdminOr(Scope),
}

/// A right that a token gives.
pub trait Permission: Sized + 'static {
    /// Who has it.
    const WHO: Who;

    /// Turns a checked token into the right. Without a token only [`Anyone`] and [`Visitor`] are granted.
    ///
    /// # Errors
    ///
    /// 401 without a token, 403 when the token does not give the right.
    fn grant(caller: Option<Caller>) -> Result<Self, Problem>;

    /// Who was granted it; `None` for somebody without a token.
    fn caller(&self) -> Option<&Caller>;
}

/// No right at all: routes that need no token.
#[derive(Debug, Clone)]
pub struct Anyone;

impl Permission for Anyone {
    const WHO: Who = Who::Anyone;

    fn grant(_: Option<Caller>) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn caller(&self) -> Option<&Caller> {
        None
    }
}

/// Somebody with a token or without.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<Caller>);

impl Permission for Visitor {
    const WHO: Who = Who::Visitor;

    fn grant(caller: Option<Caller>) -> Result<Self, Problem> {
        Ok(Self(caller))
    }

    fn caller(&self) -> Option<&Caller> {
        self.0.as_ref()
    }
}

macro_rules! permission {
    ($(#[$doc:meta])* $name:ident, $who:expr, $grant:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl Permission for $name {
            const WHO: Who = $who;

            fn grant(caller: Option<Caller>) -> Result<Self, Problem> {
                let grant: fn(&Caller) -> Result<(), Problem> = $grant;
                let caller = caller.ok_or(Problem::Unauthorized)?;
                grant(&caller).map(|()| Self(caller))
            }

            fn caller(&self) -> Option<&Caller> {
                Some(&self.0)
            }
        }
    };
}

permission!(
    /// Any user of an account.
    User, Who::User, |_| Ok(())
);
permission!(
    /// An administrator of an account.
    Admin, Who::Admin, |caller| match caller.role {
        crate::auth::Role::Admin => Ok(()),
        crate::auth::Role::User => Err(Problem::Forbidden(None)),
    }
);
permission!(
    /// Somebody who may publish widgets.
    Publisher, Who::Bearer(Scope::Publish), |caller| scope(caller, Scope::Publish)
);
permission!(
    /// The engine that runs bots.
    BotEngine, Who::Bearer(Scope::Bots), |caller| scope(caller, Scope::Bots)
);

permission!(
    /// Either side of a bot that waits: the engine that runs it, or the widget, which acts as an administrator.
    BotParty, Who::AdminOr(Scope::Bots), |caller| match caller.role {
        crate::auth::Role::Admin => Ok(()),
        crate::auth::Role::User => scope(caller, Scope::Bots),
    }
);
permission!(
    /// Somebody who looks after an account: its administrator in person, not an integration that acts for one; or an operator, who
    /// looks after every account.
    Overseer, Who::AdminOr(Scope::Operator), |caller| match (caller.role, caller.client) {
        _ if caller.may(Scope::Operator) => Ok(()),
        (crate::auth::Role::Admin, None) => Ok(()),
        (crate::auth::Role::Admin, Some(_)) => {
            Err(Problem::Forbidden(Some("the token was given to an integration".into())))
        }
        (crate::auth::Role::User, _) => scope(caller, Scope::Operator),
    }
);

/// Whether the token carries the scope.
///
/// # Errors
///
/// 403 that names the scope.
pub fn scope(caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if caller.may(scope) {
        return Ok(());
    }
    Err(Problem::Forbidden(Some(format!("the token lacks the scope `{}`", scope.as_str()).into())))
}
