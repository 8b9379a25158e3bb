//! Requests byte for byte: what no lawful client sends, over a connection of its own.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::app::TestApp;
use super::client::Answer;
use super::record;

/// A request in the making. It asks for the connection to be closed, and gives the length of its body unless told otherwise.
#[derive(Clone)]
pub struct Raw {
    line: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    framed: bool,
}

impl Raw {
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        Self::line([method.as_bytes(), b" ", target.as_ref(), b" HTTP/1.1"].concat())
            .header("Host", "registry.test")
            .header("Connection", "close")
    }

    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// A request with this first line and no headers yet.
    pub fn line(line: impl Into<Vec<u8>>) -> Self {
        Self { line: line.into(), headers: Vec::new(), body: Vec::new(), framed: true }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Removes every header of this name.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub fn token(self, token: &str) -> Self {
        record::note_token("token", token);
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// Leaves the length of the body to the headers that are added.
    pub fn unframed(mut self) -> Self {
        self.framed = false;
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [self.line.as_slice(), b"\r\n"].concat();
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if self.framed && !self.body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }

    /// Bytes that the service counts as headers: name, colon, space, value and the line's end.
    pub fn header_size(&self) -> usize {
        self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum()
    }
}

/// The first line and the headers: an assertion that fails shows them.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes()).chars().take(600).collect::<String>())
    }
}

impl TestApp {
    /// Sends a request and returns its answer; panics when the connection is closed without one.
    pub async fn ask(&self, request: &Raw) -> Answer {
        let bytes = self.converse(&request.bytes(), false).await;
        parse(&bytes).unwrap_or_else(|| panic!("no answer to {request:?}: {}", String::from_utf8_lossy(&bytes)))
    }

    /// Sends bytes, says that no more will come if `finish`, and returns everything until the connection ends.
    pub async fn converse(&self, bytes: &[u8], finish: bool) -> Vec<u8> {
        let mut stream = self.connect().await;
        let (mut from, mut to) = stream.split();
        let mut answer = Vec::new();
        // Who is refused early is answered while it still writes; then the rest of its bytes meets a closed connection.
        let write = async {
            let _ = to.write_all(bytes).await;
            if finish {
                let _ = to.shutdown().await;
            }
        };
        let _ = tokio::join!(write, from.read_to_end(&mut answer));
        answer
    }

    /// A connection to the service.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap()
    }
}

/// The last answer in some bytes: those with a status below 200 are passed over. `None` when there is none.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let mut rest = bytes;
    loop {
        let (answer, after) = parse_one(rest)?;
        if answer.status >= 200 {
            return Some(answer);
        }
        rest = after;
    }
}

/// The first answer in some bytes, and what follows it.
pub fn parse_one(bytes: &[u8]) -> Option<(Answer, &[u8])> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse::<usize>().unwrap());
    let body = &bytes[end + 4..];
    // The answer to HEAD has a length and no body.
    let (body, rest) = body.split_at(length.min(body.len()));
    let answer = Answer { status, headers, body: body.to_vec() };
    // Of which path it is does not matter for errors.
    record::see("", &answer);
    Some((answer, rest))
}
