//! Settings as they stand in the database: the values that are secret sealed, each for its account, widget and key.
//!
//! A sealed value is a text that begins with the character U+0000, which no request can bring: bodies that hold it are refused. How many
//! members are sealed stands beside the settings, so that a changed text is not taken for a value.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;

use super::settings::{Settings, Value};
use crate::auth::AccountId;
use crate::catalogue::WidgetId;
use crate::http::json;
use crate::sealing::{DataKey, Fault, Place, Sealed, Sealing, replaced};

/// What the JSON of a sealed value begins with; base64 and a quotation mark follow.
const MARK: &str = r#""\u0000"#;

/// Settings as they stand in the database.
#[derive(Clone)]
pub struct Stored {
    /// A JSON object.
    pub text: Box<RawValue>,
    /// How many of its members are sealed; `None` while nothing is, because the row is older than sealing.
    pub sealed: Option<i32>,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
}

/// A value of stored settings.
enum Part<'a> {
    Plain(&'a RawValue),
    Sealed(Sealed),
}

fn place(account: AccountId, widget: WidgetId, key: &str) -> Place {
    Place::new("installs", &[&account, &widget.0, &key])
}

impl Stored {
    /// Refuses settings that were never sealed, unless they may be older than sealing.
    fn admit(&self, sealing: &Sealing, account: AccountId, widget: WidgetId) -> Result<(), Fault> {
        match self.sealed {
            Some(_) => Ok(()),
            None => sealing.admit_unsealed(&Place::new("installs", &[&account, &widget.0])),
        }
    }

    fn fault(account: AccountId, widget: WidgetId) -> Fault {
        Place::new("installs", &[&account, &widget.0]).fault()
    }

    /// The members in their order; `None` when the text is not what was stored.
    fn parts(&self) -> Option<Vec<(String, Part<'_>)>> {
        let mut parts = Vec::new();
        let mut sealed = 0;
        for (key, value) in json::members(&self.text)? {
            let inside = value.get().strip_prefix(MARK).filter(|_| self.sealed.is_some());
            let part = match inside {
                None => Part::Plain(value),
                Some(inside) => {
                    sealed += 1;
                    Part::Sealed(Sealed::parse(STANDARD.decode(inside.strip_suffix('"')?).ok()?)?)
                }
            };
            parts.push((key.into_owned(), part));
        }
        (sealed == self.sealed.unwrap_or(0)).then_some(parts)
    }

    /// The data keys that seal its values; none when the text is not what was stored.
    #[must_use]
    pub fn keys(&self) -> Vec<(AccountId, i32)> {
        let parts = self.parts().unwrap_or_default();
        let key = |part: &Part<'_>| if let Part::Sealed(sealed) = part { sealed.key() } else { None };
        parts.iter().filter_map(|(_, part)| key(part)).collect()
    }

    /// Opens them. What was never sealed is taken for secret, all of it: which of it is, only the template of its time could say.
    ///
    /// # Errors
    ///
    /// When a value does not open, or there are not as many sealed ones as there should be.
    pub async fn open(&self, sealing: &Sealing, account: AccountId, widget: WidgetId) -> Result<Settings, Fault> {
        self.admit(sealing, account, widget)?;
        let mut members = Vec::new();
        for (key, part) in self.parts().ok_or_else(|| Self::fault(account, widget))? {
            let value = match part {
                Part::Plain(value) if self.sealed.is_some() => Value::Plain(value.to_owned()),
                Part::Plain(value) => Value::Secret(value.get().into()),
                Part::Sealed(sealed) => open(sealing, &place(account, widget, &key), &sealed).await?,
            };
            members.push((key, value));
        }
        Ok(Settings::of_members(members))
    }

    /// Whether every value that is secret is sealed with this key.
    #[must_use]
    pub fn is_under(&self, key: &DataKey) -> bool {
        let is_under = |part: &Part<'_>| match part {
            Part::Plain(_) => true,
            Part::Sealed(sealed) => sealed.key() == Some((key.account, key.id)),
        };
        self.sealed.is_some() && self.parts().is_some_and(|parts| parts.iter().all(|(_, part)| is_under(part)))
    }

    /// Seals with this key what is sealed with others, or never was. What does not open stays as it is, and its fault is returned; when
    /// the text is not what was stored there is nothing to store.
    ///
    /// # Errors
    ///
    /// When the database fails, a key is missing, or there is no randomness.
    pub async fn anew(
        &self,
        sealing: &Sealing,
        key: &DataKey,
        widget: WidgetId,
    ) -> Result<(Option<Self>, Vec<Fault>), Fault> {
        if let Err(fault) = self.admit(sealing, key.account, widget) {
            return Ok((None, vec![fault]));
        }
        let Some(parts) = self.parts() else { return Ok((None, vec![Self::fault(key.account, widget)])) };
        let (mut members, mut faults, mut count) = (Vec::new(), Vec::new(), 0);
        for (name, part) in parts {
            let place = place(key.account, widget, &name);
            let json = match part {
                Part::Plain(value) if self.sealed.is_some() => value.get().to_owned(),
                Part::Plain(value) => {
                    count += 1;
                    marked(&key.seal(&place, value.get().as_bytes(), sealing.secrets())?)
                }
                Part::Sealed(sealed) => {
                    count += 1;
                    match open(sealing, &place, &sealed).await {
                        Ok(value) => marked(&key.seal(&place, value.as_raw().get().as_bytes(), sealing.secrets())?),
                        Err(fault) if fault.is_of_a_value() => {
                            faults.push(fault);
                            marked(&sealed)
                        }
                        Err(fault) => return Err(fault),
                    }
                }
            };
            members.push(member(&name, &json));
        }
        Ok((Some(Self { text: object(&members, key.account, widget)?, sealed: Some(count) }), faults))
    }
}

async fn open(sealing: &Sealing, place: &Place, sealed: &Sealed) -> Result<Value, Fault> {
    let bytes = sealing.open(place, sealed).await?;
    let text = std::str::from_utf8(bytes.expose_secret()).map_err(|_| place.fault())?;
    // Only what is JSON was sealed.
    serde_json::from_str::<&RawValue>(text).map_err(|_| place.fault())?;
    Ok(Value::Secret(SecretString::from(text)))
}

/// Seals the values that are secret with the account's newest key, for the widget and the key that each stands at.
///
/// # Errors
///
/// When the database fails, a key is missing, or there is no randomness.
pub async fn seal(
    sealing: &Sealing,
    account: AccountId,
    widget: WidgetId,
    settings: &Settings,
) -> Result<Stored, Fault> {
    // Without a secret no key is made.
    let key = if settings.has_secrets() { Some(sealing.newest(account).await?) } else { None };
    let mut members = Vec::new();
    let mut sealed = 0;
    for (name, value) in settings.members() {
        let json = match (value, &key) {
            (Value::Secret(text), Some(key)) => {
                sealed += 1;
                let place = place(account, widget, name);
                let bytes = key.seal(&place, text.expose_secret().as_bytes(), sealing.secrets())?;
                marked(&bytes)
            }
            (value, _) => value.as_raw().get().to_owned(),
        };
        members.push(member(name, &json));
    }
    Ok(Stored { text: object(&members, account, widget)?, sealed: Some(sealed) })
}

/// The JSON text of a sealed value.
fn marked(sealed: &Sealed) -> String {
    format!("{MARK}{}\"", STANDARD.encode(sealed.bytes()))
}

fn member(name: &str, json: &str) -> String {
    format!("{}:{json}", serde_json::Value::from(name))
}

fn object(members: &[String], account: AccountId, widget: WidgetId) -> Result<Box<RawValue>, Fault> {
    RawValue::from_string(format!("{{{}}}", members.join(","))).map_err(|_| Stored::fault(account, widget))
}

/// Opens the settings that others are about to replace. Those that do not open are told of and count as none, because replacing them is
/// the cure.
///
/// # Errors
///
/// When the database fails or a key is missing.
pub async fn settings_before(
    sealing: &Sealing,
    account: AccountId,
    widget: WidgetId,
    before: Option<&Stored>,
) -> Result<Option<Settings>, Fault> {
    let Some(before) = before else { return Ok(None) };
    replaced(before.open(sealing, account, widget).await.map(Some))
}
