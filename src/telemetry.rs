//! The log: on standard error, for people or as JSON.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{Config, LogFormat};

/// Starts the log. Does nothing when there is one already.
pub fn start(config: &Config) {
    // The text was checked when the configuration was read.
    let filter: Targets = config.log.parse().unwrap_or_default();
    let layer = match config.log_format {
        LogFormat::Text => fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
    };
    // An error says that a log was started before, by a test for example.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
