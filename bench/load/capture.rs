//! What the service sends to its database for a request, taken from PostgreSQL's log and made into a script for pgbench: so the script is
//! never another than what the service does.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, ensure};

/// A statement as it was executed.
#[derive(Debug, Clone)]
struct Statement {
    text: String,
    /// `None` for null.
    parameters: Vec<Option<String>>,
}

/// A value that varies from one transaction to the next.
#[derive(Debug)]
pub struct Marker {
    /// What stands for it in the log.
    pub text: String,
    /// What stands for it in the script.
    pub expression: &'static str,
    /// Whether it is also replaced inside of longer texts.
    pub is_part: bool,
}

/// A script for pgbench, without its beginning that sets what varies.
#[derive(Debug, Default)]
pub struct Script {
    pub lines: String,
    /// Values of variables.
    pub constants: Vec<(String, String)>,
    /// Statements, for people.
    pub statements: usize,
}

/// Reads what was logged after a place.
pub fn read_from(log: &Path, place: u64) -> anyhow::Result<String> {
    let mut file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
    file.seek(SeekFrom::Start(place))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The transactions of a log in which a text occurs, one after the other; `None` when it occurs in none that was committed.
pub fn script(log: &str, needle: &str, markers: &[Marker]) -> anyhow::Result<Option<Script>> {
    let found: Vec<Statement> = transactions(log).into_iter().filter(|one| mentions(one, needle)).flatten().collect();
    if found.is_empty() {
        return Ok(None);
    }
    let mut script = Script::default();
    for statement in &found {
        let first = statement.text.split([' ', ';']).next().unwrap_or_default().to_ascii_uppercase();
        // An account that comes with BEGIN in one message cannot be sent as a prepared statement: its connections see every account.
        let line = match first.as_str() {
            "BEGIN" | "COMMIT" => first,
            _ => prepared(statement, markers, &mut script.constants)?,
        };
        script.lines.push_str(&line);
        script.lines.push_str(";\n");
        script.statements += 1;
    }
    Ok(Some(script))
}

fn mentions(transaction: &[Statement], needle: &str) -> bool {
    let of = |statement: &Statement| {
        statement.text.contains(needle) || statement.parameters.iter().flatten().any(|value| value.contains(needle))
    };
    transaction.iter().any(of)
}

/// The committed transactions of a log, each with its statements in order.
fn transactions(log: &str) -> Vec<Vec<Statement>> {
    let mut open: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
    let mut ended = Vec::new();
    for (process, statement) in statements(log) {
        let word = statement.text.split([' ', ';']).next().unwrap_or_default().to_ascii_uppercase();
        match (word.as_str(), open.get_mut(&process)) {
            ("BEGIN", _) => {
                open.insert(process, vec![statement]);
            }
            ("ROLLBACK", _) => {
                open.remove(&process);
            }
            ("COMMIT", Some(_)) => {
                let mut whole = open.remove(&process).unwrap_or_default();
                whole.push(statement);
                ended.push(whole);
            }
            (_, Some(transaction)) => transaction.push(statement),
            (_, None) => ended.push(vec![statement]),
        }
    }
    ended
}

/// Every statement with the process that executed it.
fn statements(log: &str) -> Vec<(String, Statement)> {
    // A line that begins with a tab belongs to the one before.
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match (line.strip_prefix('\t'), entries.last_mut()) {
            (Some(rest), Some(entry)) => {
                entry.push('\n');
                entry.push_str(rest);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    let mut found: Vec<(String, Statement)> = Vec::new();
    for entry in entries {
        let Some((head, message)) = entry.split_once("] ") else { continue };
        let Some((_, process)) = head.rsplit_once('[') else { continue };
        if let Some(text) = message.strip_prefix("LOG:  ") {
            let executed =
                text.strip_prefix("statement: ").or_else(|| Some(text.strip_prefix("execute ")?.split_once(": ")?.1));
            if let Some(text) = executed {
                found.push((process.to_owned(), Statement { text: text.trim().to_owned(), parameters: Vec::new() }));
            }
        } else if let Some(detail) = message.strip_prefix("DETAIL:  ") {
            let of = found.iter_mut().rev().find(|(other, _)| other == process);
            let values = detail.strip_prefix("parameters: ").or_else(|| detail.strip_prefix("Parameters: "));
            if let (Some((_, statement)), Some(values)) = (of, values) {
                statement.parameters = parameters(values);
            }
        }
    }
    found
}

/// Reads `$1 = 'it''s', $2 = NULL`.
fn parameters(mut text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while let Some((_, rest)) = text.split_once(" = ") {
        let Some(quoted) = rest.strip_prefix('\'') else {
            values.push(None);
            text = rest.strip_prefix("NULL").unwrap_or_default();
            continue;
        };
        let mut value = String::new();
        let mut rest = quoted;
        while let Some((part, after)) = rest.split_once('\'') {
            value.push_str(part);
            rest = after;
            let Some(more) = rest.strip_prefix('\'') else { break };
            value.push('\'');
            rest = more;
        }
        values.push(Some(value));
        text = rest;
    }
    values
}

/// A statement in pgbench's words: parameters and texts with colons are variables, so that it replaces nothing else.
fn prepared(
    statement: &Statement,
    markers: &[Marker],
    constants: &mut Vec<(String, String)>,
) -> anyhow::Result<String> {
    let mut constant = |value: &str| {
        // No variable can be empty.
        if value.is_empty() {
            return "''".to_owned();
        }
        let name = format!("c{}", constants.len());
        constants.push((name.clone(), value.to_owned()));
        format!(":{name}")
    };
    let mut line = String::new();
    let mut rest = statement.text.as_str();
    while let Some(at) = rest.find(['$', '\'']) {
        line.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('\'') {
            let end = after.find('\'').context("a text without an end")?;
            let text = &after[..end];
            if text.contains(':') {
                line.push_str(&format!("{}::text", constant(text)));
            } else {
                line.push_str(&format!("'{text}'"));
            }
            rest = &after[end + 1..];
            continue;
        }
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = after[..digits].parse().context("a parameter without a number")?;
        let value = statement.parameters.get(number - 1).context("a parameter without a value")?;
        match value {
            None => line.push_str("NULL"),
            Some(value) => line.push_str(&expression(value, markers, &mut constant)),
        }
        rest = &after[digits..];
    }
    line.push_str(rest);
    ensure!(!line.contains(';'), "several statements in one cannot be prepared: {}", statement.text);
    Ok(line.replace('\n', " "))
}

/// What stands for a value.
fn expression(value: &str, markers: &[Marker], constant: &mut impl FnMut(&str) -> String) -> String {
    if let Some(marker) = markers.iter().find(|marker| marker.text == value) {
        return format!("({})", marker.expression);
    }
    for marker in markers.iter().filter(|marker| marker.is_part) {
        if let Some((before, after)) = value.split_once(&marker.text) {
            let text = |part: &str, constant: &mut dyn FnMut(&str) -> String| format!("{}::text", constant(part));
            return format!(
                "({} || ({})::text || {})",
                text(before, constant),
                marker.expression,
                text(after, constant)
            );
        }
    }
    format!("{}::{}", constant(value), kind(value))
}

/// The type that a value of the log most likely has. One that it cannot have makes the statement fail, which is told.
fn kind(value: &str) -> &'static str {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let looks_like = |pattern: &str| {
        value.len() >= pattern.len()
            && pattern.chars().zip(value.chars()).all(|(p, c)| if p == 'x' { c.is_ascii_hexdigit() } else { p == c })
    };
    if digits(value.strip_prefix('-').unwrap_or(value)) {
        "bigint"
    } else if value == "t" || value == "f" {
        "boolean"
    } else if value.starts_with("\\x") {
        "bytea"
    } else if value.len() == 36 && looks_like("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
        "uuid"
    } else if looks_like("xxxx-xx-xx xx:xx:xx") {
        "timestamptz"
    } else if value
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|list| list.split(',').all(digits))
    {
        "bigint[]"
    } else {
        "text"
    }
}
