//! An address that somebody else chose, checked as far as its words go; what its name resolves to is judged at every call.

use std::net::IpAddr;

use url::{Host, Url};

use super::Policy;
use super::address::{Reach, reach};

/// Bytes of an address at most.
const LENGTH: usize = 2048;

/// Why an address is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no URL.
    #[error("is not a URL such as https://example.com/hook: {0}")]
    Malformed(String),
    /// It is too long.
    #[error("is longer than {LENGTH} bytes; shorten it")]
    TooLong,
    /// Its scheme is neither https nor, where that is allowed, http.
    #[error("begins with {0}://, but only https:// is called")]
    Scheme(String),
    /// It is http, which the settings do not allow.
    #[error(
        "begins with http://, which sends everything in the clear; use https://, or allow it by the setting outgoing.http"
    )]
    Clear,
    /// It has a user name or a password.
    #[error("holds a user name or password, which would be stored and shown; leave them out")]
    Credentials,
    /// It has a `#`.
    #[error("holds a fragment, which is never sent; leave out the # and what follows")]
    Fragment,
    /// It leads to this machine.
    #[error(
        "leads to {host}, which is this machine; only public addresses are called, unless the setting outgoing.loopback is on"
    )]
    Loopback {
        /// The host as the address has it.
        host: String,
    },
    /// It leads to where nobody else may send us. What a name resolves to is not told: that would show an inner network to others.
    #[error("leads to {host}, which is {what}; only public addresses are called")]
    Forbidden {
        /// The host as the address has it.
        host: String,
        /// What it is.
        what: &'static str,
    },
}

/// A checked address to call: https, or http where that is allowed; without credentials or fragment, at most 2,048 bytes. An IP
/// address in it, in whatever spelling, is a permitted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

impl Target {
    /// Checks an address. The errors continue a sentence that begins with it.
    ///
    /// # Errors
    ///
    /// Why it is not called.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, Refused> {
        // The parser would pass over these, so that two texts that look different were one address.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Refused::Malformed("it holds a space or a control character".to_owned()));
        }
        let url = Url::parse(text).map_err(|why| Refused::Malformed(why.to_string()))?;
        // Escapes make the parsed address longer than its text.
        if text.len().max(url.as_str().len()) > LENGTH {
            return Err(Refused::TooLong);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        let target = Self(url);
        target.judge(*policy)?;
        Ok(target)
    }

    /// The address as it is called.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// `scheme://host`, and `:port` unless it is the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// What can be judged without asking anybody: the scheme, and a host that is an IP address. The policy of a call may be stricter
    /// than the one with which the address was taken.
    pub(super) fn judge(&self, policy: Policy) -> Result<(), Refused> {
        let host = self.0.host_str().unwrap_or_default();
        let here = match self.0.host() {
            None | Some(Host::Domain("")) => return Err(Refused::Malformed("it has no host".to_owned())),
            Some(Host::Domain(name)) => is_local(name),
            Some(Host::Ipv4(address)) => judge(host, address.into(), policy)? == Reach::Loopback,
            Some(Host::Ipv6(address)) => judge(host, address.into(), policy)? == Reach::Loopback,
        };
        if here && !policy.loopback {
            return Err(Refused::Loopback { host: host.to_owned() });
        }
        match self.0.scheme() {
            "https" => Ok(()),
            "http" if policy.http || here => Ok(()),
            "http" => Err(Refused::Clear),
            other => Err(Refused::Scheme(other.to_owned())),
        }
    }
}

/// Whether a name means this machine on every machine (RFC 6761, 6.3).
pub(super) fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// Judges one address of a host; where it leads, when it may be called.
pub(super) fn judge(host: &str, address: IpAddr, policy: Policy) -> Result<Reach, Refused> {
    match reach(address) {
        // What may be called without TLS because it is local must be local.
        Reach::Public if is_local(host) => {
            Err(Refused::Forbidden { host: host.to_owned(), what: "said to be this machine and is not" })
        }
        Reach::Loopback if !policy.loopback => Err(Refused::Loopback { host: host.to_owned() }),
        Reach::Forbidden(what) => Err(Refused::Forbidden { host: host.to_owned(), what }),
        permitted @ (Reach::Public | Reach::Loopback) => Ok(permitted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: Policy = Policy { http: false, loopback: false };
    const LOCAL: Policy = Policy { http: false, loopback: true };
    const CLEAR: Policy = Policy { http: true, loopback: false };

    fn refusal(text: &str, policy: Policy) -> String {
        match Target::parse(text, &policy) {
            Ok(target) => panic!("{text} is taken as {}", target.as_str()),
            Err(refused) => refused.to_string(),
        }
    }

    #[test]
    fn an_address_is_taken_as_it_is_called() {
        for (text, called, origin) in [
            ("https://example.com", "https://example.com/", "https://example.com"),
            ("HTTPS://Example.COM:443/a?b=c", "https://example.com/a?b=c", "https://example.com"),
            ("https://example.com:8443/ж", "https://example.com:8443/%D0%B6", "https://example.com:8443"),
            ("https://пример.test/", "https://xn--e1afmkfd.test/", "https://xn--e1afmkfd.test"),
            ("https://1.1.1.1/", "https://1.1.1.1/", "https://1.1.1.1"),
            ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]"),
        ] {
            let target = Target::parse(text, &CLOSED).unwrap();
            assert_eq!((target.as_str(), target.origin().as_str()), (called, origin));
        }
    }

    #[test]
    fn what_is_no_address_to_call_is_told() {
        for (text, told) in [
            ("", "is not a URL"),
            ("example.com/hook", "is not a URL"),
            ("//example.com", "is not a URL"),
            ("https://", "is not a URL"),
            ("https:///", "is not a URL"),
            (" https://example.com", "a space or a control character"),
            ("https://exam\nple.com", "a space or a control character"),
            ("https://example.com/a b", "a space or a control character"),
            ("https://1.2.3.4.5/", "is not a URL"),
            ("https://256.1.1.1/", "is not a URL"),
            ("https://[::1%25eth0]/", "is not a URL"),
            ("https://a%00b/", "is not a URL"),
            ("http://example.com/", "use https://"),
            ("http://10.0.0.1/", "a private address"),
            ("ftp://example.com/", "begins with ftp://"),
            ("file:///etc/passwd", "it has no host"),
            ("gopher://example.com/", "begins with gopher://"),
            ("unix:/run/x.sock", "it has no host"),
            ("https://user@example.com/", "user name or password"),
            ("https://user:secret@example.com/", "user name or password"),
            ("https://:secret@example.com/", "user name or password"),
            ("https://example.com/#part", "holds a fragment"),
            ("https://example.com/#", "holds a fragment"),
        ] {
            let refusal = refusal(text, CLOSED);
            assert!(refusal.contains(told), "{text}: {refusal}");
            assert!(!refusal.contains("secret"), "{text}: {refusal}");
        }
    }

    #[test]
    fn length_is_measured_as_it_is_called() {
        let long = |count: usize| format!("https://example.com/{}", "a".repeat(count));
        assert!(Target::parse(&long(2028), &CLOSED).is_ok());
        assert_eq!(Target::parse(&long(2029), &CLOSED), Err(Refused::TooLong));
        assert_eq!(Target::parse(&format!("https://example.com/{}", "ж".repeat(400)), &CLOSED), Err(Refused::TooLong));
    }

    #[test]
    fn no_spelling_hides_an_address() {
        for (host, told) in [
            ("127.0.0.1", "this machine"),
            ("127.1", "this machine"),
            ("127.0.0.1.", "this machine"),
            ("2130706433", "this machine"),
            ("0x7f000001", "this machine"),
            ("0x7f.1", "this machine"),
            ("0X7F.0.0.1", "this machine"),
            ("0177.0.0.1", "this machine"),
            ("017700000001", "this machine"),
            ("127.0x0.000.01", "this machine"),
            ("%31%32%37.0.0.1", "this machine"),
            ("１２７.0.0.1", "this machine"),
            ("127。0。0。1", "this machine"),
            ("[::1]", "this machine"),
            ("[0:0:0:0:0:0:0:1]", "this machine"),
            ("[::ffff:127.0.0.1]", "this machine"),
            ("[::ffff:7f00:1]", "this machine"),
            ("[::127.0.0.1]", "an IPv4-compatible address"),
            ("[64:ff9b::7f00:1]", "behind NAT64"),
            ("[2002:7f00:1::]", "a 6to4 address"),
            ("0", "an unspecified address"),
            ("0.0.0.0", "an unspecified address"),
            ("[::]", "an unspecified address"),
            ("10.1", "a private address"),
            ("167772161", "a private address"),
            ("012.0.0.1", "a private address"),
            ("0xa.1", "a private address"),
            ("3232235777", "a private address"),
            ("0300.0250.1.1", "a private address"),
            ("2852039166", "a link-local address"),
            ("0xa9fea9fe", "a link-local address"),
            ("0251.0376.0251.0376", "a link-local address"),
            ("[::ffff:a9fe:a9fe]", "a link-local address"),
            ("[fe80::1]", "a link-local address"),
            ("[fd00::1]", "a private address"),
            ("4294967295", "the broadcast address"),
        ] {
            for policy in [CLOSED, CLEAR] {
                let refusal = refusal(&format!("https://{host}/"), policy);
                assert!(refusal.contains(told), "{host}: {refusal}");
            }
        }
    }

    #[test]
    fn loopback_opens_loopback_and_http_for_it() {
        for host in ["127.0.0.1:8080", "127.255.0.9", "[::1]:8080", "localhost", "localhost.:80", "a.localhost"] {
            for scheme in ["http", "https"] {
                assert!(Target::parse(&format!("{scheme}://{host}/"), &LOCAL).is_ok(), "{scheme} {host}");
            }
            for policy in [CLOSED, CLEAR] {
                let refused = Target::parse(&format!("http://{host}/"), &policy);
                assert!(matches!(refused, Err(Refused::Loopback { .. })), "{host}: {refused:?}");
            }
        }
        for host in ["10.0.0.1", "169.254.169.254", "[fd00::1]", "0.0.0.0", "[64:ff9b::7f00:1]"] {
            assert!(Target::parse(&format!("https://{host}/"), &LOCAL).is_err(), "{host}");
        }
        for host in ["example.com", "1.1.1.1", "notlocalhost", "localhost.example.com"] {
            assert_eq!(Target::parse(&format!("http://{host}/"), &LOCAL), Err(Refused::Clear), "{host}");
        }
    }

    #[test]
    fn http_opens_public_addresses_only() {
        assert!(Target::parse("http://example.com/", &CLEAR).is_ok());
        assert!(Target::parse("http://1.1.1.1/", &CLEAR).is_ok());
        assert!(Target::parse("http://127.0.0.1/", &CLEAR).is_err());
        assert!(Target::parse("http://10.0.0.1/", &CLEAR).is_err());
    }

    #[test]
    fn a_name_that_means_this_machine_must_lead_to_it() {
        let elsewhere: IpAddr = "1.1.1.1".parse().unwrap();
        assert!(matches!(judge("localhost", elsewhere, LOCAL), Err(Refused::Forbidden { .. })));
        assert_eq!(judge("localhost", "127.0.0.1".parse().unwrap(), LOCAL), Ok(Reach::Loopback));
        assert_eq!(judge("example.com", elsewhere, LOCAL), Ok(Reach::Public));
    }
}
