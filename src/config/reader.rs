//! Reads settings from three places at once: a flag wins over the environment, the environment over the file, the file over the
//! default. Mistakes are collected, not thrown, so that one run shows all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The prefix of every environment variable of ours.
const PREFIX: &str = "WIDGET_REGISTRY_";

/// The tables of the configuration file.
const TABLES: [&str; 3] = ["keep", "limits", "outgoing"];

/// Variables that begin alike and are no settings: those of other commands, and those that Kubernetes makes for a service that is
/// named after us. A star stands for any end.
const OTHERS: [&str; 7] = ["CONFIG", "SERVER", "TOKEN", "WIDGET_SECRET", "BIN", "SERVICE_*", "PORT*"];

fn is_or_begins(variable: &str, other: &str) -> bool {
    let name = variable.trim_start_matches(PREFIX);
    other.strip_suffix('*').map_or(name == other, |beginning| name.starts_with(beginning))
}

/// Where settings can come from, in the order in which they win.
#[derive(Debug, Default)]
pub struct Sources {
    /// Command-line flags, by the setting's name.
    pub flags: BTreeMap<&'static str, String>,
    /// Environment variables, by their full name.
    pub environment: BTreeMap<String, String>,
    /// The configuration file, already parsed.
    pub file: toml::Table,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag, such as `--listen`.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A key of the configuration file.
    File(String),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(key) => write!(f, "file, key {key}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting as `widget-registry config` prints it.
#[derive(Debug)]
pub struct Shown {
    /// The name, which is also the key in the file.
    pub name: &'static str,
    /// The text that was given, or `(secret)`, or empty when it is not set.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// The default's text; empty when there is none.
    pub default: &'static str,
    /// One sentence on what it does.
    pub explanation: &'static str,
}

/// One setting: its name, what it is when nobody sets it, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The name in the file: lower case with underscores, its table's name and a dot before it, such as `limits.page`.
    pub name: &'static str,
    /// The text that is parsed when nobody sets it; empty for "not set".
    pub default: &'static str,
    /// One sentence.
    pub explanation: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
}

/// Collects values and mistakes.
#[derive(Debug)]
pub struct Reader {
    sources: Sources,
    shown: Vec<Shown>,
    mistakes: Vec<String>,
    known: BTreeSet<&'static str>,
}

impl Reader {
    /// Starts reading.
    #[must_use]
    pub fn new(sources: Sources) -> Self {
        Self { sources, shown: Vec::new(), mistakes: Vec::new(), known: BTreeSet::new() }
    }

    /// Reads a setting that has a value in any case.
    ///
    /// `None` only after a mistake, which is then in the list that [`Reader::finish`] returns.
    pub fn value<T>(&mut self, setting: Setting, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (text, origin) = self.find(setting);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                let given = if setting.secret { "the value given".to_owned() } else { format!("`{text}`") };
                self.mistakes.push(format!("{}: {given} {why} ({origin})", setting.name));
                None
            }
        }
    }

    /// Reads a setting that may be left out. The outer `Option` is `None` after a mistake.
    pub fn optional<T>(&mut self, setting: Setting, parse: impl Fn(&str) -> Result<T, String>) -> Option<Option<T>> {
        self.value(setting, |text| if text.is_empty() { Ok(None) } else { parse(text).map(Some) })
    }

    /// Shows what a setting that nobody set comes to, where that depends on the machine.
    pub fn comes_to(&mut self, name: &str, value: &dyn fmt::Display) {
        if let Some(shown) = self.shown.iter_mut().find(|shown| shown.name == name) {
            shown.value = value.to_string();
        }
    }

    /// Adds a mistake that concerns several settings together.
    pub fn mistake(&mut self, sentence: String) {
        self.mistakes.push(sentence);
    }

    /// Ends the reading: every setting as it was read, and every mistake, unknown keys of the file among them.
    #[must_use]
    pub fn finish(mut self) -> (Vec<Shown>, Vec<String>) {
        for key in flat_keys(&self.sources.file) {
            if !self.known.contains(key.as_str()) {
                self.mistakes
                    .push(format!("{key}: there is no such setting (file); `widget-registry config` lists all"));
            }
        }
        let known: BTreeSet<String> = self.known.iter().map(|name| variable_of(name)).collect();
        for variable in self.sources.environment.keys().filter(|variable| variable.starts_with(PREFIX)) {
            if !known.contains(variable) && !OTHERS.iter().any(|other| is_or_begins(variable, other)) {
                self.mistakes.push(format!(
                    "{variable}: there is no such setting (environment); `widget-registry config` lists all"
                ));
            }
        }
        (self.shown, self.mistakes)
    }

    fn find(&mut self, setting: Setting) -> (String, Origin) {
        self.known.insert(setting.name);
        if self.sources.flags.get(setting.name).is_some_and(String::is_empty) {
            self.mistakes.push(format!("{}: the flag is empty; leave it out when nothing is meant", setting.name));
        }
        let (text, origin) = self.look_up(setting.name).unwrap_or((setting.default.to_owned(), Origin::Default));
        let value = if setting.secret && !text.is_empty() { "(secret)".to_owned() } else { text.clone() };
        self.shown.push(Shown {
            name: setting.name,
            value,
            origin: origin.clone(),
            default: setting.default,
            explanation: setting.explanation,
        });
        (text, origin)
    }

    fn look_up(&self, name: &str) -> Option<(String, Origin)> {
        if let Some(text) = self.sources.flags.get(name) {
            return Some((text.clone(), Origin::Flag(format!("--{}", name.replace('_', "-")))));
        }
        // An empty variable is one that is not set: that is how Compose files and shells spell "none".
        let environment = |variable: String| {
            let text = self.sources.environment.get(&variable).filter(|text| !text.is_empty())?;
            Some((text.clone(), Origin::Environment(variable)))
        };
        environment(variable_of(name))
            .or_else(|| if name == "database_url" { environment("DATABASE_URL".to_owned()) } else { None })
            .or_else(|| {
                let value =
                    name.split('.').try_fold(toml::Value::Table(self.sources.file.clone()), |value, part| {
                        value.as_table().and_then(|table| table.get(part)).cloned()
                    })?;
                Some((text_of(&value), Origin::File(name.to_owned())))
            })
    }
}

/// The environment variable of a setting: `limits.page` → `WIDGET_REGISTRY_LIMITS_PAGE`.
#[must_use]
pub fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

/// A TOML value in the words in which a flag would give it: an array joined by commas, a table as `key=value` pairs.
fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) if items.iter().any(toml::Value::is_table) => {
            items.iter().map(text_of).collect::<Vec<_>>().join("; ")
        }
        toml::Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        toml::Value::Table(table) => {
            table.iter().map(|(key, value)| format!("{key}={}", text_of(value))).collect::<Vec<_>>().join(",")
        }
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(truth) => truth.to_string(),
        toml::Value::Datetime(date) => date.to_string(),
    }
}

/// Every key of the file; those of a table of settings with its name before them.
fn flat_keys(file: &toml::Table) -> Vec<String> {
    file.iter()
        .flat_map(|(key, value)| match value {
            toml::Value::Table(table) if TABLES.contains(&key.as_str()) => {
                table.keys().map(|inner| format!("{key}.{inner}")).collect()
            }
            _ => vec![key.clone()],
        })
        .collect()
}
