//! A server that is asked over HTTP: where it is, with which token, and what it answers.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use futures_util::{StreamExt as _, stream};
use reqwest::{Body, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use url::Url;

use super::findings::Finding;
use super::progress::Progress;

/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for an answer; an upload takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for one upload and its answer.
const UPLOAD_PATIENCE: Duration = Duration::from_mins(3);

/// Bytes of an upload between two looks at how far it is.
const PIECE: usize = 64 << 10;

/// Which server is asked, and as whom.
#[derive(Debug, Args)]
pub(super) struct Remote {
    /// The server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "WIDGET_REGISTRY_SERVER", value_parser = NonEmptyStringValueParser::new())]
    server: String,
    /// Who asks: a token, such as `widget-registry token` prints
    #[arg(long, value_name = "TOKEN", env = "WIDGET_REGISTRY_TOKEN", hide_env_values = true)]
    token: SecretString,
}

/// What the server says instead of doing what it was asked for: an RFC 7807 problem.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    title: String,
    pub(super) detail: String,
    /// What is wrong with an archive.
    pub(super) findings: Vec<Finding>,
    #[serde(rename = "validation-errors")]
    requests: Vec<RequestErrors>,
    /// The id under which the server's log tells more; only of faults of the server's own.
    #[serde(skip)]
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RequestErrors {
    #[serde(default)]
    errors: Vec<RuleError>,
}

/// A value that breaks a rule.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleError {
    pub(super) code: String,
    pub(super) path: String,
    pub(super) detail: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the body" } else { &self.path };
        write!(f, "{path}: {} ({})", self.detail, self.code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        self.requests.iter().flat_map(|request| &request.errors).try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for Refusal {}

/// An open way to the server.
pub(super) struct Connection<'a> {
    remote: &'a Remote,
    base: Url,
    client: reqwest::Client,
}

impl Remote {
    /// Makes ready; nothing is sent yet.
    pub(super) fn connect(&self) -> anyhow::Result<Connection<'_>> {
        let base: Url = self.server.parse().context("--server is not a URL")?;
        anyhow::ensure!(
            matches!(base.scheme(), "http" | "https"),
            "--server is not a URL that begins with http:// or https://"
        );
        let client = reqwest::Client::builder().connect_timeout(CONNECT).build()?;
        Ok(Connection { remote: self, base, client })
    }
}

impl Connection<'_> {
    /// Asks for something below `/registry/v1`.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<T> {
        let request = self.client.request(Method::GET, self.address(path, query)?).timeout(PATIENCE);
        self.send(request).await?.with_context(|| format!("{} refuses", self.remote.server))
    }

    /// Has something done below `/registry/v1`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &[&str]) -> anyhow::Result<T> {
        let request = self.client.request(Method::POST, self.address(path, &[])?).timeout(PATIENCE);
        self.send(request).await?.with_context(|| format!("{} refuses", self.remote.server))
    }

    /// Sends JSON to something below `/registry/v1`; an answer without a body is read as null.
    pub(super) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let request = self.client.request(Method::POST, self.address(path, &[])?).timeout(PATIENCE).json(body);
        self.send(request).await?.with_context(|| format!("{} refuses", self.remote.server))
    }

    /// Sends JSON to an address that somebody else names. The token goes with it, so the address must be of this server.
    pub(super) async fn post_there(&self, address: &Url, idempotency_key: &str, body: String) -> anyhow::Result<()> {
        let server = &self.remote.server;
        anyhow::ensure!(address.origin() == self.base.origin(), "the address is not of {server}, which --server names");
        let request = self.client.request(Method::POST, address.clone()).timeout(PATIENCE);
        let request = request.header("content-type", "application/json").header("idempotency-key", idempotency_key);
        let IgnoredAny = self.send(request.body(body)).await?.with_context(|| format!("{server} refuses"))?;
        Ok(())
    }

    /// Uploads an archive, and shows on a terminal how far that is; the inner error is the server's refusal, which may have findings.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        (name, archive): (&str, &[u8]),
    ) -> anyhow::Result<Result<T, Refusal>> {
        let request = self.client.request(Method::POST, self.address(path, query)?).timeout(UPLOAD_PATIENCE);
        let request = request.header("content-type", "application/zip");
        let Some(progress) = Progress::on_terminal(name, archive.len()) else {
            return self.send(request.body(archive.to_vec())).await;
        };
        let request = request.header("content-length", archive.len());
        let answer = self.send(request.body(watched(archive, progress.clone()))).await;
        progress.finish();
        answer
    }

    fn address(&self, path: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
        let mut address = self.base.clone();
        match address.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(["registry", "v1"]).extend(path),
            Err(()) => anyhow::bail!("--server is not a URL that paths can be added to"),
        };
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        Ok(address)
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Result<T, Refusal>> {
        let server = &self.remote.server;
        let answer = request.bearer_auth(self.remote.token.expose_secret()).send().await;
        let answer = answer.with_context(|| format!("{server} does not answer"))?;
        let status = answer.status();
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.with_context(|| format!("the answer of {server} breaks off"))?;
        if status.is_success() {
            let answer = serde_json::from_slice(if body.is_empty() { b"null" } else { &body });
            return Ok(Ok(answer.with_context(|| format!("{server} answers {status}, but not as a registry does"))?));
        }
        Ok(Err(refusal(status, &body, request_id)))
    }
}

/// A body that tells when a piece of it is taken to be sent.
fn watched(archive: &[u8], progress: Arc<Progress>) -> Body {
    let pieces: Vec<Vec<u8>> = archive.chunks(PIECE).map(<[u8]>::to_vec).collect();
    Body::wrap_stream(stream::iter(pieces).map(move |piece| {
        progress.advance(piece.len());
        Ok::<_, Infallible>(piece)
    }))
}

/// What an answer that is no success says; the status stands in for what it does not say.
fn refusal(status: StatusCode, body: &[u8], request_id: Option<String>) -> Refusal {
    let mut refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    if refusal.title.is_empty() {
        status.canonical_reason().unwrap_or("Error").clone_into(&mut refusal.title);
    }
    if refusal.detail.is_empty() {
        refusal.detail = format!("the answer has the status {} and no explanation", status.as_u16());
    }
    if status == StatusCode::UNAUTHORIZED {
        refusal.detail.push_str("; is --token complete, of this server, and not expired?");
    }
    refusal.request_id = request_id.filter(|_| status.is_server_error());
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_every_broken_rule() {
        let body = br#"{"validation-errors":[{"request_id":"0","errors":[
            {"code":"FieldMissing","path":"login","detail":"This field is missing."}]}],
            "title":"Bad Request","status":400,"detail":"Request validation failed"}"#;
        let told = refusal(StatusCode::BAD_REQUEST, body, Some("7".to_owned())).to_string();
        assert_eq!(told, "Bad Request: Request validation failed\n  login: This field is missing. (FieldMissing)");
    }

    #[test]
    fn an_answer_that_is_no_problem_is_told_by_its_status() {
        let told = refusal(StatusCode::BAD_GATEWAY, b"<html>", Some("7".to_owned())).to_string();
        assert_eq!(told, "Bad Gateway: the answer has the status 502 and no explanation (request 7)");
    }
}
