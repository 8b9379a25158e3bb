//! Recursive descent over a text whose depth is known to be bounded.

use super::depth::first_too_deep;
use super::strings::read_string;
use super::{JsonError, JsonErrorKind, JsonLimits, Member, Node, Value};

/// Parses a whole file.
///
/// # Errors
///
/// The first place at which it is not JSON, or exceeds a limit.
pub(in crate::archive) fn parse(text: &str, limits: JsonLimits) -> Result<Node<'_>, JsonError> {
    // A parser that recurses only as far as this never meets the end of the stack. A mistake before the too deep place
    // is found first, because the parser refuses that place itself.
    let mut parser = Parser { text, at: 0, values: limits.values, too_deep_at: first_too_deep(text, limits.depth) };
    parser.skip_blanks();
    if parser.peek().is_none() {
        return Err(parser.error(JsonErrorKind::Empty));
    }
    let node = parser.value()?;
    parser.skip_blanks();
    match parser.peek() {
        None => Ok(node),
        Some(b'/' | b'#') => Err(parser.error(JsonErrorKind::Comment)),
        Some(_) => Err(parser.error(JsonErrorKind::TrailingContent)),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
    too_deep_at: Option<usize>,
}

impl<'a> Parser<'a> {
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { at: self.at, kind }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Node<'a>, JsonError> {
        self.values = self.values.checked_sub(1).ok_or_else(|| self.error(JsonErrorKind::TooManyValues))?;
        let start = self.at;
        let value = match self.peek() {
            None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
            Some(b'[' | b'{') if self.too_deep_at.is_some_and(|limit| self.at >= limit) => {
                return Err(self.error(JsonErrorKind::TooDeep));
            }
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => Value::Text(read_string(self.text, &mut self.at)?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'/' | b'#') => return Err(self.error(JsonErrorKind::Comment)),
            Some(b'\'') => return Err(self.error(JsonErrorKind::DoubleQuotes)),
            Some(_) => self.word()?,
        };
        Ok(Node { span: start..self.at, value })
    }

    fn object(&mut self) -> Result<Value<'a>, JsonError> {
        let mut members = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.eat(b'}') {
            return Ok(Value::Map(members));
        }
        loop {
            members.push(self.member()?);
            if !self.more(b'}')? {
                return Ok(Value::Map(members));
            }
        }
    }

    fn member(&mut self) -> Result<Member<'a>, JsonError> {
        let key_at = self.at;
        match self.peek() {
            None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
            Some(b'"') => {}
            Some(b'/' | b'#') => return Err(self.error(JsonErrorKind::Comment)),
            Some(_) => return Err(self.error(JsonErrorKind::DoubleQuotes)),
        }
        let key = read_string(self.text, &mut self.at)?;
        self.skip_blanks();
        if !self.eat(b':') {
            return Err(self.error(self.kind_here(JsonErrorKind::MissingColon)));
        }
        self.skip_blanks();
        Ok(Member { key, key_at, node: self.value()? })
    }

    fn array(&mut self) -> Result<Value<'a>, JsonError> {
        let mut elements = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.eat(b']') {
            return Ok(Value::List(elements));
        }
        loop {
            elements.push(self.value()?);
            if !self.more(b']')? {
                return Ok(Value::List(elements));
            }
        }
    }

    /// After an element: whether another one follows.
    fn more(&mut self, closing: u8) -> Result<bool, JsonError> {
        self.skip_blanks();
        if self.eat(closing) {
            return Ok(false);
        }
        let comma_at = self.at;
        if !self.eat(b',') {
            return Err(self.error(self.kind_here(JsonErrorKind::MissingComma)));
        }
        self.skip_blanks();
        if matches!(self.peek(), Some(b']' | b'}')) {
            return Err(JsonError { at: comma_at, kind: JsonErrorKind::TrailingComma });
        }
        Ok(true)
    }

    /// The end and a comment explain themselves better than what they stand in place of.
    fn kind_here(&self, otherwise: JsonErrorKind) -> JsonErrorKind {
        match self.peek() {
            None => JsonErrorKind::UnexpectedEnd,
            Some(b'/' | b'#') => JsonErrorKind::Comment,
            Some(_) => otherwise,
        }
    }

    fn number(&mut self) -> Result<Value<'a>, JsonError> {
        let start = self.at;
        let wrong = JsonError { at: start, kind: JsonErrorKind::Number };
        self.eat(b'-');
        match self.digits() {
            0 => return Err(wrong),
            1 => {}
            count if self.text.as_bytes().get(self.at - count) == Some(&b'0') => return Err(wrong),
            _ => {}
        }
        if self.eat(b'.') && self.digits() == 0 {
            return Err(wrong);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(wrong);
            }
        }
        self.text.get(start..self.at).map(Value::Number).ok_or(wrong)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn word(&mut self) -> Result<Value<'a>, JsonError> {
        for (word, value) in [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))] {
            if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error(JsonErrorKind::NotAValue))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Path, position};
    use super::*;

    const LIMITS: JsonLimits = JsonLimits { depth: 32, values: 1000 };

    fn kind(text: &str) -> (usize, JsonErrorKind) {
        let error = parse(text, LIMITS).unwrap_err();
        (error.at, error.kind)
    }

    #[test]
    fn keeps_order_numbers_and_places() {
        let text = "{\n  \"b\": [1.50e+1, true, null],\n  \"a\": \"\\u0416\\n\"\n}\n";
        let root = parse(text, LIMITS).unwrap();
        let keys: Vec<_> = root.members().unwrap().iter().map(|member| member.key.as_ref()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!(root.get("b").unwrap().elements().unwrap()[0].value, Value::Number("1.50e+1"));
        assert_eq!(root.get("a").unwrap().text(), Some("Ж\n"));
        assert_eq!(position(text, root.member("a").unwrap().key_at), (3, 3));
        assert_eq!(position(text, root.get("a").unwrap().span.start), (3, 8));
    }

    #[test]
    fn names_every_kind_of_mistake_and_its_place() {
        use JsonErrorKind as K;
        for (text, at, expected) in [
            ("", 0, K::Empty),
            (" \n", 2, K::Empty),
            ("{", 1, K::UnexpectedEnd),
            ("{\"a\"", 4, K::UnexpectedEnd),
            ("[1", 2, K::UnexpectedEnd),
            ("[1,", 3, K::UnexpectedEnd),
            ("\"a", 2, K::UnexpectedEnd),
            ("// x\n{}", 0, K::Comment),
            ("{} // x", 3, K::Comment),
            ("{\"a\": 1 /* x */}", 8, K::Comment),
            ("{ # x\n}", 2, K::Comment),
            ("{\"a\":1,}", 6, K::TrailingComma),
            ("[1, ]", 2, K::TrailingComma),
            ("[1 2]", 3, K::MissingComma),
            ("{\"a\" 1}", 5, K::MissingColon),
            ("{a: 1}", 1, K::DoubleQuotes),
            ("['a']", 1, K::DoubleQuotes),
            ("[NaN]", 1, K::NotAValue),
            ("[,1]", 1, K::NotAValue),
            ("[01]", 1, K::Number),
            ("[1.]", 1, K::Number),
            ("[-]", 1, K::Number),
            ("[1e]", 1, K::Number),
            ("\"a\nb\"", 2, K::ControlCharacter),
            ("\"\\x\"", 1, K::Escape),
            ("\"\\u12\"", 1, K::Escape),
            ("\"\\ud800\"", 1, K::Surrogate),
            ("\"\\udc00\\ud800\"", 1, K::Surrogate),
            ("{} {}", 3, K::TrailingContent),
            ("truex", 4, K::TrailingContent),
        ] {
            assert_eq!(kind(text), (at, expected), "{text:?}");
        }
    }

    #[test]
    fn bounds_depth_and_values() {
        let at_limit = format!("{}{}", "[".repeat(32), "]".repeat(32));
        assert!(parse(&at_limit, LIMITS).is_ok());
        let past = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert_eq!(kind(&past), (32, JsonErrorKind::TooDeep));
        assert_eq!(kind(&"[".repeat(100_000)), (32, JsonErrorKind::TooDeep));
        assert_eq!(kind(&"{\"a\":".repeat(100_000)), (160, JsonErrorKind::TooDeep));
        let list = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse(&list(999), LIMITS).is_ok());
        assert_eq!(kind(&list(1000)).1, JsonErrorKind::TooManyValues);
    }

    #[test]
    fn finds_duplicates_at_every_level() {
        let root = parse(r#"{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "\u0064": 2}], "a": 0}"#, LIMITS).unwrap();
        let mut twice = Vec::new();
        root.visit_members(&mut |path: &Path<'_>, member, again| {
            if again {
                twice.push(path.key(&member.key).to_string());
            }
        });
        assert_eq!(twice, ["a.b", "c.0.d", "a"]);
        assert_eq!(root.get("a").unwrap().value, Value::Number("0"));
    }
}
