//! What an owner says about an integration, checked.

use serde_json::value::RawValue;
use url::{Host, Url};
use uuid::Uuid;

use crate::http::json::Document;
use crate::http::members::{Members, text, uuid};
use crate::http::violation::{FieldError, Violation};

/// Characters of a name at most.
const NAME: usize = 255;
/// Bytes of an address at most.
const URL: usize = 2_048;
/// A new integration.
#[derive(Debug)]
pub struct NewIntegration {
    /// As people know it.
    pub name: String,
    /// Where OAuth sends its users back to.
    pub redirect_uri: Option<String>,
    /// What is called when it is disabled in an account.
    pub disable_hook: Option<String>,
    /// Its client id, when the owner chooses it.
    pub client_uuid: Option<Uuid>,
}

impl NewIntegration {
    /// Checks a body.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        let mut members = Members::of(body)?;
        let name = members.required("name", |value| text(value, NAME));
        let redirect_uri = members.optional("redirect_uri", address);
        let disable_hook = members.optional("disable_hook", address);
        let client_uuid = members.optional("client_uuid", uuid);
        members.finish(name.map(|name| Self { name, redirect_uri, disable_hook, client_uuid }))
    }
}

impl NewIntegration {
    /// The members that were given, by their names.
    #[must_use]
    pub fn members(&self) -> Vec<&'static str> {
        named([true, self.redirect_uri.is_some(), self.disable_hook.is_some()])
    }
}

/// What is to change; what is `None` stays.
#[derive(Debug)]
pub struct Changes {
    /// Another name.
    pub name: Option<String>,
    /// Another address or none.
    pub redirect_uri: Option<Option<String>>,
    /// Another address or none.
    pub disable_hook: Option<Option<String>>,
}

impl Changes {
    /// Checks a body.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn check(body: Option<&Document>) -> Result<Self, Vec<FieldError>> {
        let mut members = Members::of(body)?;
        // A name can be changed and not taken away.
        let name = members.given("name", |value| text(value, NAME));
        let redirect_uri = members.nullable("redirect_uri", address);
        let disable_hook = members.nullable("disable_hook", address);
        members.finish(Some(Self { name, redirect_uri, disable_hook }))
    }
}

impl Changes {
    /// The members that were given, by their names.
    #[must_use]
    pub fn members(&self) -> Vec<&'static str> {
        named([self.name.is_some(), self.redirect_uri.is_some(), self.disable_hook.is_some()])
    }
}

fn named(given: [bool; 3]) -> Vec<&'static str> {
    let names = ["name", "redirect_uri", "disable_hook"];
    names.into_iter().zip(given).filter_map(|(name, given)| given.then_some(name)).collect()
}

fn address(value: &RawValue) -> Result<String, Violation> {
    let text = text(value, usize::MAX)?;
    if text.len() > URL {
        return Err(Violation::TooLong(URL));
    }
    if may_be_called(&text) { Ok(text) } else { Err(Violation::InvalidUrl) }
}

/// Whether a text is an absolute https address, or an http one of this machine, without user name, password and fragment.
///
/// The text is kept as it is, so it must mean the same to everybody: a parser of addresses mends white space, backslashes and
/// missing slashes, and another mends them differently.
fn may_be_called(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte));
    let Some((scheme, rest)) = text.split_once("://").filter(|_| plain) else { return false };
    let Ok(url) = Url::parse(text) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let named = !authority.is_empty() && !authority.contains('@') && !text.contains('#');
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    named && (scheme == "https" || scheme == "http" && local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "https://example.com",
            "https://example.com:8443/a/b?c=d%20e&f",
            "https://xn--e1afmkfd.xn--p1ai/",
            "https://192.0.2.1/hook",
            "https://[2001:db8::1]:1/",
            "http://localhost:3000/back",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ] {
            assert!(may_be_called(good), "{good}");
        }
        for bad in [
            "example.com",
            "//example.com/",
            "/path",
            "https:example.com",
            "https:/example.com",
            "https:\\\\example.com",
            "https://",
            "https:///path",
            "https://?q",
            "HTTPS://example.com",
            "https://user@example.com/",
            "https://user:word@example.com/",
            "https://@example.com/",
            "https://example.com/#part",
            "https://example.com/#",
            "https://exa mple.com/",
            " https://example.com/",
            "https://example.com/\n",
            "https://example.com/a\tb",
            "https://пример.рф/",
            "https://example.com:99999/",
            "https://[::1/",
            "http://example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://[::2]/",
            "ftp://localhost/",
            "javascript:alert(1)",
            "data:text/plain,a",
            "file:///etc/passwd",
        ] {
            assert!(!may_be_called(bad), "{bad}");
        }
    }
}
