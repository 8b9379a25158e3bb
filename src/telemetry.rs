//! The log: on standard error, for people or as JSON.

use std::io::{self, IsTerminal as _};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Config, LogFormat};
use crate::log_context;

/// Starts the log. Does nothing when there is one already.
pub fn start(config: &Config) {
    // The text was checked when the configuration was read.
    let filter: Targets = config.log.parse().unwrap_or_default();
    let layer = layer(config.log_format, io::stderr().is_terminal(), io::stderr);
    // An error says that a log was started before, by a test for example.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}

fn layer<S, W>(form: LogFormat, is_terminal: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match form {
        LogFormat::Text => {
            let format = fmt::format().with_ansi(is_terminal);
            layer.with_ansi(is_terminal).event_format(Lines { format, form }).boxed()
        }
        LogFormat::Json => {
            let format = fmt::format().json().flatten_event(true);
            layer.json().event_format(Lines { format, form }).boxed()
        }
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A line about nothing in particular, and one about a request.
    async fn lines(form: LogFormat) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::registry().with(layer(form, false, move || writer.clone()));
        let guard = tracing::subscriber::set_default(subscriber);
        tracing::info!(number = 1, "it starts");
        let request = log_context::Request::new(b"a.b-c");
        request.is_of(3, Some(8));
        log_context::within(request, async { tracing::warn!(path = "/a\"b", "it is refused}}") }).await;
        drop(guard);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_line_about_a_request_ends_with_it() {
        let lines = lines(LogFormat::Text).await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("it starts number=1"), "{}", lines[0]);
        assert!(lines[1].ends_with("it is refused} path=\"/a\\\"b\" request=a.b-c account=3 user=8"), "{}", lines[1]);
    }

    #[tokio::test]
    async fn json_about_a_request_has_it_as_a_member() {
        let lines: Vec<Value> =
            lines(LogFormat::Json).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["message"], &lines[0]["request"]), (&json!("it starts"), &Value::Null));
        assert_eq!(lines[1]["message"], "it is refused}");
        assert_eq!(lines[1]["path"], "/a\"b");
        assert_eq!(lines[1]["request"], json!({"id": "a.b-c", "account": 3, "user": 8}));
    }
}
