//! A server that others chose: a bot engine or a widget, which writes down what comes and answers as it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::record;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Heard {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What is answered to a request: status and further header lines. `None`: the connection is closed without an answer.
pub type Script = Box<dyn FnMut(&Heard) -> Option<(u16, String)> + Send>;

/// A running server.
pub struct Engine {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    heard: mpsc::UnboundedReceiver<Heard>,
}

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

impl Engine {
    /// A server that answers every request with this status.
    pub async fn answering(status: u16) -> Self {
        Self::start(Box::new(move |_| Some((status, String::new())))).await
    }

    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, heard) = mpsc::unbounded_channel();
        let script = Arc::new(Mutex::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, tell.clone(), script.clone()));
            }
        });
        Self { url, heard }
    }

    /// The next request, which must come.
    pub async fn next(&mut self) -> Heard {
        tokio::time::timeout(PATIENCE, self.heard.recv()).await.expect("a request comes").unwrap()
    }

    /// Requests that have come and were not looked at.
    pub fn unread(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

async fn converse(mut stream: TcpStream, tell: mpsc::UnboundedSender<Heard>, script: Arc<Mutex<Script>>) {
    let mut bytes = Vec::new();
    while let Some(heard) = read(&mut stream, &mut bytes).await {
        note_token(&heard);
        let answer = (script.lock().unwrap())(&heard);
        let _ = tell.send(heard);
        let Some((status, headers)) = answer else { return };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 4\r\n{headers}\r\nnote");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A widget is called with a token, in a form or in JSON.
fn note_token(heard: &Heard) {
    let json = serde_json::from_slice(&heard.body).unwrap_or(Value::Null);
    let form = url::form_urlencoded::parse(&heard.body).find(|(name, _)| name == "token").map(|(_, token)| token);
    if let Some(token) = json["token"].as_str().or(form.as_deref()) {
        record::note_token("token for a widget", token);
    }
}

/// The next request of a connection; `None` when it was closed.
async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Heard> {
    let mut buffer = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let header = |line: &str| {
                line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                return Some(Heard { path, headers, body });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
