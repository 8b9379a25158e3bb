//! What can change, and what an entry says of it: names of what changed, never a secret and never the value of a setting.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// What was done, without to what.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is stored and answered.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

actions! {
    /// A version was published.
    VersionPublished => "version.published",
    /// A version was taken back.
    VersionYanked => "version.yanked",
    /// A version was given free again.
    VersionRestored => "version.restored",
    /// A version was pinned.
    VersionPinned => "version.pinned",
    /// The highest version is current again.
    VersionUnpinned => "version.unpinned",
    /// A widget was shown to everybody, or hidden.
    VisibilityChanged => "widget.visibility_changed",
    /// Publishing a version again changed what the widget is.
    AttributesChanged => "widget.attributes_changed",
    /// Somebody advises against a widget.
    WidgetDeprecated => "widget.deprecated",
    /// Nobody advises against it any more.
    WidgetUndeprecated => "widget.undeprecated",
    /// A widget has another owner.
    OwnerChanged => "widget.owner_changed",
    /// A widget was deleted.
    WidgetDeleted => "widget.deleted",
    /// A widget was installed.
    WidgetInstalled => "widget.installed",
    /// The settings of an install were replaced.
    SettingsChanged => "widget.settings_changed",
    /// A widget was uninstalled.
    WidgetUninstalled => "widget.uninstalled",
    /// A widget became a lead source, or is none any more.
    LeadSourceChanged => "widget.lead_source_changed",
    /// An integration was made.
    IntegrationCreated => "integration.created",
    /// What its owner says about it changed.
    IntegrationChanged => "integration.changed",
    /// It has a new secret.
    IntegrationSecretReplaced => "integration.secret_replaced",
    /// What the account's events are signed with was replaced.
    WebhookSecretReplaced => "webhook_secret.replaced",
    /// A dead event has another chance.
    DeliveryReplayed => "delivery.replayed",
    /// Tokens were revoked.
    TokensRevoked => "tokens.revoked",
    /// A key was made, and is used from now on.
    KeyRotated => "key.rotated",
    /// A key was removed.
    KeyRemoved => "key.removed",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|action| action.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|action| action.as_str()).collect();
            format!("`{text}` is no action; the actions are {}", known.join(", "))
        })
    }
}

/// What something was, and what it is now.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Step<T> {
    /// What it was.
    pub from: T,
    /// What it is now.
    pub to: T,
}

impl<T: PartialEq> Step<T> {
    /// `None` when nothing changed.
    #[must_use]
    pub fn between(from: T, to: T) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}

/// What publishing changed of a widget beside its versions.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Attributes {
    /// Who sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Step<&'static str>>,
    /// Its integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uuid: Option<Step<Option<Uuid>>>,
    /// Whether it is a CRM template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_crm_template: Option<Step<bool>>,
}

impl Attributes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.visibility.is_none() && self.client_uuid.is_none() && self.is_crm_template.is_none()
    }
}

/// A change; its fields are what the entry's `details` show, but for those that make its subject.
#[derive(Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the fields are the details, which docs/AUDIT.md describes by action")]
pub enum Change<'a> {
    /// [`Action::VersionPublished`]
    VersionPublished {
        #[serde(skip)]
        widget: &'a str,
        version: String,
        is_current: bool,
        is_new_widget: bool,
        #[serde(flatten)]
        attributes: Attributes,
    },
    /// [`Action::AttributesChanged`]
    AttributesChanged {
        #[serde(skip)]
        widget: &'a str,
        #[serde(flatten)]
        attributes: Attributes,
    },
    /// One of the four actions that choose versions.
    VersionChosen {
        #[serde(skip)]
        widget: &'a str,
        #[serde(skip)]
        action: Action,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        current: Step<Option<String>>,
    },
    /// [`Action::VisibilityChanged`]
    VisibilityChanged {
        #[serde(skip)]
        widget: &'a str,
        visibility: Step<&'static str>,
    },
    /// [`Action::WidgetDeprecated`]
    WidgetDeprecated {
        #[serde(skip)]
        widget: &'a str,
        replacement: Option<&'a str>,
    },
    /// [`Action::WidgetUndeprecated`]
    WidgetUndeprecated {
        #[serde(skip)]
        widget: &'a str,
    },
    /// [`Action::OwnerChanged`]
    OwnerChanged {
        #[serde(skip)]
        widget: &'a str,
        account_id: Step<i64>,
        user_id: Step<i64>,
        client_uuid: Option<Uuid>,
    },
    /// [`Action::WidgetDeleted`]
    WidgetDeleted {
        #[serde(skip)]
        widget: &'a str,
        forced: bool,
    },
    /// [`Action::WidgetInstalled`], or [`Action::SettingsChanged`] when the widget was installed before.
    WidgetInstalled {
        #[serde(skip)]
        widget: &'a str,
        settings: Vec<String>,
        changed: Vec<String>,
    },
    /// [`Action::WidgetUninstalled`]
    WidgetUninstalled {
        #[serde(skip)]
        widget: &'a str,
        forced: bool,
    },
    /// [`Action::LeadSourceChanged`]
    LeadSourceChanged {
        #[serde(skip)]
        widget: &'a str,
        pipeline_id: Option<i64>,
    },
    /// [`Action::IntegrationCreated`]
    IntegrationCreated {
        #[serde(skip)]
        client: Uuid,
        members: Vec<&'static str>,
    },
    /// [`Action::IntegrationChanged`]
    IntegrationChanged {
        #[serde(skip)]
        client: Uuid,
        members: Vec<&'static str>,
    },
    /// [`Action::IntegrationSecretReplaced`]
    IntegrationSecretReplaced {
        #[serde(skip)]
        client: Uuid,
        keep_old_seconds: i64,
    },
    /// [`Action::WebhookSecretReplaced`]
    WebhookSecretReplaced { keep_old_seconds: u64 },
    /// [`Action::DeliveryReplayed`]
    DeliveryReplayed {
        #[serde(skip)]
        delivery: i64,
    },
    /// [`Action::TokensRevoked`]; `of` is `token`, `user` or `client`.
    TokensRevoked {
        #[serde(skip)]
        of: &'static str,
        #[serde(skip)]
        named: &'a str,
    },
    /// [`Action::KeyRotated`]; `ring` is `signing` or `encryption`.
    KeyRotated {
        #[serde(skip)]
        ring: &'static str,
        #[serde(skip)]
        key: &'a str,
    },
    /// [`Action::KeyRemoved`]
    KeyRemoved {
        #[serde(skip)]
        ring: &'static str,
        #[serde(skip)]
        key: &'a str,
    },
}

impl Change<'_> {
    /// What was done.
    #[must_use]
    pub fn action(&self) -> Action {
        match self {
            Self::VersionPublished { .. } => Action::VersionPublished,
            Self::AttributesChanged { .. } => Action::AttributesChanged,
            Self::VersionChosen { action, .. } => *action,
            Self::VisibilityChanged { .. } => Action::VisibilityChanged,
            Self::WidgetDeprecated { .. } => Action::WidgetDeprecated,
            Self::WidgetUndeprecated { .. } => Action::WidgetUndeprecated,
            Self::OwnerChanged { .. } => Action::OwnerChanged,
            Self::WidgetDeleted { .. } => Action::WidgetDeleted,
            Self::WidgetInstalled { .. } => Action::WidgetInstalled,
            Self::WidgetUninstalled { .. } => Action::WidgetUninstalled,
            Self::LeadSourceChanged { .. } => Action::LeadSourceChanged,
            Self::IntegrationCreated { .. } => Action::IntegrationCreated,
            Self::IntegrationChanged { .. } => Action::IntegrationChanged,
            Self::IntegrationSecretReplaced { .. } => Action::IntegrationSecretReplaced,
            Self::WebhookSecretReplaced { .. } => Action::WebhookSecretReplaced,
            Self::DeliveryReplayed { .. } => Action::DeliveryReplayed,
            Self::TokensRevoked { .. } => Action::TokensRevoked,
            Self::KeyRotated { .. } => Action::KeyRotated,
            Self::KeyRemoved { .. } => Action::KeyRemoved,
        }
    }

    /// What changed, as the JSON object that is stored.
    #[must_use]
    pub fn details(&self) -> String {
        // Texts, numbers and lists of them can always be written.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// To what: a widget's code, an integration's client id, or the kind of a thing and its name.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::VersionPublished { widget, .. }
            | Self::AttributesChanged { widget, .. }
            | Self::VersionChosen { widget, .. }
            | Self::VisibilityChanged { widget, .. }
            | Self::WidgetDeprecated { widget, .. }
            | Self::WidgetUndeprecated { widget }
            | Self::OwnerChanged { widget, .. }
            | Self::WidgetDeleted { widget, .. }
            | Self::WidgetInstalled { widget, .. }
            | Self::WidgetUninstalled { widget, .. }
            | Self::LeadSourceChanged { widget, .. } => (*widget).to_owned(),
            Self::IntegrationCreated { client, .. }
            | Self::IntegrationChanged { client, .. }
            | Self::IntegrationSecretReplaced { client, .. } => client.to_string(),
            Self::WebhookSecretReplaced { .. } => "webhook-secret".to_owned(),
            Self::DeliveryReplayed { delivery } => delivery.to_string(),
            Self::TokensRevoked { of: kind, named: name }
            | Self::KeyRotated { ring: kind, key: name }
            | Self::KeyRemoved { ring: kind, key: name } => format!("{kind} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_read_as_they_are_written() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert!("widget.eaten".parse::<Action>().unwrap_err().contains("widget.installed"));
    }

    #[test]
    fn details_leave_the_subject_out() {
        let visibility = Step::between("private", "public");
        let change = Change::VersionPublished {
            widget: "w",
            version: "1.0".to_owned(),
            is_current: true,
            is_new_widget: false,
            attributes: Attributes { visibility, ..Attributes::default() },
        };
        let details = change.details();
        assert_eq!(
            details,
            r#"{"version":"1.0","is_current":true,"is_new_widget":false,"visibility":{"from":"private","to":"public"}}"#
        );
        assert_eq!((change.action().as_str(), change.subject().as_str()), ("version.published", "w"));
        let nothing = Change::WidgetUndeprecated { widget: "w" };
        assert_eq!(nothing.details(), "{}");
        assert!(Step::between(1, 1).is_none());
    }
}
