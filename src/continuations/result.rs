//! What a widget answers a waiting bot with: `data`, kept byte for byte, and blocks that the bot is to run.

use serde_json::value::RawValue;

use crate::http::json::{self, Document, Kind};
use crate::http::violation::{Expected, FieldError, Violation, join};

/// Blocks of one answer at most.
const HANDLERS: usize = 10;
/// Characters of a message at most.
const MESSAGE: usize = 80;
/// Buttons of a message at most.
const BUTTONS: usize = 25;

/// A checked answer.
#[derive(Debug, Default)]
pub struct BotResult {
    /// An object or an array, as it came.
    pub data: Option<Box<RawValue>>,
    /// The blocks, as they came.
    pub execute_handlers: Option<Box<RawValue>>,
}

impl BotResult {
    /// Checks the body of a continue: nothing, `{}` and `[]` are an answer without data; other members are ignored.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        let Some(root) = body.map(Document::root) else { return Ok(Self::default()) };
        if json::elements(root).is_some_and(|elements| elements.is_empty()) {
            return Ok(Self::default());
        }
        let members =
            json::members(root).ok_or_else(|| vec![FieldError::new("", Violation::InvalidType(Expected::Object))])?;
        let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
        let given = |name| member(name).filter(|value| json::kind(value) != Kind::Null);
        let mut errors = Vec::new();
        let data = given("data");
        if data.is_some_and(|data| !matches!(json::kind(data), Kind::Object | Kind::Array)) {
            errors.push(FieldError::new("data", Violation::InvalidType(Expected::Object)));
        }
        let execute_handlers = given("execute_handlers");
        if let Some(value) = execute_handlers {
            handlers("execute_handlers", value, &mut errors);
        }
        if errors.is_empty() {
            Ok(Self { data: data.map(RawValue::to_owned), execute_handlers: execute_handlers.map(RawValue::to_owned) })
        } else {
            Err(errors)
        }
    }
}

fn handlers(path: &str, value: &RawValue, errors: &mut Vec<FieldError>) {
    let Some(handlers) = json::elements(value) else {
        return errors.push(FieldError::new(path, Violation::InvalidType(Expected::Array)));
    };
    match handlers.len() {
        0 => errors.push(FieldError::new(path, Violation::TooFew(1))),
        1..=HANDLERS => {}
        _ => errors.push(FieldError::new(path, Violation::TooMany(HANDLERS))),
    }
    for (index, value) in handlers.into_iter().take(HANDLERS).enumerate() {
        handler(join(path, &index.to_string()), value, errors);
    }
}

/// A block: `{"handler": "show" | "goto", "params": {…}}`.
fn handler(path: String, value: &RawValue, errors: &mut Vec<FieldError>) {
    let inner = join(&path, "params");
    let Some(mut fields) = Fields::of(path, value, errors) else { return };
    let name = fields.choice("handler", &["show", "goto"]);
    let params = fields.required("params");
    let Some(params) = params.and_then(|params| Fields::of(inner, params, errors)) else { return };
    match name.as_deref() {
        Some("show") => show(params),
        Some("goto") => goto(params),
        _ => {}
    }
}

/// A message: `{"type": "text" | "buttons" | "buttons_url", "value": "…", "buttons": […]}`.
fn show(mut params: Fields<'_, '_>) {
    let kind = params.choice("type", &["text", "buttons", "buttons_url"]);
    if let Some(value) = params.required("value") {
        match json::text(value) {
            None => params.error("value", Violation::InvalidType(Expected::String)),
            Some(text) if text.trim().is_empty() => params.error("value", Violation::NotBlank),
            Some(text) if text.chars().count() > MESSAGE => params.error("value", Violation::TooLong(MESSAGE)),
            Some(_) => {}
        }
    }
    let buttons =
        if kind.is_some_and(|kind| kind != "text") { params.required("buttons") } else { params.get("buttons") };
    if let Some(buttons) = buttons {
        match json::elements(buttons).map(|buttons| buttons.len()) {
            None => params.error("buttons", Violation::InvalidType(Expected::Array)),
            Some(count) if count > BUTTONS => params.error("buttons", Violation::TooMany(BUTTONS)),
            Some(_) => {}
        }
    }
}

/// A jump: `{"type": "question" | "answer" | "finish", "step": 5}`.
fn goto(mut params: Fields<'_, '_>) {
    params.choice("type", &["question", "answer", "finish"]);
    if let Some(step) = params.required("step") {
        match json::integer(step) {
            None => params.error("step", Violation::InvalidType(Expected::Int)),
            Some(step) if step < 0 => params.error("step", Violation::TooLow),
            Some(_) => {}
        }
    }
}

/// The members of one object, its path, and where its errors go.
struct Fields<'a, 'e> {
    path: String,
    members: Vec<(std::borrow::Cow<'a, str>, &'a RawValue)>,
    errors: &'e mut Vec<FieldError>,
}

impl<'a, 'e> Fields<'a, 'e> {
    fn of(path: String, value: &'a RawValue, errors: &'e mut Vec<FieldError>) -> Option<Self> {
        let Some(members) = json::members(value) else {
            errors.push(FieldError::new(path, Violation::InvalidType(Expected::Object)));
            return None;
        };
        Some(Self { path, members, errors })
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn required(&mut self, name: &str) -> Option<&'a RawValue> {
        let value = self.get(name);
        if value.is_none() {
            self.error(name, Violation::FieldMissing);
        }
        value
    }

    fn choice(&mut self, name: &str, choices: &[&str]) -> Option<String> {
        let value = self.required(name)?;
        let Some(text) = json::text(value) else {
            self.error(name, Violation::InvalidType(Expected::String));
            return None;
        };
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        self.error(name, Violation::NotSupportedChoice);
        None
    }

    fn error(&mut self, name: &str, violation: Violation) {
        let path = join(&self.path, name);
        self.errors.push(FieldError::new(path, violation));
    }
}
