//! A client that costs little, for it shares the processors with what it measures: connections that stay open, requests that are bytes
//! already, answers of which the status and the end are read.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request, and what its answer must be.
#[derive(Debug)]
pub struct Request {
    pub bytes: Vec<u8>,
    pub status: u16,
}

/// Gives each connection, by its number, its next request; `None` when there are no more.
pub type Next = Rc<dyn Fn(usize) -> Option<Rc<Request>>>;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What was answered within a time.
#[derive(Debug)]
pub struct Answered {
    pub seconds: f64,
    /// Nanoseconds from the request's first byte to the answer's last.
    pub latencies: Vec<u64>,
}

/// Open connections to one server.
#[derive(Debug)]
pub struct Connections(Vec<Connection>);

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Where the parts of an answer are in the buffer.
struct Parts {
    status: u16,
    head: usize,
    end: usize,
}

/// How an answer's end is found.
enum Body {
    Bytes(usize),
    Chunks,
}

impl Request {
    /// One with a token and, when there is a body, its type and length.
    pub fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &str, status: u16) -> Self {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self { bytes: text.into_bytes(), status }
    }
}

/// Always the same request.
pub fn always(request: Request) -> Next {
    let request = Rc::new(request);
    Rc::new(move |_| Some(request.clone()))
}

/// Sends one request and reads its whole answer.
pub async fn ask(address: SocketAddr, request: &Request) -> anyhow::Result<Answer> {
    let mut connection = Connection::open(address).await?;
    let parts = connection.exchange(&request.bytes).await?;
    let head = std::str::from_utf8(&connection.buffer[..parts.head])?;
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let body = connection.buffer[parts.head..parts.end].to_vec();
    let answer = Answer { status: parts.status, headers, body };
    ensure!(
        answer.status == request.status,
        "{}\nis answered {} {}",
        String::from_utf8_lossy(&request.bytes).lines().next().unwrap_or_default(),
        answer.status,
        String::from_utf8_lossy(&answer.body)
    );
    Ok(answer)
}

impl Connections {
    pub async fn open(address: SocketAddr, count: usize) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(Connection::open(address).await?);
        }
        Ok(Self(connections))
    }

    /// Sends on every connection one request after the other until the time is over.
    pub async fn run(self, time: Duration, next: &Next) -> anyhow::Result<Answered> {
        let latencies = Rc::new(RefCell::new(Vec::with_capacity(100_000)));
        let begun = Instant::now();
        let runs = self.0.into_iter().enumerate().map(|(number, mut connection)| {
            let (next, latencies) = (next.clone(), latencies.clone());
            rt::spawn(async move {
                while let Some(request) = next(number) {
                    let sent = Instant::now();
                    let parts = connection.exchange(&request.bytes).await?;
                    let there = Instant::now();
                    if parts.status != request.status {
                        let answer = String::from_utf8_lossy(&connection.buffer[..parts.end.min(2_000)]);
                        bail!("{}\nis answered\n{answer}", String::from_utf8_lossy(&request.bytes));
                    }
                    latencies.borrow_mut().push(u64::try_from((there - sent).as_nanos()).unwrap_or(u64::MAX));
                    if there - begun >= time {
                        break;
                    }
                }
                Ok(())
            })
        });
        let runs: Vec<_> = runs.collect();
        for run in runs {
            run.await??;
        }
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Answered { seconds, latencies: latencies.take() })
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024] })
    }

    async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Parts> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            if let Some(end) = self.buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, body) = parse(&self.buffer[..head])?;
        loop {
            let end = match body {
                Body::Bytes(length) => Some(head + length),
                Body::Chunks => end_of_chunks(&self.buffer[head..filled]).map(|length| head + length),
            };
            match end {
                Some(end) if end <= filled => return Ok(Parts { status, head, end }),
                Some(end) if end > self.buffer.len() => self.buffer.resize(end, 0),
                _ => {}
            }
            filled += self.read(filled).await?;
        }
    }

    async fn read(&mut self, filled: usize) -> anyhow::Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        let count = self.stream.read(&mut self.buffer[filled..]).await?;
        ensure!(count > 0, "the server closes the connection in the middle");
        Ok(count)
    }
}

/// The status of a head, and how its body ends.
fn parse(head: &[u8]) -> anyhow::Result<(u16, Body)> {
    let head = std::str::from_utf8(head)?;
    let status: u16 = head.get(9..12).context("no status")?.parse()?;
    if status == 204 || status == 304 {
        return Ok((status, Body::Bytes(0)));
    }
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            return Ok((status, Body::Bytes(value.trim().parse()?)));
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Ok((status, Body::Chunks));
        }
    }
    bail!("an answer does not tell its length")
}

/// Bytes of a body in chunks, when it is whole.
fn end_of_chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes.get(at..)?.windows(2).position(|bytes| bytes == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        at += line + 2 + size + 2;
        if size == 0 {
            return (at <= bytes.len()).then_some(at);
        }
    }
}
