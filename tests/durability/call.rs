//! A request to a server, and what its sender can know of its end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::book::{Book, Request};
use crate::checker::Outcome;

/// How long an answer is waited for: longer than the service takes to give up by itself.
const PATIENCE: Duration = Duration::from_secs(12);

/// Calls one server, wherever it listens now.
#[derive(Debug, Clone)]
pub struct Caller {
    pub book: Arc<Book>,
    http: reqwest::Client,
    server: usize,
    url: watch::Receiver<Option<String>>,
    token: String,
}

/// The end of a request.
#[derive(Debug)]
pub enum Reply {
    /// Status and body.
    Answer(u16, String),
    /// There was no connection: nothing was sent.
    NotSent,
    /// A connection that broke off, or no answer in time.
    Cut,
}

impl Reply {
    /// What the sender knows now.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answer(202, _) => Outcome::Acknowledged,
            Self::Answer(400..500, _) | Self::NotSent => Outcome::Refused,
            Self::Answer(..) | Self::Cut => Outcome::Unknown,
        }
    }

    /// The body of an answer; null without one.
    pub fn json(&self) -> Value {
        match self {
            Self::Answer(_, body) => serde_json::from_str(body).unwrap_or_default(),
            Self::NotSent | Self::Cut => Value::Null,
        }
    }
}

impl Caller {
    pub fn new(book: Arc<Book>, server: usize, url: watch::Receiver<Option<String>>, token: String) -> Self {
        let http = reqwest::Client::builder().http1_only().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { book, http, server, url, token }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, Vec::new(), &[]).await
    }

    pub async fn post(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Reply {
        self.send("POST", path, body.into_bytes(), &[headers, &[("content-type", "application/json")]].concat()).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Vec<u8>, headers: &[(&str, &str)]) -> Reply {
        let Some(url) = self.url.borrow().clone() else { return Reply::NotSent };
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{url}{path}")).bearer_auth(&self.token).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let invoked = self.book.now();
        let reply = match request.send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                match answer.bytes().await {
                    Ok(body) => Reply::Answer(status, String::from_utf8_lossy(&body).into_owned()),
                    Err(_) => Reply::Cut,
                }
            }
            Err(error) if error.is_connect() => Reply::NotSent,
            Err(_) => Reply::Cut,
        };
        let cut = matches!(reply, Reply::Cut);
        self.book.request(Request { server: self.server, invoked, ended: self.book.now(), cut });
        reply
    }
}
