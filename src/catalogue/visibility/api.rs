//! `/registry/v1/widgets/{code}/explain`.

use std::str::FromStr;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Sight;
use super::explain::{Explanation, Rule, explain};
use super::store::{self, Asked};
use crate::archive::WidgetCode;
use crate::auth::{Caller, Role, Scope};
use crate::catalogue::widget::Owner;
use crate::http::caller::User;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::{Call, NoBody};

/// What a user may do with a widget, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationBody {
    /// Whether the v4 API shows it to the user.
    sees: bool,
    /// Whether the v4 API lets the user install it.
    can_install: bool,
    /// The rule that decided.
    rule: Rule,
    /// The rule as a sentence.
    because: &'static str,
}

/// Explains why a user sees a widget or does not, and can install it or cannot.
///
/// Everybody may ask about themselves and the widgets that they see; its owner, with the scope `publish`, about everybody; an operator
/// about everybody and every widget. To all others there is no such widget.
#[utoipa::path(
    get, path = "/registry/v1/widgets/{code}/explain", tag = "publishing", operation_id = "explain_widget",
    params(
        ("code" = String, Path, description = "The widget's code"),
        ("account" = Option<i64>, Query, description = "The account; by default the caller's", minimum = 1),
        ("user" = Option<i64>, Query, description = "The user of that account; given together with it", minimum = 1),
        ("role" = Option<String>, Query, description = "The user's rights, `admin` or `user`, which are not known here: by default the caller's own, and `admin` for somebody else"),
    ),
    responses(
        (status = 200, description = "The explanation", body = ExplanationBody),
        (status = 400, description = "A parameter is wrong, or `account` and `user` are not given together"),
        (status = 404, description = "There is no such widget, or the caller may not ask"),
    ),
)]
pub(crate) async fn show(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let (caller, query) = (&call.who.0, call.query());
    let itself = Owner { account: caller.account, user: caller.user };
    let user = asked_about(&query)?.unwrap_or(itself);
    let role = parameter(&query, "role")?.unwrap_or(if user == itself { caller.role } else { Role::Admin });
    let found = match call.segment("code").parse::<WidgetCode>() {
        Ok(code) => store::asked(&call.shared.pool, user, &code).await?,
        Err(_) => None,
    };
    if !may_ask(caller, user == itself, itself, found.as_ref()) {
        return Err(Problem::NoWidget);
    }
    let has_current = found.as_ref().is_some_and(|found| found.has_current);
    let Explanation { sees, can_install, rule, because } = explain(found.map(|found| found.sight), has_current, role);
    hal::json(HttpResponse::Ok(), &ExplanationBody { sees, can_install, rule, because })
}

/// Nobody learns of a widget that they do not see: not that it is there, nor that it was.
fn may_ask(caller: &Caller, about_itself: bool, itself: Owner, found: Option<&Asked>) -> bool {
    if caller.may(Scope::Operator) {
        return true;
    }
    let Some(Asked { sight, owner, .. }) = found else { return false };
    let owns = *owner == itself && caller.may(Scope::Publish);
    owns || about_itself && matches!(sight, Sight::Public | Sight::Owner | Sight::Installed)
}

fn asked_about(query: &Query) -> Result<Option<Owner>, Problem> {
    match (parameter(query, "account")?, parameter(query, "user")?) {
        (Some(account), Some(user)) => Ok(Some(Owner { account, user })),
        (None, None) => Ok(None),
        _ => Err(Problem::Malformed("The parameters `account` and `user` must be given together".to_owned())),
    }
}

fn parameter<T: FromStr<Err = String>>(query: &Query, name: &str) -> Result<Option<T>, Problem> {
    let malformed = |why| Problem::Malformed(format!("The parameter `{name}` is wrong: {why}"));
    query.get(name)?.map(|text| text.parse().map_err(malformed)).transpose()
}
