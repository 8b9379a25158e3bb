//! `bot`: plays the two sides between which the registry stands, so that a bot can be tried without a CRM.

use std::process::ExitCode;

use clap::{Args, Subcommand};

mod run;
mod widget;

/// Plays a bot, or the server of the widget that it waits for
///
/// Together with `serve` they are all that a widget's bot step needs to be tried: `bot run` runs the flow and waits, `bot widget` is
/// called and answers.
#[derive(Debug, Args)]
pub(super) struct Bot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Widget(widget::Widget),
}

impl Bot {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(command) => command.run(),
            Command::Widget(command) => command.run(),
        }
    }
}

/// A line of a conversation: who, and what; what has more lines goes on below.
fn line(who: &str, what: &str) -> anyhow::Result<()> {
    super::say(&format!("{who:<9} {}", what.replace('\n', &format!("\n{:10}", ""))))
}
