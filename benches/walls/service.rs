//! A program under test with an embedded PostgreSQL of its own, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::Question;

const INSTALL: &str =
    r#"{"login":"example","password":"eXaMp1E","phones":{"504141":"1039"},"script_path":"https://example.com/"}"#;
const OPENING: &str = r#"{"widget_code":"demo_bot_step","entity":{"type":"leads","id":5}}"#;

pub struct Service {
    child: Child,
    http: reqwest::Client,
    url: String,
    token: String,
    data_dir: tempfile::TempDir,
}

impl Service {
    /// Starts a program with the sample widgets, one of them installed.
    pub async fn start(program: &str) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let command = || {
            let mut command = Command::new(program);
            command.env("WIDGET_REGISTRY_DATA_DIR", data_dir.path()).env("WIDGET_REGISTRY_LOG", "error");
            command.env_remove("DATABASE_URL");
            command
        };
        let serve = command().args(["serve", "--demo", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn();
        let mut child = serve.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the service starts").unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        let token = command()
            .args(["token", "--account", "1", "--user", "7", "--role", "admin", "--scope", "bots"])
            .output()
            .unwrap();
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        let http = reqwest::Client::builder().http1_only().build().unwrap();
        let service = Self { child, http, url, token, data_dir };
        service.ask(Question::Install, 0).await;
        service
    }

    /// Takes row-level security out of its database.
    pub async fn take_walls_down(&self) {
        let superuser = PgConnectOptions::new_without_pgpass()
            .socket(self.data_dir.path().join("socket"))
            .username("postgres")
            .database("postgres");
        let mut connection = PgConnection::connect_with(&superuser).await.unwrap();
        let tables = "SELECT DISTINCT tablename::text FROM pg_policies";
        for table in sqlx::query_scalar::<_, String>(tables).fetch_all(&mut connection).await.unwrap() {
            let statement = AssertSqlSafe(format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"));
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    }

    /// How long the answer to a question takes.
    pub async fn ask(&self, question: Question, bot: usize) -> Duration {
        match question {
            Question::One => self.send("GET", "/api/v4/widgets/demo_telephony", "", 200).await.0,
            Question::List => self.send("GET", "/api/v4/widgets", "", 200).await.0,
            Question::Install => self.send("POST", "/api/v4/widgets/demo_telephony", INSTALL, 200).await.0,
            Question::Continue => {
                let bot = bot + 1;
                let path = format!("/registry/v1/salesbot/{bot}/continuations");
                let opened: Value = serde_json::from_slice(&self.send("POST", &path, OPENING, 201).await.1).unwrap();
                let path = format!("/api/v4/salesbot/{bot}/continue/{}", opened["continue_id"]);
                self.send("POST", &path, r#"{"data":{"status":"success"}}"#, 202).await.0
            }
        }
    }

    async fn send(&self, method: &str, path: &str, body: &'static str, status: u16) -> (Duration, Vec<u8>) {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.token).header("content-type", "application/json").body(body);
        let begun = Instant::now();
        let answer = request.send().await.unwrap();
        let answered = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap().to_vec();
        let time = begun.elapsed();
        assert_eq!(answered, status, "{path}: {}", String::from_utf8_lossy(&bytes));
        (time, bytes)
    }

    /// Lets it end as its supervisor would.
    pub fn stop(mut self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(self.child.wait().unwrap().success(), "the service ends well");
    }
}
