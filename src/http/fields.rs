//! Bodies of plain names and values, as a form or as a JSON object: OAuth clients send either.

use actix_web::dev::Payload;
use secrecy::SecretString;
use url::form_urlencoded;

use super::grant::GrantError;
use super::head::Head;
use super::json::{self, Document, Rules};
use super::problem::Problem;
use super::route::{Body, BodyKind, collect, identity_only, is_json, media_type, within};
use super::shared::Shared;

/// Bytes of such a body at most.
const SIZE: usize = 16 * 1024;
const FORM: &str = "application/x-www-form-urlencoded";
const TAKES: &str = "application/x-www-form-urlencoded or application/json";

/// Names and values. Among the values are secrets, so none is ever shown.
#[derive(Debug)]
pub struct Fields(Vec<(String, SecretString)>);

impl Fields {
    /// The value of a name; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// 400 when it is given twice.
    pub fn get(&self, name: &str) -> Result<Option<&SecretString>, Problem> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(unreadable(format!("The parameter `{name}` is given more than once"))),
        }
    }

    fn of_form(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect())
    }

    /// Texts and whole numbers, which a form could hold as well; null is as good as missing.
    fn of_json(bytes: &[u8], rules: Rules) -> Result<Self, Problem> {
        let document = Document::parse(bytes, rules).map_err(|error| unreadable(error.to_string()))?;
        let Some(document) = document else { return Ok(Self(Vec::new())) };
        let members = json::members(document.root());
        let members = members.ok_or_else(|| unreadable("The body must be a JSON object".to_owned()))?;
        let mut fields = Vec::new();
        for (name, value) in members {
            let text = json::text(value).or_else(|| json::integer(value).map(|number| number.to_string()));
            match text {
                Some(text) => fields.push((name.into_owned(), text.into())),
                None if json::kind(value) == json::Kind::Null => {}
                None => {
                    return Err(unreadable(format!("The parameter `{name}` must be a text or a whole number")));
                }
            }
        }
        Ok(Self(fields))
    }
}

/// OAuth clients look for the `error` of RFC 6749 in every 400.
fn unreadable(why: String) -> Problem {
    Problem::Grant(GrantError::Unreadable(why))
}

impl Body for Fields {
    const KIND: BodyKind = BodyKind::Fields;

    async fn read(head: &Head, payload: Payload, shared: &Shared) -> Result<Self, Problem> {
        let limits = &shared.config.limits;
        identity_only(head)?;
        let bytes = within(limits.body_time, collect(payload, SIZE.min(limits.json_body))).await;
        let bytes = bytes.map_err(|problem| match problem {
            Problem::Malformed(why) => unreadable(why),
            other => other,
        })?;
        if media_type(head).as_deref() == Some(FORM) {
            Ok(Self::of_form(&bytes))
        } else if bytes.is_empty() || is_json(head) {
            Self::of_json(&bytes, Rules { depth: limits.json_depth, keys: limits.object_keys })
        } else {
            Err(Problem::WrongMediaType(TAKES))
        }
    }
}
