//! Splits a SQL script into its statements. A distributed database forwards the whole text of a message to its nodes, so each
//! statement is sent alone.

/// The statements of a script, without the semicolons between them; those that hold only comments and white space are left out.
pub(super) fn split(script: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut rest = script;
    while !rest.is_empty() {
        let end = end_of_statement(rest);
        let (statement, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if has_content(statement) {
            statements.push(statement.trim());
        }
        rest = after.strip_prefix(';').unwrap_or(after);
    }
    statements
}

/// The index of the first semicolon that is not inside a quote, a dollar-quoted body or a comment; the length when there is none.
fn end_of_statement(text: &str) -> usize {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(';') {
            return at;
        }
        at += quoted(rest).unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
    }
    text.len()
}

/// The length of the comment or quote that `text` begins with.
fn quoted(text: &str) -> Option<usize> {
    let until = |start: usize, end: &str| {
        let inner = text.get(start..).unwrap_or_default();
        inner.find(end).map_or(text.len(), |found| start + found + end.len())
    };
    if text.starts_with("--") {
        Some(until(2, "\n"))
    } else if text.starts_with("/*") {
        Some(until(2, "*/"))
    } else if text.starts_with('\'') {
        Some(until(1, "'"))
    } else if text.starts_with('"') {
        Some(until(1, "\""))
    } else {
        let tag = dollar_tag(text)?;
        Some(until(tag.len(), tag))
    }
}

/// `$$` or `$name$` at the start of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let length = inner.find('$')?;
    let name = inner.get(..length)?;
    let fits =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if fits { text.get(..length + 2) } else { None }
}

fn has_content(statement: &str) -> bool {
    let mut rest = statement.trim_start();
    while rest.starts_with("--") || rest.starts_with("/*") {
        rest = quoted(rest).and_then(|length| rest.get(length..)).unwrap_or_default().trim_start();
    }
    !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_inside_something_do_not_part() {
        let script = "SELECT ';', \"a;b\"; -- no; end\nCREATE FUNCTION f() AS $x$ BEGIN; $$ ; $x$; /* ; */ SELECT 'it''s;'; ;\n-- end;\n";
        assert_eq!(
            split(script),
            [
                "SELECT ';', \"a;b\"",
                "-- no; end\nCREATE FUNCTION f() AS $x$ BEGIN; $$ ; $x$",
                "/* ; */ SELECT 'it''s;'"
            ]
        );
    }

    #[test]
    fn what_never_ends_is_one_statement() {
        assert_eq!(split("SELECT 'é;"), ["SELECT 'é;"]);
        assert_eq!(split("SELECT $1 + $2"), ["SELECT $1 + $2"]);
        assert!(split(" -- only a comment").is_empty());
    }
}
