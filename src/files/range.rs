//! Byte ranges (RFC 9110, section 14): one range per request; anything else is answered with the whole file.

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    Whole,
    /// From the first to the last byte, both counted from 0.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: u64,
    },
    /// Nothing that the file has.
    Unsatisfiable,
}

/// Reads a header's value for a file of `size` bytes.
pub(super) fn wanted(range: Option<&str>, size: u64) -> Wanted {
    let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")).filter(|range| !range.contains(',')) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.split_once('-') else { return Wanted::Whole };
    let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().unwrap_or(u64::MAX));
    match (first.trim(), last.trim()) {
        ("", suffix) if !suffix.is_empty() => match number(suffix) {
            Some(0) => Wanted::Unsatisfiable,
            Some(_) if size == 0 => Wanted::Unsatisfiable,
            Some(count) => Wanted::Part { first: size.saturating_sub(count), last: size - 1 },
            None => Wanted::Whole,
        },
        (first, last) if !first.is_empty() => {
            match (number(first), if last.is_empty() { Some(u64::MAX) } else { number(last) }) {
                (Some(first), Some(last)) if first > last => Wanted::Whole,
                (Some(first), Some(_)) if first >= size => Wanted::Unsatisfiable,
                (Some(first), Some(last)) => Wanted::Part { first, last: last.min(size - 1) },
                _ => Wanted::Whole,
            }
        }
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |first, last| Wanted::Part { first, last };
        for (header, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-100", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-100", part(0, 9)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), expected, "{header}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }
}
