//! The log: on standard error, for people or as JSON.

use std::io::{self, IsTerminal as _};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};
use crate::log_context;

/// Starts the log. Does nothing when there is one already.
pub fn start(config: &Config) {
    // The text was checked when the configuration was read.
    let filter: Targets = config.log.parse().unwrap_or_default();
    let layer = fmt::layer().with_writer(io::stderr);
    let layer = match config.log_format {
        LogFormat::Text => {
            let format = fmt::format().with_ansi(io::stderr().is_terminal());
            layer.event_format(Lines { format, form: LogFormat::Text }).boxed()
        }
        LogFormat::Json => {
            let format = fmt::format().json().flatten_event(true);
            layer.json().event_format(Lines { format, form: LogFormat::Json }).boxed()
        }
    };
    // An error says that a log was started before, by a test for example.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

/// Lines as the library writes them, and at the end which request they are about.
struct Lines<F> {
    format: F,
    form: LogFormat,
}

impl<S, N, F> FormatEvent<S, N> for Lines<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        let Some(request) = log_context::current() else { return self.format.format_event(context, to, event) };
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match self.form {
            LogFormat::Text => {
                to.write_str(line)?;
                request.write_text(&mut to)?;
            }
            LogFormat::Json => {
                to.write_str(line.strip_suffix('}').unwrap_or(line))?;
                to.write_char(',')?;
                request.write_json(&mut to)?;
                to.write_char('}')?;
            }
        }
        to.write_char('\n')
    }
}
