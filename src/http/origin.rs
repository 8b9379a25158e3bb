//! The scheme, host and port that links of an answer begin with.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;
use url::Url;

use super::head::Head;

/// A scheme, a host and perhaps a port: `https://widgets.example.com`, as a browser's `Origin` header spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicOrigin(String);

impl PublicOrigin {
    /// Parses `scheme://host[:port]`, with at most a slash after it; http and https only.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let named = url.username().is_empty() && url.password().is_none() && url.has_host();
        (matches!(url.scheme(), "http" | "https") && bare && named).then(|| Self(url.origin().ascii_serialization()))
    }

    /// Without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What links of this answer begin with: the configured public address, else the scheme and host that the client used.
///
/// `X-Forwarded-Proto` and `X-Forwarded-Host` count only when the connection comes from a trusted proxy. A `Host` that is none is
/// replaced by the address that the request came in at, so that nothing a client writes there can end up in a link.
#[must_use]
pub(super) fn of_request(head: &Head, public_url: Option<&PublicOrigin>, trusted: &[IpNet]) -> String {
    if let Some(origin) = public_url {
        return origin.as_str().to_owned();
    }
    let from_proxy = head.peer().is_some_and(|peer| is_trusted(peer.ip(), trusted));
    let forwarded = |name: &str| if from_proxy { last_value(head.headers(), name) } else { None };
    let scheme = match forwarded("x-forwarded-proto").as_deref() {
        Some("https") => "https",
        _ => "http",
    };
    let named = || head.headers().get(header::HOST)?.to_str().ok().filter(|host| is_host(host)).map(Cow::Borrowed);
    let host = forwarded("x-forwarded-host")
        .filter(|host| is_host(host))
        .map(Cow::Owned)
        .or_else(named)
        .unwrap_or_else(|| head.listens_on().to_string().into());
    [scheme, "://", &host].concat()
}

fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|network| network.contains(&peer))
}

/// The last item of a header: the one that the nearest, trusted proxy added.
fn last_value(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get_all(name).last()?.to_str().ok()?;
    value.rsplit(',').next().map(|item| item.trim().to_owned())
}

/// `host`, `host:port`, `1.2.3.4:80` or `[::1]:80`.
fn is_host(text: &str) -> bool {
    if text.len() > 260 {
        return false;
    }
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
            _ => return false,
        },
        None => text.split_once(':').map_or((text, ""), |(name, _)| (name, text.trim_start_matches(name))),
    };
    let name_fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    name_fits && port_fits
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Whether the request was sent on this machine, and by no proxy that says that it speaks for somebody else.
#[must_use]
pub fn is_of_this_machine(head: &Head) -> bool {
    let peer = head.peer().map(|peer| peer.ip().to_canonical());
    let forwarded = head.headers().keys().any(|name| {
        let name = name.as_str();
        name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "via")
    });
    peer.is_some_and(|peer| peer.is_loopback()) && !forwarded
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn head(request: TestRequest) -> Head {
        Head::new(request.to_request(), "127.0.0.1:1".parse().unwrap())
    }

    #[test]
    fn hosts() {
        for good in ["a", "a.b-c.test", "127.0.0.1:80", "localhost:65535", "[::1]", "[::1]:8080", "a_b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in
            ["", ":80", "a:", "a:99999", "a:+80", "a,b", "a b", "a/b", "a\"b", "[::1", "[x]:1", "a:1:2", "a@b", "é"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn public_origins() {
        assert_eq!(PublicOrigin::parse("https://a.test:443/").unwrap().as_str(), "https://a.test");
        assert_eq!(PublicOrigin::parse("http://a.test:8080").unwrap().as_str(), "http://a.test:8080");
        for bad in ["a.test", "ftp://a.test", "https://a.test/x", "https://a.test?x", "https://u@a.test", "https://"] {
            assert!(PublicOrigin::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn this_machine_is_the_peer_and_not_what_a_header_says() {
        let of = |peer: &str, header: Option<&'static str>| {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap());
            let request = match header {
                Some(name) => request.insert_header((name, "127.0.0.1")),
                None => request,
            };
            is_of_this_machine(&head(request))
        };
        for peer in ["127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(of(peer, None), "{peer}");
            assert!(of(peer, Some("x-request-id")), "{peer}");
            for header in ["x-forwarded-for", "X-Forwarded-Proto", "Forwarded", "x-real-ip", "via"] {
                assert!(!of(peer, Some(header)), "{peer} {header}");
            }
        }
        for peer in ["10.0.0.1:1", "172.17.0.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1", "0.0.0.0:1"] {
            assert!(!of(peer, None) && !of(peer, Some("x-forwarded-for")), "{peer}");
        }
        assert!(!is_of_this_machine(&head(TestRequest::default())));
    }
}
