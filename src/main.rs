//! Runs a command and prints what went wrong, cause by cause.

use std::process::ExitCode;

fn main() -> ExitCode {
    widget_registry::cli::main()
}
