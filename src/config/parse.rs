//! From the words of a setting to its type. Each error ends the sentence that begins with the setting's name and value.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

use crate::auth::KeySource;
use crate::http::origin::PublicOrigin;

/// `127.0.0.1:8080`, `[::1]:0`, `localhost:8080`.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.replacen("localhost:", "127.0.0.1:", 1)
        .parse()
        .map_err(|_| "is not an address and a port, such as 127.0.0.1:8080 or 0.0.0.0:80".to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("is empty; give a path".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn database_url(text: &str) -> Result<SecretString, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    match url.scheme() {
        "postgres" | "postgresql" => Ok(SecretString::from(text.to_owned())),
        other => Err(format!("begins with {other}://, but only postgres:// URLs are understood")),
    }
}

pub(super) fn origin(text: &str) -> Result<PublicOrigin, String> {
    PublicOrigin::parse(text).ok_or_else(|| {
        "is not an address such as https://widgets.example.com, with a scheme and a host and no path".to_owned()
    })
}

pub(super) fn origins(text: &str) -> Result<Vec<PublicOrigin>, String> {
    list(text, |item| {
        if item == "*" {
            return Err("must not hold *: requests carry tokens, so each origin is named".to_owned());
        }
        origin(item).map_err(|why| format!("holds `{item}`, which {why}"))
    })
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    list(text, |item| {
        item.parse::<IpNet>()
            .or_else(|_| item.parse::<std::net::IpAddr>().map(IpNet::from))
            .map_err(|_| format!("holds `{item}`, which is neither an address nor a network such as 10.0.0.0/8"))
    })
}

pub(super) fn keys(text: &str) -> Result<Vec<KeySource>, String> {
    text.split(';').map(str::trim).filter(|item| !item.is_empty()).map(key_source).collect()
}

fn key_source(text: &str) -> Result<KeySource, String> {
    const SHAPE: &str = "must be `kid=ID,algorithm=EdDSA|RS256|ES256|HS256,file=PATH`, `jwks=PATH` or `jwks=URL`, several parted by `;`";
    let mut kid = None;
    let mut algorithm = None;
    let mut file = None;
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or(SHAPE)?;
        let value = value.trim().to_owned();
        match name.trim() {
            "jwks" if value.starts_with("https://") || value.starts_with("http://") => {
                return Ok(KeySource::Url(value));
            }
            "jwks" if !text.contains(',') => return Ok(KeySource::Jwks(PathBuf::from(value))),
            "kid" => kid = Some(value),
            "algorithm" => algorithm = Some(value.parse()?),
            "file" => file = Some(PathBuf::from(value)),
            _ => return Err(SHAPE.to_owned()),
        }
    }
    match (kid, algorithm, file) {
        (Some(kid), Some(algorithm), Some(path)) if !kid.is_empty() => Ok(KeySource::File { kid, algorithm, path }),
        _ => Err(SHAPE.to_owned()),
    }
}

pub(super) fn non_empty(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn locale(text: &str) -> Result<String, String> {
    let fits =
        (2..=16).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits { Ok(text.to_owned()) } else { Err("is not a locale such as en or pt-BR".to_owned()) }
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn number(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let value = text.parse::<u64>().ok().filter(|value| (least..=most).contains(value));
        value.ok_or_else(|| format!("is not a whole number from {least} to {most}"))
    }
}

/// [`number`] for counts that are held in memory.
pub(super) fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> {
    move |text| {
        let value = text.parse::<usize>().ok().filter(|value| (least..=most).contains(value));
        value.ok_or_else(|| format!("is not a whole number from {least} to {most}"))
    }
}

pub(super) fn connections(text: &str) -> Result<u32, String> {
    text.parse::<u32>()
        .ok()
        .filter(|n| (2..=1_000).contains(n))
        .ok_or_else(|| "is not a number from 2 to 1000".to_owned())
}

pub(super) fn rate(text: &str) -> Result<NonZeroU32, String> {
    text.parse::<NonZeroU32>().map_err(|_| "is not a number of requests per second, 1 or more".to_owned())
}

/// `64KiB`, `20MiB`, or plain bytes; at most 1 GiB.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = split_unit(text);
    let factor: usize = match unit {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => 0,
    };
    let bytes = digits.parse::<usize>().ok().and_then(|count| count.checked_mul(factor));
    bytes
        .filter(|bytes| (1..=1024 * 1024 * 1024).contains(bytes))
        .ok_or_else(|| "is not a size such as 512, 64KiB or 20MiB, of at most 1024MiB".to_owned())
}

/// `250ms`, `5s`, `15m`, `24h`, `30d`; more than nothing, at most 366 days.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = split_unit(text);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let total = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(milliseconds));
    total
        .filter(|total| (1..=366 * 86_400_000).contains(total))
        .map(Duration::from_millis)
        .ok_or_else(|| "is not a time such as 250ms, 5s, 15m, 24h or 30d".to_owned())
}

/// A time for which something that has changed may be shown as it was: at most a minute.
pub(super) fn staleness(text: &str) -> Result<Duration, String> {
    let most = Duration::from_mins(1);
    duration(text)
        .ok()
        .filter(|time| *time <= most)
        .ok_or_else(|| "is not a time such as 250ms or 2s, of at most 60s".to_owned())
}

fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim())
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_take_units() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("512"), Ok(512));
        assert!(
            size("0").is_err()
                && size("2GiB").is_err()
                && size("99999999999999999999").is_err()
                && size("KiB").is_err()
        );
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("24h"), Ok(Duration::from_hours(24)));
        assert!(
            duration("0s").is_err() && duration("5").is_err() && duration("-5s").is_err() && duration("1000d").is_err()
        );
    }

    #[test]
    fn key_sources_are_bound_to_one_algorithm() {
        let one = keys("kid=a,algorithm=HS256,file=/s; jwks=/k.json").unwrap();
        assert_eq!(one.len(), 2);
        assert_eq!(one.get(1), Some(&KeySource::Jwks(PathBuf::from("/k.json"))));
        let url = "https://crm.test/jwks.json?a=1";
        assert_eq!(keys(&format!("jwks={url}")), Ok(vec![KeySource::Url(url.to_owned())]));
        assert!(keys("kid=a,algorithm=none,file=/s").unwrap_err().contains("`none`"));
        assert!(keys("kid=a,file=/s").is_err() && keys("nonsense").is_err());
    }

    #[test]
    fn a_star_is_no_origin() {
        assert!(origins("*").is_err());
        assert_eq!(origins("https://a.test, http://localhost:3000").map(|all| all.len()), Ok(2));
        assert!(origins("https://a.test/path").is_err());
    }
}
