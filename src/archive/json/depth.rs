//! Counts nesting without recursion, before the parser recurses.

/// The byte at which a text exceeds this depth of brackets.
///
/// It knows nothing of JSON but strings and brackets: on broken JSON it may count too much or too little after the
/// first mistake, where the parser stops anyway. Unbalanced closing brackets count for nothing.
pub(super) fn first_too_deep(text: &str, most: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_outside_of_strings() {
        assert_eq!(first_too_deep("[[1]]", 2), None);
        assert_eq!(first_too_deep("[[[1]]]", 2), Some(2));
        assert_eq!(first_too_deep(r#"["[[[[\"[[["]"#, 2), None);
        assert_eq!(first_too_deep("]]]][[[", 2), Some(6));
        assert_eq!(first_too_deep(&"[".repeat(100_000), 32), Some(32));
    }
}
