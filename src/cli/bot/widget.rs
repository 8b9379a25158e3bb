//! `bot widget`: plays a widget's server.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use actix_web::http::{StatusCode, header};
use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context as _, ensure};
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use url::{Url, form_urlencoded};

use super::line;
use crate::app;
use crate::auth::WidgetSecret;
use crate::cli::remote::{Connection, Remote};
use crate::cli::say;
use crate::continuations::calls::body;
use crate::sources::Clock;

/// Answers as a widget's server: checks the call, answers 200, and continues the bot
///
/// Prints `listening on http://HOST:PORT`, then every call. With the integration's secret the call's token is checked, and a call
/// without a good one is answered with 401. The bot is continued at the call's `return_url`, which must be of --server, with --token,
/// which must be an administrator's. Runs until Ctrl-C, or until --calls calls were answered; then exit code 1 when one was refused.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  widget-registry bot widget --listen 127.0.0.1:9000 --answer '{\"status\":\"success\"}'"
)]
pub(super) struct Widget {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The data that the bot is continued with: a JSON object or array
    #[arg(long, value_name = "JSON", default_value = "{}")]
    answer: String,
    /// Blocks that the bot is to run before it goes on: a JSON array of show and goto
    #[arg(long, value_name = "JSON")]
    execute_handlers: Option<String>,
    /// File with the integration's secret, at least 64 bytes; a line end after them does not count
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The secret itself
    #[arg(
        long,
        value_name = "TEXT",
        env = "WIDGET_REGISTRY_WIDGET_SECRET",
        hide_env_values = true,
        conflicts_with = "secret_file"
    )]
    secret: Option<SecretString>,
    /// End after so many calls
    #[arg(long, value_name = "COUNT")]
    calls: Option<u64>,
    #[command(flatten)]
    remote: Remote,
}

/// A call, as far as it could be read.
struct Called {
    /// What is printed: who says it, and what.
    told: Vec<(&'static str, String)>,
    /// Where the bot is continued; `None` when the call was refused.
    return_url: Option<Url>,
}

impl Widget {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let body = self.body()?;
        let secret = self.secret()?;
        let connection = self.remote.connect()?;
        let listener = TcpListener::bind(self.listen).with_context(|| format!("cannot listen on {}", self.listen))?;
        app::block_on(self.serve(listener, secret, &connection, &body))
    }

    /// What the bot is continued with.
    fn body(&self) -> anyhow::Result<String> {
        let data: &RawValue = serde_json::from_str(&self.answer).context("--answer is not JSON")?;
        ensure!(data.get().starts_with(['{', '[']), "--answer is neither a JSON object nor an array");
        let Some(blocks) = &self.execute_handlers else { return Ok(format!(r#"{{"data":{data}}}"#)) };
        let blocks: &RawValue = serde_json::from_str(blocks).context("--execute-handlers is not JSON")?;
        Ok(format!(r#"{{"data":{data},"execute_handlers":{blocks}}}"#))
    }

    fn secret(&self) -> anyhow::Result<Option<WidgetSecret>> {
        let bytes = match (&self.secret_file, &self.secret) {
            (Some(path), _) => {
                let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                bytes.trim_ascii_end().to_vec()
            }
            (None, Some(secret)) => secret.expose_secret().as_bytes().to_vec(),
            (None, None) => return Ok(None),
        };
        Ok(Some(WidgetSecret::new(bytes)?))
    }

    async fn serve(
        &self,
        listener: TcpListener,
        secret: Option<WidgetSecret>,
        connection: &Connection<'_>,
        body: &str,
    ) -> anyhow::Result<ExitCode> {
        let address = listener.local_addr()?;
        let (calls, mut received) = mpsc::unbounded_channel();
        let shared = web::Data::new((secret, calls));
        let server = HttpServer::new(move || {
            ActixApp::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(body::MOST))
                .default_service(web::post().to(answer))
        });
        let server = server.workers(1).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        let server = actix_web::rt::spawn(server);
        say(&format!("listening on http://{address}"))?;
        let mut all_good = true;
        let mut left = self.calls;
        while left != Some(0) {
            let call: Called = tokio::select! {
                call = received.recv() => call.context("the server has ended")?,
                signal = tokio::signal::ctrl_c() => { signal?; break }
            };
            all_good &= proceed(call, connection, body).await?;
            left = left.map(|left| left - 1);
        }
        handle.stop(true).await;
        server.await??;
        Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Tells of a call and continues its bot; `false` when either was refused.
async fn proceed(call: Called, connection: &Connection<'_>, body: &str) -> anyhow::Result<bool> {
    call.told.iter().try_for_each(|(who, what)| line(who, what))?;
    let Some(return_url) = call.return_url else { return Ok(false) };
    // The record is continued once, however often it is called for.
    let key = format!("bot-widget{}", return_url.path());
    match connection.post_there(&return_url, &key, body.to_owned()).await {
        Ok(()) => line("widget", &format!("continues the bot at {return_url} with {body}"))?,
        Err(error) => {
            line("failed", &format!("cannot continue the bot at {return_url}: {}", crate::cli::causes(&error)))?;
            return Ok(false);
        }
    }
    Ok(true)
}

type Shared = web::Data<(Option<WidgetSecret>, mpsc::UnboundedSender<Called>)>;

async fn answer(request: HttpRequest, body: web::Bytes, shared: Shared) -> HttpResponse {
    let (secret, calls) = shared.get_ref();
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut told = vec![("called", format!("POST {}", request.uri()))];
    let read = read(content_type.unwrap_or_default(), &body);
    let (status, return_url) = match read.and_then(|call| checked(&call, secret.as_ref(), &request, &mut told)) {
        Ok(return_url) => (StatusCode::OK, Some(return_url)),
        Err((status, why)) => {
            told.push(("refused", why));
            (status, None)
        }
    };
    told.push(("answered", status.to_string()));
    // When nobody listens any more, the program is about to end.
    let _ = calls.send(Called { told, return_url });
    HttpResponse::new(status)
}

/// The body of a call.
struct Call {
    token: String,
    /// As it is printed.
    data: String,
    return_url: String,
}

type Refused = (StatusCode, String);

fn bad(why: impl Into<String>) -> Refused {
    (StatusCode::BAD_REQUEST, why.into())
}

fn read(content_type: &str, body: &[u8]) -> Result<Call, Refused> {
    #[derive(Deserialize)]
    struct Json {
        token: String,
        data: Option<Box<RawValue>>,
        return_url: String,
    }
    if content_type.starts_with("application/json") {
        let Json { token, data, return_url } =
            serde_json::from_slice(body).map_err(|why| bad(format!("the body is no call: {why}")))?;
        return Ok(Call { token, data: data.map(|data| data.get().to_owned()).unwrap_or_default(), return_url });
    }
    let (mut token, mut return_url, mut data) = (None, None, Vec::new());
    for (name, value) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "token" => token = Some(value.into_owned()),
            "return_url" => return_url = Some(value.into_owned()),
            _ => data.push(format!("{name}={value}")),
        }
    }
    match (token, return_url) {
        (Some(token), Some(return_url)) => Ok(Call { token, data: data.join("\n"), return_url }),
        _ => Err(bad("the body has no token or no return_url")),
    }
}

/// Checks a call's token and tells what it says.
fn checked(
    call: &Call,
    secret: Option<&WidgetSecret>,
    request: &HttpRequest,
    told: &mut Vec<(&'static str, String)>,
) -> Result<Url, Refused> {
    if let Some(secret) = secret {
        // A proxy may have taken the TLS away.
        let host = request.connection_info().host().to_owned();
        let audiences = [format!("https://{host}"), format!("http://{host}")];
        let claims = secret.check(&call.token, &audiences, &Clock::system());
        let claims = claims.map_err(|why| (StatusCode::UNAUTHORIZED, format!("the call's token: {why}")))?;
        told.push((
            "token",
            format!(
                "is good: account {} ({}), {} {}, {}, integration {}",
                claims.account_id,
                claims.subdomain,
                claims.entity_type,
                claims.entity_id,
                claims.bot_type,
                claims.client_uuid
            ),
        ));
    } else {
        told.push(("token", "is not checked; give the integration's secret with --secret-file".to_owned()));
    }
    if !call.data.is_empty() {
        told.push(("data", call.data.clone()));
    }
    Url::parse(&call.return_url).map_err(|why| bad(format!("return_url is no URL: {why}")))
}
