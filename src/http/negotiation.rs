//! In which form and language an answer is sent (RFC 9110, 12.5.3 and 12.5.4).

use std::cmp::Reverse;

use super::weighted::weighted;
use crate::encoding::Encoding;

/// Elements of a list that are looked at.
const MOST: usize = 32;

/// What a client accepts.
#[derive(Debug)]
pub struct Accepted<'a>(Vec<(&'a str, u16)>);

impl<'a> Accepted<'a> {
    /// Reads `Accept-Encoding`. Who sends none gets the bytes themselves, which every client understands.
    #[must_use]
    pub fn read(header: Option<&'a str>) -> Self {
        Self(weighted(header.unwrap_or_default()).take(MOST).collect())
    }

    /// The packed form to send, of those that there are; `None` for the bytes themselves. Of two that are wanted alike it is the one
    /// that comes first.
    ///
    /// Where nothing is accepted that there is, the bytes themselves are sent all the same: the alternative is a refusal.
    #[must_use]
    pub fn choose(&self, forms: impl Iterator<Item = Encoding>) -> Option<Encoding> {
        let weight = |form| self.weight(names(form)).or(self.any()).unwrap_or(0);
        let weights = forms.map(|form| (form, weight(form))).filter(|(_, weight)| *weight > 0);
        let (form, weight) = weights.min_by_key(|(_, weight)| Reverse(*weight))?;
        // Who does not name the bytes themselves takes them when there is nothing better.
        (weight >= self.weight(&["identity"]).unwrap_or(0)).then_some(form)
    }

    /// Whether the bytes themselves may be sent.
    #[must_use]
    pub fn identity(&self) -> bool {
        self.weight(&["identity"]).or(self.any()) != Some(0)
    }

    fn any(&self) -> Option<u16> {
        self.weight(&["*"])
    }

    fn weight(&self, names: &[&str]) -> Option<u16> {
        let is_one = |known: &str| names.iter().any(|name| name.eq_ignore_ascii_case(known));
        self.0.iter().find(|(name, _)| is_one(name)).map(|(_, weight)| *weight)
    }
}

/// What a form is called.
const fn names(form: Encoding) -> &'static [&'static str] {
    match form {
        Encoding::Brotli => &["br"],
        // The second is the same, from before it was registered.
        Encoding::Gzip => &["gzip", "x-gzip"],
        Encoding::Zstd => &["zstd"],
    }
}

/// The languages of an `Accept-Language`, the most wanted first, at most 16.
#[must_use]
pub fn languages(accept: &str) -> Vec<&str> {
    let wanted = weighted(accept).filter(|(tag, weight)| *weight > 0 && *tag != "*");
    let mut wanted: Vec<(&str, u16)> = wanted.take(16).collect();
    wanted.sort_by_key(|(_, weight)| Reverse(*weight));
    wanted.into_iter().map(|(tag, _)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        const BR: Option<Encoding> = Some(Encoding::Brotli);
        const GZIP: Option<Encoding> = Some(Encoding::Gzip);
        const ZSTD: Option<Encoding> = Some(Encoding::Zstd);
        for (header, chosen, identity) in [
            ("gzip, deflate, br, zstd", BR, true),
            ("gzip, deflate", GZIP, true),
            ("gzip, zstd", ZSTD, true),
            ("zstd", ZSTD, true),
            ("ZSTD;q=0.001", ZSTD, true),
            ("zstd, br;q=0.9, gzip", ZSTD, true),
            ("zstd;q=0.5, gzip", GZIP, true),
            ("zstd;q=0, gzip", GZIP, true),
            ("zstd;q=0", None, true),
            ("identity;q=0, zstd", ZSTD, false),
            ("x-gzip", GZIP, true),
            ("GZIP", GZIP, true),
            ("br;q=0.5, gzip;q=0.8", GZIP, true),
            ("br;q=0.8, gzip;q=0.8", BR, true),
            ("gzip;q=1.0, br;q=0", GZIP, true),
            ("gzip;q=0.001", GZIP, true),
            ("gzip;q=0", None, true),
            ("identity", None, true),
            ("identity, gzip;q=0.5", None, true),
            ("identity;q=0.5, gzip", GZIP, true),
            ("identity;q=0.5, gzip;q=0.5", GZIP, true),
            ("*", BR, true),
            ("*;q=0.1", BR, true),
            ("br;q=0, *", ZSTD, true),
            ("br;q=0, zstd;q=0, *", GZIP, true),
            ("gzip;q=0.5, *;q=0", GZIP, false),
            ("identity;q=0", None, false),
            ("identity;q=0, *;q=0.5", BR, false),
            ("*;q=0", None, false),
            ("*;q=0, identity;q=1", None, true),
            ("deflate, x-zstd, compress", None, true),
            ("gzip;level=9", None, true),
            ("gzip;q=x", None, true),
            ("", None, true),
            (",,;", None, true),
        ] {
            let accepted = Accepted::read(Some(header));
            assert_eq!(
                (accepted.choose(Encoding::ALL.into_iter()), accepted.identity()),
                (chosen, identity),
                "{header}"
            );
        }
        let none = Accepted::read(None);
        assert_eq!((none.choose(Encoding::ALL.into_iter()), none.identity()), (None, true));
        assert_eq!(Accepted::read(Some("br, gzip")).choose([Encoding::Gzip].into_iter()), GZIP);
        assert_eq!(Accepted::read(Some("br, gzip")).choose([].into_iter()), None);
        assert_eq!(Accepted::read(Some("zstd")).choose(Encoding::STORED.into_iter()), None);
        let long = "a,".repeat(100_000) + "gzip";
        assert_eq!(Accepted::read(Some(&long)).choose(Encoding::ALL.into_iter()), None);
    }

    #[test]
    fn languages_come_by_weight() {
        assert_eq!(languages("ru;q=0.5, en-US, es;q=0.9, *;q=0.1, de;q=0"), ["en-US", "es", "ru"]);
        assert!(languages("").iter().all(|language| language.is_empty()));
        assert_eq!(languages("en;q=NaN, fr;q=x, es;w=1, de;qq=1"), Vec::<&str>::new());
        assert_eq!(languages("en;Q=0.5, ru;Q=0.9"), ["ru", "en"]);
    }
}
