//! A bot engine that notes when each event came.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What the engine has seen.
#[derive(Default)]
pub struct Ledger {
    /// When the event of each record first came.
    received: Mutex<HashMap<i64, Instant>>,
    running: AtomicUsize,
    most: AtomicUsize,
    /// Whether requests to `/bad` are answered with 500.
    bad: AtomicBool,
}

impl Ledger {
    pub fn received(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub fn when(&self, record: i64) -> Option<Instant> {
        self.received.lock().unwrap().get(&record).copied()
    }

    /// The greatest number of requests that were answered at once, and begins anew.
    pub fn most_at_once(&self) -> usize {
        self.most.swap(0, Ordering::SeqCst)
    }

    pub fn set_bad(&self, bad: bool) {
        self.bad.store(bad, Ordering::SeqCst);
    }
}

/// The engine's server, which can be taken down and put up again at the same address.
pub struct Engine {
    pub ledger: Arc<Ledger>,
    pub url: String,
    serving: JoinHandle<()>,
}

impl Engine {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ledger = Arc::new(Ledger::default());
        let serving = tokio::spawn(serve(listener, ledger.clone()));
        Self { ledger, url, serving }
    }

    /// From now on nobody listens.
    pub async fn go_down(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    pub async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.url.trim_start_matches("http://")).await.unwrap();
        self.serving = tokio::spawn(serve(listener, self.ledger.clone()));
    }
}

async fn serve(listener: TcpListener, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, ledger.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, ledger: Arc<Ledger>) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    while let Some((path, body)) = read(&mut stream, &mut bytes).await {
        let running = ledger.running.fetch_add(1, Ordering::SeqCst) + 1;
        ledger.most.fetch_max(running, Ordering::SeqCst);
        let bad = path == "/bad" && ledger.bad.load(Ordering::SeqCst);
        if !bad {
            let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let record = event["continue_id"].as_i64().unwrap();
            ledger.received.lock().unwrap().entry(record).or_insert_with(Instant::now);
        }
        if path == "/slow" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let status = if bad { "500 Internal Server Error" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        let sent = stream.write_all(answer.as_bytes()).await;
        ledger.running.fetch_sub(1, Ordering::SeqCst);
        if sent.is_err() {
            return;
        }
    }
}

/// Path and body of a connection's next request; `None` when it was closed.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut buffer = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some((head.split(' ').nth(1).unwrap().to_owned(), body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
