//! Where chains stood once, written down elsewhere. A chain that was rewritten as a whole fits in itself, but not on its anchor.

use std::collections::BTreeMap;

use crate::digest::Sha256;

/// A line of a file of anchors: an account's chain had this many entries, and the last of them this hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The account, or 0.
    pub account: i64,
    /// How many entries there were.
    pub entries: i64,
    /// The hash of the last.
    pub hash: Sha256,
}

impl std::fmt::Display for Anchor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.account, self.entries, self.hash)
    }
}

/// Anchors by account and number of entries.
pub type Anchors = BTreeMap<i64, BTreeMap<i64, Sha256>>;

/// Why a file of anchors cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// A line has another form.
    #[error(
        "line {0} is no anchor: write an account, a number of entries and 64 hexadecimal digits, with spaces between"
    )]
    Malformed(usize),
    /// There is no anchor.
    #[error("there is no anchor in it: nothing would be checked against it")]
    Empty,
    /// Two lines say different things of one entry.
    #[error("line {0} contradicts a line before it")]
    Contradiction(usize),
}

/// Reads anchors, one in each line; lines that are empty or begin with `#` are passed over. Files of several times may be put together.
///
/// # Errors
///
/// The first line that is wrong, or that there is none.
pub fn parse(text: &str) -> Result<Anchors, AnchorError> {
    let mut anchors = Anchors::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let Anchor { account, entries, hash } = anchor(line).ok_or(AnchorError::Malformed(number))?;
        if anchors.entry(account).or_default().insert(entries, hash).is_some_and(|before| before != hash) {
            return Err(AnchorError::Contradiction(number));
        }
    }
    if anchors.is_empty() { Err(AnchorError::Empty) } else { Ok(anchors) }
}

fn anchor(line: &str) -> Option<Anchor> {
    let mut words = line.split_ascii_whitespace();
    let (account, entries, hash) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    let hash = sha256(hash)?;
    (words.next().is_none() && account >= 0 && entries > 0).then_some(Anchor { account, entries, hash })
}

fn sha256(text: &str) -> Option<Sha256> {
    let is_hexadecimal = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = is_hexadecimal.then_some(text)?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    Sha256::from_slice(&bytes?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_read_as_they_are_printed() {
        let one = Anchor { account: 0, entries: 3, hash: Sha256::of(&[b"one"]) };
        let other = Anchor { account: 7, entries: 1, hash: Sha256::of(&[b"other"]) };
        let anchors = parse(&format!("# of Monday\n{one}\n\n{other}\n{one}\n")).unwrap();
        assert_eq!(anchors, Anchors::from([(0, [(3, one.hash)].into()), (7, [(1, other.hash)].into())]));
        let digits = one.hash.to_string();
        for wrong in
            ["x", "1", "1 2", "1 2 3", &format!("-1 2 {digits}"), &format!("1 0 {digits}"), &format!("1 2 {digits} 3")]
        {
            assert_eq!(parse(&format!("{one}\n{wrong}")), Err(AnchorError::Malformed(2)), "{wrong}");
        }
        assert_eq!(parse(&format!("1 2 {}é", digits.get(..62).unwrap())), Err(AnchorError::Malformed(1)));
        let contradiction = Anchor { hash: other.hash, ..one };
        assert_eq!(parse(&format!("{one}\n{contradiction}")), Err(AnchorError::Contradiction(2)));
        for empty in ["", "\n\n", "# of Monday\n"] {
            assert_eq!(parse(empty), Err(AnchorError::Empty), "{empty:?}");
        }
    }
}
