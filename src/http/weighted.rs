//! Lists whose elements have weights, as `Accept-Language` and `Accept-Encoding` are (RFC 9110, 12.4.2).

/// The elements with their weights in thousandths, as they stand there. What is not written as a weight has to be takes its element
/// with it.
pub(crate) fn weighted(list: &str) -> impl Iterator<Item = (&str, u16)> {
    list.split(',').filter_map(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let weight: f32 = weight.trim().strip_prefix(['q', 'Q'])?.strip_prefix('=')?.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0…1000")]
        let weight = (weight.clamp(0.0, 1.0) * 1_000.0) as u16;
        Some((name.trim(), weight))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        let read = |list| weighted(list).collect::<Vec<_>>();
        assert_eq!(read("a, b;q=0.5,c ; Q=0.001 ,*;q=0"), [("a", 1_000), ("b", 500), ("c", 1), ("*", 0)]);
        assert_eq!(read("a;q=7, b;q=-1, c;q=NaN"), [("a", 1_000), ("b", 0), ("c", 0)]);
        assert_eq!(read("a;q, b;q=, c;w=1, d;qq=1"), []);
        assert_eq!(read(""), [("", 1_000)]);
    }
}
