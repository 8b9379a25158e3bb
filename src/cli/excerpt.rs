//! The line of a JSON file that a finding is about, with a caret under its column.

/// Characters of a line that are shown at most.
const MOST_SHOWN: usize = 100;
/// The key whose value is never shown.
const SECRET: &str = "secret_key";

/// A line as it is shown, and how many characters stand before the column that is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    pub(super) before: usize,
}

impl Excerpt {
    /// The line of a text, both counted from 1; `None` when there is no such line, or when it may show a secret key.
    pub(super) fn of(text: &str, line: u32, column: u32) -> Option<Self> {
        let line = usize::try_from(line).ok()?.checked_sub(1)?;
        let at = usize::try_from(column).ok()?.checked_sub(1)?;
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let earlier: usize = text.split('\n').take(line).map(|earlier| earlier.len() + 1).sum();
        let (earlier, rest) = text.split_at_checked(earlier)?;
        let shown = rest.split('\n').next()?.trim_end_matches('\r');
        if may_show_secret(earlier, shown) {
            return None;
        }
        Some(cut(shown, at))
    }
}

/// Whether the line has a secret key, or goes on with one that began before it.
fn may_show_secret(earlier: &str, line: &str) -> bool {
    let earlier = unescaped(earlier);
    unescaped(line).contains(SECRET)
        || earlier.match_indices(SECRET).any(|(at, key)| !is_closed(earlier.get(at + key.len()..).unwrap_or_default()))
}

/// Whether what follows a key is its whole value, a text. Other values are taken to last until the end of the file.
fn is_closed(after: &str) -> bool {
    let value = after.trim_start_matches('"').trim_start().strip_prefix(':').map(str::trim_start);
    let Some(text) = value.and_then(|value| value.strip_prefix('"')) else { return false };
    let mut escaped = false;
    text.chars().any(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })
}

/// The text with every letter that is written as `\u0061` written as itself, so that a key is found however it is written.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split("\\u");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let letter = piece.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        if let Some(letter) = letter.filter(|letter| letter.is_ascii_alphabetic() || *letter == '_') {
            plain.push(letter);
            plain.push_str(piece.get(4..).unwrap_or_default());
        } else {
            plain.push_str("\\u");
            plain.push_str(piece);
        }
    }
    plain
}

/// As much of the line around the column as is shown.
fn cut(line: &str, at: usize) -> Excerpt {
    let length = line.chars().count();
    let at = at.min(length);
    let from = at.saturating_sub(MOST_SHOWN / 2).min(length.saturating_sub(MOST_SHOWN));
    let (left, right) = (if from > 0 { "…" } else { "" }, if length - from > MOST_SHOWN { "…" } else { "" });
    let middle: String = line.chars().skip(from).take(MOST_SHOWN).map(printable).collect();
    Excerpt { text: format!("{left}{middle}{right}"), before: at - from + left.chars().count() }
}

/// A character that takes one place on the screen and does nothing else to it.
fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' => '\u{FFFD}',
        character if character.is_control() => '\u{FFFD}',
        character => character,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, line: u32, column: u32) -> Option<(String, usize)> {
        Excerpt::of(text, line, column).map(|excerpt| (excerpt.text, excerpt.before))
    }

    #[test]
    fn finds_the_line_and_the_column() {
        let text = "\u{FEFF}{\r\n\t\"a\": \u{202e}1\r\n}";
        assert_eq!(excerpt(text, 1, 1), Some(("{".into(), 0)));
        assert_eq!(excerpt(text, 2, 7), Some((" \"a\": \u{FFFD}1".into(), 6)));
        assert_eq!(excerpt(text, 3, 9), Some(("}".into(), 1)));
        for (line, column) in [(0, 1), (4, 1), (1, 0)] {
            assert_eq!(excerpt(text, line, column), None);
        }
    }

    #[test]
    fn cuts_long_lines_around_the_column() {
        let line = "ж".repeat(300);
        let (text, before) = excerpt(&line, 1, 150).unwrap();
        assert_eq!((text.chars().count(), before), (102, 51));
        let (text, before) = excerpt(&line, 1, 300).unwrap();
        assert_eq!((text.chars().count(), before), (101, 100));
        assert_eq!(excerpt(&line, 1, 1).unwrap().1, 0);
    }

    #[test]
    fn shows_no_line_of_a_secret_key() {
        let next = |key: &str| format!("{{\n{key}\n\"a\": 1}}");
        for key in [r#""secret_key": "s3","#, r#""secret\u005fkey": "s\"3","#, r#""secret_key" : "","#] {
            assert_eq!(excerpt(&next(key), 2, 1), None, "{key}");
            assert!(excerpt(&next(key), 1, 1).is_some() && excerpt(&next(key), 3, 1).is_some(), "{key}");
        }
        for key in [r#""secret_key":"#, r#""secret_key": "s3"#, r#""secret_key": "s\""#, r#""secret_key": ["a","b","#] {
            assert_eq!(excerpt(&next(key), 3, 1), None, "{key}");
        }
    }
}
