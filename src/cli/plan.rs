//! What publishing would change, in words.

use serde::Deserialize;

use super::findings::Finding;
use super::table::counted;

/// The server's plan.
#[derive(Debug, Deserialize)]
pub(super) struct Plan {
    version: String,
    current: Option<String>,
    would_be_current: bool,
    added: Vec<String>,
    removed: Vec<String>,
    retyped: Vec<Retyped>,
    newly_required: Vec<String>,
    installs: u64,
    unfit: u64,
    reasons: Vec<Reason>,
    /// Warnings of the archive.
    pub(super) findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Retyped {
    key: String,
    from: String,
    to: String,
}

#[derive(Debug, Deserialize)]
struct Reason {
    key: String,
    code: String,
    accounts: u64,
}

impl Plan {
    /// The plan for the archive at this path and this code, line by line.
    pub(super) fn lines(&self, path: &str, code: &str) -> Vec<String> {
        let current = match &self.current {
            Some(current) => format!("{current} is current now"),
            None => "no version is current now".to_owned(),
        };
        let stays = if self.would_be_current { "" } else { ", and stays so" };
        let mut lines = vec![format!("{path}: would publish {code} {}; {current}{stays}", self.version)];
        lines.extend(self.changes());
        lines.push(self.fit());
        let reason = |reason: &Reason| {
            format!(
                "    {}: {} {} ({})",
                counted(reason.accounts, "account"),
                reason.key,
                wrong(&reason.code),
                reason.code
            )
        };
        lines.extend(self.reasons.iter().map(reason));
        lines
    }

    /// How the settings change.
    fn changes(&self) -> Vec<String> {
        let retyped: Vec<_> =
            self.retyped.iter().map(|Retyped { key, from, to }| format!("{key} (from {from} to {to})")).collect();
        let lists = [
            ("added", &self.added),
            ("removed", &self.removed),
            ("with another type", &retyped),
            ("newly required", &self.newly_required),
        ];
        let told: Vec<_> = lists
            .into_iter()
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(what, keys)| format!("  settings {what}: {}", keys.join(", ")))
            .collect();
        if told.is_empty() { vec!["  the settings stay as they are".to_owned()] } else { told }
    }

    /// How many accounts are affected.
    fn fit(&self) -> String {
        let Self { installs, unfit, .. } = self;
        match (installs, unfit) {
            (0, _) => "  no account has it installed".to_owned(),
            (_, 0) => format!("  {}: the settings of all would still fit", counted(*installs, "install")),
            _ => format!("  {}: the settings of {unfit} would no longer fit", counted(*installs, "install")),
        }
    }
}

/// What is wrong with a setting, after its key.
fn wrong(code: &str) -> &'static str {
    match code {
        "FieldMissing" => "is missing",
        "NotBlank" => "is blank",
        "InvalidType" => "has another type",
        "TooLong" => "is too long",
        "TooMany" => "has too many entries",
        _ => "does not fit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(plan: &str) -> Vec<String> {
        serde_json::from_str::<Plan>(plan).unwrap().lines("w.zip", "w")
    }

    #[test]
    fn tells_that_nothing_changes() {
        let plan = r#"{"version":"1.0","current":null,"would_be_current":true,"added":[],"removed":[],"retyped":[],"newly_required":[],
            "installs":0,"unfit":0,"reasons":[],"findings":[]}"#;
        assert_eq!(
            lines(plan),
            [
                "w.zip: would publish w 1.0; no version is current now",
                "  the settings stay as they are",
                "  no account has it installed"
            ]
        );
        let installed = plan.replace("\"installs\":0", "\"installs\":1");
        assert_eq!(lines(&installed).last().unwrap(), "  1 install: the settings of all would still fit");
    }
}
