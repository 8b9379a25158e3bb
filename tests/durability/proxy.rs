//! A TCP proxy before PostgreSQL's socket, which can cut and delay connections and drop the answers to COMMIT.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixStream, tcp};
use tokio::sync::watch;

/// What the proxy does to what passes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Fair,
    /// Every connection is cut, and new ones are closed at once.
    Cut,
    /// Everything takes this much longer.
    Delayed(Duration),
    /// A COMMIT reaches the database, and its answer reaches nobody: the connection is cut instead.
    AnswersDropped,
}

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    weather: watch::Sender<Weather>,
    dropped: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts it before the socket in this folder.
    pub async fn start(socket_dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let weather = watch::Sender::new(Weather::Fair);
        let dropped = Arc::new(AtomicU64::new(0));
        let (watched, counted, socket) = (weather.subscribe(), dropped.clone(), socket_dir.join(".s.PGSQL.5432"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, socket.clone(), watched.clone(), counted.clone()));
            }
        });
        Self { port, weather, dropped }
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How many answers to COMMIT were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Carries one connection until either side or the weather ends it.
async fn carry(client: TcpStream, socket: PathBuf, weather: watch::Receiver<Weather>, dropped: Arc<AtomicU64>) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the next answer of the database is to be dropped.
    let (commits, committed) = watch::channel(false);
    let mut cut = weather.clone();
    tokio::select! {
        () = requests(from_client, to_server, weather.clone(), commits) => {}
        () = answers(from_server, to_client, weather, committed, dropped) => {}
        _ = cut.wait_for(|weather| *weather == Weather::Cut) => {}
    }
}

async fn requests(
    mut from: tcp::OwnedReadHalf,
    mut to: OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    commits: watch::Sender<bool>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *weather.borrow();
        if now == Weather::AnswersDropped && buffer[..count].windows(6).any(|window| window == b"COMMIT") {
            commits.send_replace(true);
        }
        delay(now).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    weather: watch::Receiver<Weather>,
    committed: watch::Receiver<bool>,
    dropped: Arc<AtomicU64>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if *committed.borrow() {
            dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let now = *weather.borrow();
        delay(now).await;
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

async fn delay(weather: Weather) {
    if let Weather::Delayed(time) = weather {
        tokio::time::sleep(time).await;
    }
}
