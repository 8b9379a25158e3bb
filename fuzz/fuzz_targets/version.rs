//! Versions: what is accepted is within the pattern and itself again; the order is total, and that of the numbers. The input
//! is up to three, with a NUL between.
#![no_main]

use std::cmp::Ordering;

use libfuzzer_sys::fuzz_target;
use widget_registry_fuzz::archive::Version;

/// The numbers, when the text is within the pattern; missing ones are 0.
fn numbers(text: &str) -> Option<[String; 4]> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if text.len() > 64 || parts.len() > 4 || !parts.iter().all(number) {
        return None;
    }
    // As wide as the widest, so that texts are ordered as numbers are.
    let mut padded = std::array::from_fn(|_| "0".repeat(64));
    for (to, part) in padded.iter_mut().zip(parts) {
        *to = format!("{part:0>64}");
    }
    Some(padded)
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut versions = Vec::new();
    for text in text.split('\0').take(3) {
        let parsed = text.parse::<Version>();
        assert_eq!(parsed.is_ok(), numbers(text).is_some(), "{text:?}");
        assert_eq!(parsed, Version::try_from(text.to_owned()));
        let Ok(version) = parsed else { continue };
        assert_eq!(version.to_string(), text);
        assert_eq!(version.to_string().parse(), Ok(version.clone()));
        let json = serde_json::to_string(&version).expect("a version is JSON");
        assert_eq!(serde_json::from_str::<Version>(&json).expect("a version's JSON is a version"), version);
        versions.push(version);
    }
    for a in &versions {
        assert_eq!(a.order(a), Ordering::Equal);
        for b in &versions {
            assert_eq!(a.order(b), numbers(a.as_str()).cmp(&numbers(b.as_str())), "{a} {b}");
            assert_eq!(a.order(b), b.order(a).reverse(), "{a} {b}");
            assert!(a != b || a.order(b).is_eq(), "{a} {b}");
            for c in &versions {
                assert!(a.order(b).is_gt() || b.order(c).is_gt() || a.order(c).is_le(), "{a} {b} {c}");
            }
        }
    }
});
