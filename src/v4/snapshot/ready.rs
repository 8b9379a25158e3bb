//! A widget as bytes that are ready to be sent, but for the few that depend on who asks: whether it is installed, and where links lead.

use std::borrow::Cow;

use serde::Deserialize as _;
use uuid::Uuid;

use super::store::Listed;
use crate::archive::{WidgetCode, choose_locale};
use crate::auth::Caller;
use crate::catalogue::{Owner, Rule, Visibility, Widget, WidgetId};
use crate::digest::Sha256;
use crate::http::problem::Problem;
use crate::installs::{Placed, Settings};
use crate::v4::model::View;

/// A widget that cannot be written as the model says: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It cannot be written at all.
    #[error("it cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It does not end with what depends on who asks.
    #[error("its JSON ends otherwise than expected")]
    End,
}

impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        tracing::error!(%error, "a widget cannot be shown");
        Self::Internal
    }
}

/// A widget in memory.
#[derive(Debug)]
pub struct Ready {
    /// Its number.
    pub id: WidgetId,
    /// Its name in URLs.
    pub code: WidgetCode,
    /// Whose it is.
    pub owner: Owner,
    /// Whether everybody sees it.
    pub is_public: bool,
    /// Its integration.
    pub client: Option<Uuid>,
    texts: Texts,
}

#[derive(Debug)]
enum Texts {
    /// The same in every language.
    One(Text),
    /// In each of the widget's languages.
    Many(Box<[(Box<str>, Text)]>),
    /// Its fields speak different languages, so what is shown depends on all that are asked for: written for each request.
    Mixed(Box<Widget>),
}

/// What the model begins with, up to what depends on who asks.
#[derive(Debug, Clone)]
pub struct Text {
    bytes: Box<[u8]>,
    digest: [u8; 16],
}

impl Text {
    fn of(widget: &Widget, view: &View<'_>) -> Result<Self, NotReady> {
        // Most widgets have less, so that it is written without being moved.
        let mut whole = Vec::with_capacity(1_024);
        serde_json::to_writer(&mut whole, &view.model_of(widget, None, None))?;
        let mut end = Vec::with_capacity(128);
        write_end(&mut end, &widget.code, None, b"", &view.escaped_origin());
        let bytes = whole.strip_suffix(end.as_slice()).ok_or(NotReady::End)?;
        let mut digest = [0; 16];
        digest.iter_mut().zip(Sha256::of(&[bytes]).0).for_each(|(to, from)| *to = from);
        Ok(Self { bytes: bytes.into(), digest })
    }

    /// Tells it from every other.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

/// The name of the settings' template in the model. No member before it holds a quotation mark.
const TEMPLATE: &str = "\"settings_template\":";

/// What the model ends with; `settings` is the member of this name, if it is shown.
fn write_end(to: &mut Vec<u8>, code: &WidgetCode, install: Option<Placed>, settings: &[u8], origin: &str) {
    to.extend_from_slice(if install.is_some() { b"true" } else { b"false" });
    to.extend_from_slice(b",\"pipeline_id\":");
    match install.and_then(|install| install.pipeline_id) {
        Some(pipeline) => to.extend_from_slice(pipeline.to_string().as_bytes()),
        None => to.extend_from_slice(b"null"),
    }
    to.extend_from_slice(settings);
    to.extend_from_slice(b",\"_links\":{\"self\":{\"href\":\"");
    to.extend_from_slice(origin.as_bytes());
    to.extend_from_slice(b"/api/v4/widgets/");
    to.extend_from_slice(code.as_str().as_bytes());
    to.extend_from_slice(b"\"}}}");
}

impl Ready {
    /// Makes a widget ready. Where its languages leave a choice, it is made with this default.
    ///
    /// # Errors
    ///
    /// A fault of ours.
    pub fn of(listed: Listed, default_locale: &str) -> Result<Self, NotReady> {
        let Listed { widget, owner, visibility } = listed;
        let texts = texts(&widget, default_locale)?;
        Ok(Self {
            id: widget.id,
            code: widget.code,
            owner,
            is_public: visibility == Visibility::Public,
            client: widget.client_uuid,
            texts,
        })
    }

    /// Whether this is the caller's own widget.
    #[must_use]
    pub fn is_of(&self, caller: &Caller) -> bool {
        self.owner == Owner { account: caller.account, user: caller.user }
    }

    /// What the model begins with in the caller's language.
    ///
    /// # Errors
    ///
    /// A fault of ours.
    pub fn text(&self, view: &View<'_>) -> Result<Cow<'_, Text>, NotReady> {
        match &self.texts {
            Texts::One(text) => Ok(Cow::Borrowed(text)),
            Texts::Many(texts) => {
                let chosen = view.choose(&texts.iter().map(|(locale, _)| locale.as_ref()));
                texts.get(chosen).map(|(_, text)| Cow::Borrowed(text)).ok_or(NotReady::End)
            }
            Texts::Mixed(widget) => Text::of(widget, view).map(Cow::Owned),
        }
    }

    /// As many bytes as [`Self::write`] writes at most.
    #[must_use]
    pub fn size(&self, text: &Text, origin: &str) -> usize {
        // `false`, the longest number of a pipeline and the names around them.
        const REST: usize = 96;
        text.bytes.len() + self.code.as_str().len() + origin.len() + REST
    }

    /// Writes the whole model: what it begins with, whether it is installed, and links that begin with this origin.
    pub fn write(&self, to: &mut Vec<u8>, text: &Text, install: Option<Placed>, origin: &str) {
        to.extend_from_slice(&text.bytes);
        write_end(to, &self.code, install, b"", origin);
    }

    /// The whole model of a widget that has just been installed, with its settings.
    ///
    /// # Errors
    ///
    /// A fault of ours.
    pub fn installed(&self, install: Placed, settings: &Settings, view: &View<'_>) -> Result<Vec<u8>, NotReady> {
        let (text, origin) = (self.text(view)?, view.escaped_origin());
        let mut member = b",\"settings\":".to_vec();
        serde_json::to_writer(&mut member, settings)?;
        let mut whole = Vec::with_capacity(self.size(&text, &origin) + member.len());
        whole.extend_from_slice(&text.bytes);
        write_end(&mut whole, &self.code, Some(install), &member, &origin);
        Ok(whole)
    }

    /// What an install has to give. It is read from the model, so that it takes no memory besides.
    ///
    /// # Errors
    ///
    /// A fault of ours.
    pub fn rules(&self) -> Result<Vec<Rule<'_>>, NotReady> {
        let text = match &self.texts {
            Texts::One(text) => text,
            Texts::Many(texts) => texts.first().map(|(_, text)| text).ok_or(NotReady::End)?,
            Texts::Mixed(widget) => return Ok(widget.template.rules()),
        };
        let text = std::str::from_utf8(&text.bytes).map_err(|_| NotReady::End)?;
        let (_, template) = text.split_once(TEMPLATE).ok_or(NotReady::End)?;
        Ok(Vec::deserialize(&mut serde_json::Deserializer::from_str(template))?)
    }
}

fn texts(widget: &Widget, default_locale: &str) -> Result<Texts, NotReady> {
    fn locales(field: &crate::catalogue::Field) -> impl Iterator<Item = &str> + Clone {
        field.name.texts.iter().map(|(locale, _)| locale.as_str())
    }
    let in_locale = |locale: &str| Text::of(widget, &View::of_nobody(locale, default_locale));
    // Fields whose name is the same in every language go with any others.
    let mut fields = widget.template.fields.iter().filter(|field| !field.name.texts.is_empty());
    let Some(first) = fields.next() else { return Ok(Texts::One(in_locale(default_locale)?)) };
    if !fields.all(|field| locales(field).eq(locales(first))) {
        return Ok(Texts::Mixed(Box::new(widget.clone())));
    }
    let mut texts = Vec::new();
    for locale in locales(first) {
        texts.push((locale.into(), in_locale(locale)?));
    }
    match <[_; 1]>::try_from(texts) {
        Ok([(_, only)]) => Ok(Texts::One(only)),
        Err(many) => Ok(Texts::Many(many.into())),
    }
}

impl View<'_> {
    /// The place of the language that is shown, among those that there are.
    fn choose<'a>(&self, locales: &(impl Iterator<Item = &'a str> + Clone)) -> usize {
        choose_locale(locales, self.languages().into_iter(), self.default_locale)
    }
}
