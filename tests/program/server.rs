//! A server process of its own.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use widget_registry::auth::SigningKey;
use widget_registry::sources::Clock;

use crate::support::record::{self, Told};
use crate::support::{Claims, Client};

/// The program with a clean environment but for what it needs to find PostgreSQL.
pub fn program() -> Command {
    program_of(env!("CARGO_BIN_EXE_widget-registry"))
}

/// The same for another build of it.
pub fn program_of(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

/// A folder that other users can enter, as the embedded database's user must when the tests run as root.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A running server; killed when it is dropped.
pub struct Server {
    pub child: Child,
    pub url: String,
    /// What it printed after the line that says where it listens.
    pub rest: BufReader<std::process::ChildStdout>,
    /// Made once: it reads the certificates of the system.
    http: reqwest::Client,
    log: Arc<Mutex<Vec<u8>>>,
    /// What reads the log; it ends with it.
    reader: Option<JoinHandle<()>>,
    data_dir: PathBuf,
}

impl Server {
    /// Starts it and waits until it listens; panics with its log when it ends before.
    pub fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        Self::run(program(), data_dir, arguments)
    }

    /// The same, of a program that was made ready by the caller.
    pub fn run(mut command: Command, data_dir: &Path, arguments: &[&str]) -> Self {
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).args(arguments);
        record::at_trace(&mut command);
        record::arguments(&command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let text = log.clone();
        // The log is read all the time, so that the server never waits for us.
        let reader = thread::spawn(move || {
            let mut part = [0; 8_192];
            while let Ok(count @ 1..) = stderr.read(&mut part) {
                text.lock().unwrap().extend_from_slice(&part[..count]);
            }
            record::tell(Told::Programs, &text.lock().unwrap());
        });
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            reader.join().unwrap();
            panic!("printed {line:?} and logged:\n{}", String::from_utf8_lossy(&log.lock().unwrap()))
        };
        record::processes();
        record::note_keys(&data_dir.join("keys"));
        let (http, data_dir) = (reqwest::Client::new(), data_dir.to_owned());
        Self { url: url.to_owned(), child, rest, http, log, reader: Some(reader), data_dir }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// What it has logged until its end, for which this waits.
    pub fn all_of_the_log(mut self) -> String {
        self.wait();
        self.reader.take().unwrap().join().unwrap();
        self.log()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// A caller whose token is signed with the key in the data directory.
    pub fn caller(&self, data_dir: &Path, claims: &Claims) -> Client {
        let key = SigningKey::load(&data_dir.join("keys/signing.pem")).unwrap();
        let token = claims.sign(&key, Clock::system().now());
        self.with_token(&token)
    }

    /// A caller with this token.
    pub fn with_token(&self, token: &str) -> Client {
        Client::new(self.http.clone(), self.url.clone(), Some(token.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        record::data_directory(&self.data_dir);
    }
}

/// Runs a future of a test.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
