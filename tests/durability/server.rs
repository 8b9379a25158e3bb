//! The server under test: the real program, started and ended again and again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

/// One server and how to start it.
#[derive(Debug)]
pub struct Server {
    binary: PathBuf,
    data_dir: PathBuf,
    log: PathBuf,
    environment: Vec<(&'static str, String)>,
    running: Option<(Child, BufReader<ChildStdout>)>,
    /// Where it listens; `None` while it does not run.
    url: watch::Sender<Option<String>>,
}

impl Server {
    /// Prepares one; nothing runs yet.
    pub fn new(binary: &Path, folder: &Path, name: &str, environment: Vec<(&'static str, String)>) -> Self {
        Self {
            binary: binary.to_owned(),
            data_dir: folder.join(name),
            log: folder.join(format!("{name}.log")),
            environment,
            running: None,
            url: watch::Sender::new(None),
        }
    }

    pub fn url(&self) -> watch::Receiver<Option<String>> {
        self.url.subscribe()
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Starts it and waits until it listens. A start that fails, because the database dies meanwhile, is tried again.
    pub async fn start(&mut self) {
        for _ in 0..20 {
            if self.try_start().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the server does not start; its log is {}", self.log.display());
    }

    async fn try_start(&mut self) -> bool {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&self.data_dir);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("WIDGET_REGISTRY_OUTGOING_LOOPBACK", "true").env("WIDGET_REGISTRY_LOG", "warn");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).await.unwrap();
        match line.trim_end().strip_prefix("listening on ") {
            Some(url) => {
                self.url.send_replace(Some(url.to_owned()));
                self.running = Some((child, out));
                true
            }
            None => {
                child.wait().await.unwrap();
                false
            }
        }
    }

    fn pid(&self) -> Pid {
        let (child, _) = self.running.as_ref().unwrap();
        Pid::from_raw(i32::try_from(child.id().expect("it runs")).unwrap())
    }

    /// Whether it has ended without being asked.
    pub fn has_ended(&mut self) -> bool {
        let (child, _) = self.running.as_mut().unwrap();
        child.try_wait().unwrap().is_some()
    }

    /// `kill -9`, and waits for the end. One that has ended by itself is only collected.
    pub async fn kill(&mut self) {
        self.end(Signal::SIGKILL).await;
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.end(Signal::SIGTERM).await
    }

    async fn end(&mut self, with: Signal) -> ExitStatus {
        if !self.has_ended() {
            kill(self.pid(), with).unwrap();
        }
        // Nobody is sent there any more; requests that are on their way find out by themselves.
        self.url.send_replace(None);
        let (mut child, _) = self.running.take().unwrap();
        tokio::time::timeout(Duration::from_mins(1), child.wait()).await.expect("it ends within a minute").unwrap()
    }
}
