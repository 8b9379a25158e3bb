//! A caller of the service.

use std::fmt;
use std::io::Read as _;

use flate2::read::GzDecoder;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};

use super::record;

/// Somebody who calls, with a token or without.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Client {
    pub fn new(http: reqwest::Client, url: String, token: Option<String>) -> Self {
        if let Some(token) = &token {
            record::note_token("token", token);
        }
        Self { http, url, token }
    }

    /// A request with the caller's token.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let path = response.url().path().to_owned();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let answer = Answer { status, headers, body: response.bytes().await.unwrap().to_vec() };
        record::see(&path, &answer);
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_bytes(path, "application/json", body.as_bytes().to_vec()).await
    }

    /// Sends JSON.
    pub async fn put(&self, path: &str, body: &str) -> Answer {
        let request = self.request("PUT", path).header("content-type", "application/json");
        self.send(request.body(body.to_owned())).await
    }

    /// Sends JSON.
    pub async fn patch(&self, path: &str, body: &str) -> Answer {
        let request = self.request("PATCH", path).header("content-type", "application/json");
        self.send(request.body(body.to_owned())).await
    }

    pub async fn post_bytes(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        self.send(self.request("POST", path).header("content-type", content_type).body(body)).await
    }
}

/// Status, headers, and the first of the body's text: an assertion that fails shows it.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(1_500).collect();
        write!(f, "{} {:?}\n{body}", self.status, self.headers)
    }
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body without its coding.
    pub fn unpacked(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self.header("content-encoding") {
            "gzip" => GzDecoder::new(self.body.as_slice()).read_to_end(&mut out).unwrap(),
            "br" => brotli::Decompressor::new(self.body.as_slice(), 4_096).read_to_end(&mut out).unwrap(),
            "zstd" => {
                let mut reader = zstd::Decoder::new(self.body.as_slice()).unwrap();
                // What a client has room for at least (RFC 9659): 8 MiB.
                reader.window_log_max(23).unwrap();
                reader.read_to_end(&mut out).unwrap()
            }
            other => panic!("packed as {other:?}"),
        };
        out
    }

    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is an error of this status in the form of section 1 of the contract; returns its detail.
    pub fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], status, "{self:?}");
        assert_eq!(body["type"], format!("https://httpstatus.es/{status}"), "{self:?}");
        body["detail"].as_str().unwrap().to_owned()
    }

    /// Checks that this is a validation error; returns `code path` of every error in their order.
    pub fn violations(&self) -> Vec<String> {
        assert_eq!(self.problem(400), "Request validation failed");
        let body = self.json();
        let requests = body["validation-errors"].as_array().unwrap();
        assert_eq!((requests.len(), requests[0]["request_id"].as_str()), (1, Some("0")));
        let errors = requests[0]["errors"].as_array().unwrap();
        let text = |error: &serde_json::Value, key: &str| error[key].as_str().unwrap().to_owned();
        errors.iter().map(|error| format!("{} {}", text(error, "code"), text(error, "path"))).collect()
    }
}
