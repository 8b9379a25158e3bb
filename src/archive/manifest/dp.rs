//! The section `dp`: the widget as an action of the digital pipeline.

use super::Reader;
use crate::archive::finding_code::FindingCode;
use crate::archive::json::Value;

/// Hosts and endings of hosts that lead to nobody, or to the machine itself.
const PLACEHOLDERS: &[&str] =
    &["example.com", "example.org", "example.net", "example", "invalid", "test", "localhost", "localdomain"];

/// The section's contents.
pub(super) struct Dp {
    pub(super) webhook_url: Option<String>,
}

impl Reader<'_, '_> {
    /// `None` when the manifest has no such section.
    pub(super) fn dp(&mut self) -> Option<Dp> {
        let node = self.root().get("dp")?;
        let empty_list = node.elements().is_some_and(<[_]>::is_empty);
        if node.members().is_none() && !empty_list {
            let message = format!("`dp` is {}; an object is expected.", node.kind());
            self.report(FindingCode::ManifestDp, "dp", node, message);
        }
        Some(Dp { webhook_url: self.webhook_url() })
    }

    fn webhook_url(&mut self) -> Option<String> {
        let path = "dp.webhook_url";
        let node = self.root().get("dp")?.get("webhook_url")?;
        let Value::Text(url) = &node.value else {
            let message = format!("`{path}` is {}; a text is expected.", node.kind());
            self.report(FindingCode::ManifestDp, path, node, message);
            return None;
        };
        match host(url) {
            None => {
                let message = "The address does not begin with https:// and a host, and nothing is sent to it; \
                    give the address of your server.";
                self.report(FindingCode::ManifestWebhookAddress, path, node, message);
                None
            }
            Some(host) => {
                if is_placeholder(&host) {
                    let message = format!("The address leads to {host}; give the address of your server.");
                    self.report(FindingCode::ManifestWebhookPlaceholder, path, node, message);
                }
                Some(url.clone().into_owned())
            }
        }
    }
}

/// The host of an http or https address, in lower case.
fn host(url: &str) -> Option<String> {
    let url = url.to_ascii_lowercase();
    if url.len() > 2048 || url.chars().any(|character| character.is_control() || character.is_whitespace()) {
        return None;
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = match host_and_port.strip_prefix('[') {
        Some(ip) => ip.split(']').next()?,
        None => host_and_port.split(':').next()?,
    };
    let host = host.trim_end_matches('.');
    (!host.is_empty()).then(|| host.to_owned())
}

fn is_placeholder(host: &str) -> bool {
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    loopback
        || PLACEHOLDERS
            .iter()
            .any(|name| host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_host() {
        assert_eq!(host("https://user:pw@Hooks.Site.ru:8443/a?b").as_deref(), Some("hooks.site.ru"));
        assert_eq!(host("http://[::1]:80/").as_deref(), Some("::1"));
        for bad in ["", "ftp://a.ru", "//a.ru", "https://", "a.ru/hook", "https://a b.ru"] {
            assert_eq!(host(bad), None, "{bad}");
        }
    }

    #[test]
    fn knows_placeholders() {
        for name in ["example.com", "www.example.com", "localhost", "127.0.0.1", "::1", "0.0.0.0", "a.test"] {
            assert!(is_placeholder(name), "{name}");
        }
        for name in ["myexample.com", "example.com.ru", "leads.bizandsoft.ru", "8.8.8.8"] {
            assert!(!is_placeholder(name), "{name}");
        }
    }
}
