//! The service under test: the real program with an embedded PostgreSQL, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_widget-registry");

pub struct Service {
    child: Child,
    pub client: Client,
    _data_dir: tempfile::TempDir,
}

impl Service {
    /// Starts it with the sample widgets and a secret to sign with.
    pub async fn start() -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut child = command(&data_dir)
            .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the service starts").unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        // The samples are published when their commands have been printed; the rest of the pipe is read so that it does not fill.
        std::thread::spawn(move || lines.for_each(drop));
        let token = command(&data_dir)
            .args(["token", "--account", "1", "--user", "7", "--role", "admin", "--scope", "bots"])
            .output()
            .unwrap();
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        let client = Client { http: reqwest::Client::builder().http1_only().build().unwrap(), url, token };
        assert_eq!(client.post("/registry/v1/webhook-secret", String::new()).await.0, 201);
        Self { child, client, _data_dir: data_dir }
    }

    /// Lets it end as its supervisor would.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the service ends well");
    }
}

fn command(data_dir: &tempfile::TempDir) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env("WIDGET_REGISTRY_DATA_DIR", data_dir.path())
        .env("WIDGET_REGISTRY_OUTGOING_LOOPBACK", "true")
        .env("WIDGET_REGISTRY_LOG", "error")
        .env_remove("DATABASE_URL");
    command
}

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A record that was continued.
#[derive(Clone, Copy)]
pub struct Continued {
    pub record: i64,
    /// When its continue was sent.
    pub sent: Instant,
    /// When the 202 was there.
    pub answered: Instant,
}

impl Continued {
    pub fn answer_time(&self) -> Duration {
        self.answered - self.sent
    }
}

impl Client {
    async fn post(&self, path: &str, body: String) -> (u16, Vec<u8>) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
    }

    /// Opens a record whose event goes to `callback`, or is left to be fetched, and continues it.
    pub async fn open_and_continue(&self, bot: u64, callback: Option<&str>) -> Continued {
        let mut opening = json!({"widget_code": "demo_bot_step", "entity": {"type": "leads", "id": 5}});
        if let Some(callback) = callback {
            opening["callback_url"] = callback.into();
        }
        let (status, body) =
            self.post(&format!("/registry/v1/salesbot/{bot}/continuations"), opening.to_string()).await;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let record = serde_json::from_slice::<Value>(&body).unwrap()["continue_id"].as_i64().unwrap();
        let path = format!("/api/v4/salesbot/{bot}/continue/{record}");
        let sent = Instant::now();
        let (status, body) = self.post(&path, r#"{"data":{"status":"success"}}"#.to_owned()).await;
        let answered = Instant::now();
        assert_eq!(status, 202, "{}", String::from_utf8_lossy(&body));
        Continued { record, sent, answered }
    }
}
