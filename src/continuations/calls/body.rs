//! The body with which a widget's server is called: `token`, `data` and `return_url`.

use std::fmt::Write as _;
use std::str::FromStr;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::json::{self, Kind};

/// Bytes of a body at most. In a form every value repeats the keys that lead to it, so that a small document can be a large form.
pub const MOST: usize = 1024 * 1024;

/// How a body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// `application/x-www-form-urlencoded`, as the real service does.
    #[default]
    Form,
    /// `application/json`
    Json,
}

impl Encoding {
    /// As it stands in requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Json => "json",
        }
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Form => "application/x-www-form-urlencoded",
            Self::Json => "application/json",
        }
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "form" => Ok(Self::Form),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is neither form nor json")),
        }
    }
}

/// A form that would be larger than 1 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data is larger than {MOST} bytes as a form; send less, with shorter keys, or choose the encoding json")]
pub struct TooLarge;

/// Writes a body. As JSON, `data` keeps its bytes. As a form it is what PHP's `http_build_query` makes of it: `data[key][0]=…` in the
/// order of `data`, `true` is 1, `false` is 0, nulls and empty objects and arrays are left out, and numbers stay as they are written.
///
/// `data` was checked by [`json::Document`], which bounds how deep this recurses.
///
/// # Errors
///
/// When it is larger than 1 MiB.
pub fn encode(encoding: Encoding, token: &str, data: Option<&RawValue>, return_url: &str) -> Result<Vec<u8>, TooLarge> {
    let body = match encoding {
        Encoding::Json => as_json(token, data, return_url).ok_or(TooLarge)?,
        Encoding::Form => {
            let mut form = Form(String::new());
            form.pair("token", token)?;
            if let Some(data) = data {
                form.value("data", data)?;
            }
            form.pair("return_url", return_url)?;
            form.0
        }
    };
    if body.len() > MOST { Err(TooLarge) } else { Ok(body.into_bytes()) }
}

fn as_json(token: &str, data: Option<&RawValue>, return_url: &str) -> Option<String> {
    #[derive(Serialize)]
    struct Body<'a> {
        token: &'a str,
        data: Option<&'a RawValue>,
        return_url: &'a str,
    }
    // Texts and checked JSON can always be written.
    serde_json::to_string(&Body { token, data, return_url }).ok()
}

struct Form(String);

impl Form {
    /// `name` is already escaped.
    fn pair(&mut self, name: &str, value: &str) -> Result<(), TooLarge> {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        escape(value, &mut self.0);
        if self.0.len() > MOST { Err(TooLarge) } else { Ok(()) }
    }

    fn value(&mut self, name: &str, value: &RawValue) -> Result<(), TooLarge> {
        match json::kind(value) {
            Kind::Object => {
                let members = json::members(value).unwrap_or_default();
                members.into_iter().try_for_each(|(key, value)| self.value(&inner(name, &key), value))
            }
            Kind::Array => {
                let elements = json::elements(value).unwrap_or_default();
                let mut indexed = elements.into_iter().enumerate();
                indexed.try_for_each(|(index, value)| self.value(&inner(name, &index.to_string()), value))
            }
            Kind::String => self.pair(name, &json::text(value).unwrap_or_default()),
            Kind::Number => self.pair(name, value.get()),
            Kind::Bool => self.pair(name, if value.get() == "true" { "1" } else { "0" }),
            Kind::Null => Ok(()),
        }
    }
}

/// `name[key]`, escaped.
fn inner(name: &str, key: &str) -> String {
    let mut inner = format!("{name}%5B");
    escape(key, &mut inner);
    inner.push_str("%5D");
    inner
}

/// PHP's `urlencode`: letters, digits, `-`, `_` and `.` stay, a space is `+`.
fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(data: &str) -> String {
        let data: &RawValue = serde_json::from_str(data).unwrap();
        let body = encode(Encoding::Form, "t.o-k_en", Some(data), "https://r.test/a?b=1").unwrap();
        let body = String::from_utf8(body).unwrap();
        let inner = body.strip_prefix("token=t.o-k_en").unwrap();
        let inner = inner.strip_suffix("&return_url=https%3A%2F%2Fr.test%2Fa%3Fb%3D1").unwrap();
        inner.strip_prefix('&').unwrap_or(inner).to_owned()
    }

    #[test]
    fn a_form_is_what_php_makes() {
        for (data, expected) in [
            (r"{}", ""),
            (r"[]", ""),
            (r"null", ""),
            (r#"{"a":{},"b":[],"c":null}"#, ""),
            (r#"{"message":"hi"}"#, "data%5Bmessage%5D=hi"),
            (r#"{"b":"2","a":"1"}"#, "data%5Bb%5D=2&data%5Ba%5D=1"),
            (r#"["x","y"]"#, "data%5B0%5D=x&data%5B1%5D=y"),
            (r#"{"a":[1,null,3]}"#, "data%5Ba%5D%5B0%5D=1&data%5Ba%5D%5B2%5D=3"),
            (r#"{"a":{"b":{"c":"d"}}}"#, "data%5Ba%5D%5Bb%5D%5Bc%5D=d"),
            (r#"{"a":[{"b":1},{"b":2}]}"#, "data%5Ba%5D%5B0%5D%5Bb%5D=1&data%5Ba%5D%5B1%5D%5Bb%5D=2"),
            (r#"{"yes":true,"no":false}"#, "data%5Byes%5D=1&data%5Bno%5D=0"),
            (r#"{"n":12345678901234567890}"#, "data%5Bn%5D=12345678901234567890"),
            (r#"{"n":-1.50e+3}"#, "data%5Bn%5D=-1.50e%2B3"),
            (r#"{"e":""}"#, "data%5Be%5D="),
            (r#"{"":"x"}"#, "data%5B%5D=x"),
            (r#"{"a b":"c d"}"#, "data%5Ba+b%5D=c+d"),
            (r#"{"k":"a+b&c=d%e"}"#, "data%5Bk%5D=a%2Bb%26c%3Dd%25e"),
            (r#"{"k":"-_.~*!'()"}"#, "data%5Bk%5D=-_.%7E%2A%21%27%28%29"),
            (r#"{"ж":"é\n\"\\"}"#, "data%5B%D0%B6%5D=%C3%A9%0A%22%5C"),
            (r#"{"k":"\u0436\ud83d\ude00"}"#, "data%5Bk%5D=%D0%B6%F0%9F%98%80"),
            (r#"{"a[b]":"c"}"#, "data%5Ba%5Bb%5D%5D=c"),
            (r#""text""#, "data=text"),
            (r"5", "data=5"),
        ] {
            assert_eq!(form(data), expected, "{data}");
        }
    }

    #[test]
    fn json_keeps_the_bytes_of_data() {
        let data: &RawValue = serde_json::from_str(r#"{"n": 1.0e2, "t":"\u0436"}"#).unwrap();
        let body = encode(Encoding::Json, "t", Some(data), "https://r.test/").unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"token":"t","data":{"n": 1.0e2, "t":"\u0436"},"return_url":"https://r.test/"}"#
        );
        let body = encode(Encoding::Json, "t", None, "r").unwrap();
        assert_eq!(body, br#"{"token":"t","data":null,"return_url":"r"}"#);
        assert_eq!(encode(Encoding::Form, "t", None, "r").unwrap(), b"token=t&return_url=r");
    }

    #[test]
    fn a_small_document_does_not_become_a_huge_form() {
        let data = format!(r#"{{"{}":[{}1]}}"#, "k".repeat(1_000), "1,".repeat(30_000));
        let data: &RawValue = serde_json::from_str(&data).unwrap();
        assert_eq!(encode(Encoding::Form, "t", Some(data), "r"), Err(TooLarge));
        assert!(encode(Encoding::Json, "t", Some(data), "r").is_ok());
    }

    #[test]
    fn encodings_have_names() {
        for encoding in [Encoding::Form, Encoding::Json] {
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
        }
        assert!("xml".parse::<Encoding>().unwrap_err().contains("`xml`"));
    }
}
