//! Texts in double quotes.

use std::borrow::Cow;

use super::{JsonError, JsonErrorKind};

/// Reads the string that begins at `at`, which is a double quote, and moves `at` behind it.
///
/// A text without escapes is borrowed.
pub(super) fn read_string<'a>(text: &'a str, at: &mut usize) -> Result<Cow<'a, str>, JsonError> {
    let bytes = text.as_bytes();
    let mut plain_from = *at + 1;
    let mut cursor = plain_from;
    let mut decoded: Option<String> = None;
    loop {
        match bytes.get(cursor) {
            None => return Err(JsonError { at: cursor, kind: JsonErrorKind::UnexpectedEnd }),
            Some(b'"') => {
                *at = cursor + 1;
                let plain = text.get(plain_from..cursor).unwrap_or_default();
                return Ok(match decoded {
                    None => Cow::Borrowed(plain),
                    Some(decoded) => Cow::Owned(decoded + plain),
                });
            }
            Some(b'\\') => {
                let decoded = decoded.get_or_insert_default();
                decoded.push_str(text.get(plain_from..cursor).unwrap_or_default());
                decoded.push(read_escape(bytes, &mut cursor)?);
                plain_from = cursor;
            }
            Some(0..=0x1F) => return Err(JsonError { at: cursor, kind: JsonErrorKind::ControlCharacter }),
            Some(_) => cursor += 1,
        }
    }
}

/// Reads the escape that begins at `at`, which is a backslash, and moves `at` behind it.
fn read_escape(bytes: &[u8], at: &mut usize) -> Result<char, JsonError> {
    let start = *at;
    let wrong = |kind| JsonError { at: start, kind };
    let letter = bytes.get(start + 1).ok_or(JsonError { at: bytes.len(), kind: JsonErrorKind::UnexpectedEnd })?;
    *at = start + 2;
    Ok(match letter {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = read_unit(bytes, at).ok_or(wrong(JsonErrorKind::Escape))?;
            let mut units = vec![first];
            if (0xD800..0xDC00).contains(&first) && bytes.get(*at..*at + 2) == Some(b"\\u") {
                *at += 2;
                units.push(read_unit(bytes, at).ok_or(wrong(JsonErrorKind::Escape))?);
            }
            char::decode_utf16(units).next().and_then(Result::ok).ok_or(wrong(JsonErrorKind::Surrogate))?
        }
        _ => return Err(wrong(JsonErrorKind::Escape)),
    })
}

/// Four hexadecimal digits.
fn read_unit(bytes: &[u8], at: &mut usize) -> Option<u16> {
    let digits = bytes.get(*at..*at + 4)?;
    *at += 4;
    digits.iter().try_fold(0_u16, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        u16::try_from(u32::from(unit) << 4 | digit).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let mut at = 0;
        let read = read_string(text, &mut at).ok()?.into_owned();
        (at == text.len()).then_some(read)
    }

    #[test]
    fn decodes_escapes() {
        assert_eq!(read(r#""a\"\\\/\b\f\n\r\tb""#).unwrap(), "a\"\\/\u{8}\u{c}\n\r\tb");
        assert_eq!(read(r#""\ud83d\ude00x""#).unwrap(), "😀x");
        assert_eq!(read(r#""\u0000""#).unwrap(), "\0");
        assert_eq!(read(r#""\ud83d\u0041""#), None);
        assert_eq!(read(r#""\u+123""#), None);
        assert_eq!(read("\"жük\"").unwrap(), "жük");
    }

    #[test]
    fn borrows_what_needs_no_decoding() {
        let mut at = 0;
        assert!(matches!(read_string("\"plain\"", &mut at), Ok(Cow::Borrowed("plain"))));
    }
}
