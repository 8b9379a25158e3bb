//! Why somebody sees a widget or does not, and may install it or may not.

use serde::Serialize;
use utoipa::ToSchema;

use super::Sight;
use crate::auth::Role;

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Everybody sees it.
    Public,
    /// It is the user's own.
    Owner,
    /// It is installed in the account.
    Installed,
    /// It is private, somebody else's, and not installed in the account.
    Private,
    /// There is no widget of this code.
    Unknown,
    /// It was deleted.
    Deleted,
    /// Every version of it is yanked.
    NoCurrentVersion,
    /// It is seen, but only administrators install.
    NotAdmin,
}

/// What a user may do with a widget, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the v4 API shows it.
    pub sees: bool,
    /// Whether the v4 API installs it.
    pub can_install: bool,
    /// The rule that decided.
    pub rule: Rule,
    /// The rule as a sentence.
    pub because: &'static str,
}

/// Explains what is seen of a widget by a user with these rights; `None` when there is none of that code.
#[must_use]
pub fn explain(sight: Option<Sight>, has_current: bool, role: Role) -> Explanation {
    use Rule as R;
    use Sight as S;
    let hidden = |rule, because| Explanation { sees: false, can_install: false, rule, because };
    let (seen_by, because, unless_admin) = match sight {
        None => return hidden(R::Unknown, "There is no widget of this code."),
        Some(S::Deleted) => return hidden(R::Deleted, "The widget was deleted; its code is kept for its owner."),
        Some(S::Private) => {
            return hidden(R::Private, "The widget is private, not this user's, and not installed in the account.");
        }
        Some(_) if !has_current => {
            return hidden(R::NoCurrentVersion, "Every version of the widget is yanked, so there is none to show.");
        }
        Some(S::Public) => (
            R::Public,
            "The widget is public.",
            "The widget is public, so it is seen; only an administrator of the account installs it.",
        ),
        Some(S::Owner) => (
            R::Owner,
            "The widget is this user's own.",
            "The widget is this user's own, so it is seen; only an administrator of the account installs it.",
        ),
        Some(S::Installed) => (
            R::Installed,
            "The widget is private, but installed in the account.",
            "The widget is installed in the account, so it is seen; only an administrator changes that.",
        ),
    };
    match role {
        Role::Admin => Explanation { sees: true, can_install: true, rule: seen_by, because },
        Role::User => Explanation { sees: true, can_install: false, rule: R::NotAdmin, because: unless_admin },
    }
}
