//! The widget as v4 shows it: catalogue and install joined, every key present, in the order of the source's example.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::archive::SettingType;
use crate::catalogue::Widget;
use crate::http::hal::{Link, SelfLink};
use crate::http::negotiation::languages;
use crate::http::route::Call;
use crate::installs::{Placed, Settings, Sighting};

/// A widget.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Widget)]
#[expect(clippy::struct_excessive_bools, reason = "the source's model has four")]
pub struct WidgetModel<'a> {
    /// Widget ID.
    id: i64,
    /// Widget code.
    code: &'a str,
    /// The current version.
    version: &'a str,
    /// The mean of all votes with a decimal comma, `"0"` while nobody has voted.
    rating: String,
    /// The fields of the widget's settings, in the manifest's order.
    settings_template: Vec<FieldModel<'a>>,
    /// Whether the widget can be set as a lead source.
    is_lead_source: bool,
    /// Whether the widget is available in Digital Pipeline.
    is_work_with_dp: bool,
    /// Whether the widget is a CRM template.
    is_crm_template: bool,
    /// UUID of the widget's OAuth integration.
    client_uuid: Option<Uuid>,
    /// Whether the widget is installed in the account.
    is_active_in_account: bool,
    /// The pipeline in which the widget is set as a lead source.
    pipeline_id: Option<i64>,
    /// The settings; only for the integration whose they are, and in the answer to an install.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    settings: Option<&'a Settings>,
    #[serde(rename = "_links")]
    #[schema(value_type = Object)]
    links: SelfLink,
}

/// A field of a widget's settings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SettingsField)]
pub struct FieldModel<'a> {
    /// Its key in the settings.
    key: &'a str,
    /// Its name in the caller's language.
    name: &'a str,
    /// What its value looks like.
    #[schema(value_type = String, example = "text")]
    r#type: SettingType,
    /// Whether an install must give it.
    is_required: bool,
}

/// What the model depends on besides the widget: where links lead to, and the caller's languages.
#[derive(Debug)]
pub struct View<'a> {
    origin: Rc<str>,
    accepted: Cow<'a, str>,
    pub(super) default_locale: &'a str,
}

impl<'a> View<'a> {
    /// The view of a request.
    #[must_use]
    pub fn of<P, B>(call: &'a Call<P, B>) -> Self {
        let default_locale = &call.shared.config.default_locale;
        Self { origin: call.origin(), accepted: call.accepted_languages(), default_locale }
    }

    /// A view in one language, with links that lead nowhere yet.
    #[must_use]
    pub fn of_nobody(locale: &'a str, default_locale: &'a str) -> Self {
        Self { origin: Rc::default(), accepted: Cow::Borrowed(locale), default_locale }
    }

    /// What links begin with, as it stands in JSON.
    #[must_use]
    pub fn escaped_origin(&self) -> Cow<'_, str> {
        if self.origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
            return Cow::Borrowed(&self.origin);
        }
        let quoted = serde_json::Value::from(&*self.origin).to_string();
        Cow::Owned(quoted.trim_matches('"').to_owned())
    }

    /// The caller's languages, as they were written.
    #[must_use]
    pub fn accepted(&self) -> &str {
        &self.accepted
    }

    /// The caller's languages, the most wanted first.
    #[must_use]
    pub fn languages(&self) -> Vec<&str> {
        languages(&self.accepted)
    }

    /// What links begin with.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address of the list.
    #[must_use]
    pub fn list_address(&self) -> String {
        format!("{}/api/v4/widgets", self.origin)
    }

    /// A widget as this caller sees it. Whether `settings` are shown is the method's decision.
    #[must_use]
    pub fn model<'m>(&'m self, sighting: &'m Sighting, settings: Option<&'m Settings>) -> WidgetModel<'m> {
        let install = sighting.install.as_ref().map(|install| Placed { pipeline_id: install.pipeline_id });
        self.model_of(&sighting.widget, install, settings)
    }

    /// The same of a widget and the account's install of it.
    #[must_use]
    pub fn model_of<'m>(
        &'m self,
        widget: &'m Widget,
        install: Option<Placed>,
        settings: Option<&'m Settings>,
    ) -> WidgetModel<'m> {
        WidgetModel {
            id: widget.id.0,
            code: widget.code.as_str(),
            version: widget.version.as_str(),
            rating: widget.rating.to_string(),
            settings_template: self.fields(widget),
            is_lead_source: widget.is_lead_source,
            is_work_with_dp: widget.is_work_with_dp,
            is_crm_template: widget.is_crm_template,
            client_uuid: widget.client_uuid,
            is_active_in_account: install.is_some(),
            pipeline_id: install.and_then(|install| install.pipeline_id),
            settings,
            links: SelfLink { this: Link { href: format!("{}/{}", self.list_address(), widget.code) } },
        }
    }

    fn fields<'m>(&'m self, widget: &'m Widget) -> Vec<FieldModel<'m>> {
        let languages = self.languages();
        let field = |field: &'m crate::catalogue::Field| FieldModel {
            key: &field.key,
            name: field.name.resolve(&languages, self.default_locale),
            r#type: field.kind,
            is_required: field.is_required,
        };
        widget.template.fields.iter().map(field).collect()
    }
}
