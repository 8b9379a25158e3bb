//! A second process to kill: this test binary again, told by its environment to run one of the "tests" below.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::Pid;
use widget_registry::data_dir::DataDir;
use widget_registry::database::embedded::{Cluster, Temporary};

use super::{options, write_fact};

const FOLDER: &str = "EMBEDDED_TEST_FOLDER";
const SAYS: &str = "the helper says: ";

/// A running helper; killed when dropped.
pub(super) struct Helper {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Helper {
    /// Starts this binary with the test `name` of this module, in an environment full of traps for the driver and for
    /// PostgreSQL.
    pub(super) fn run(name: &str, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::{name}"), "--nocapture"]).env(FOLDER, folder);
        for (name, value) in [
            ("PGHOST", "/nowhere"),
            ("PGPORT", "1"),
            ("PGUSER", "stranger"),
            ("PGPASSWORD", "wrong"),
            ("PGDATABASE", "missing"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/nowhere"),
            ("PGDATA", "/nowhere"),
            ("LC_ALL", "xx_XX"),
        ] {
            command.env(name, value);
        }
        command.envs(environment.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing that the helper says.
    pub(super) fn says(&mut self) -> String {
        for line in self.lines.by_ref() {
            if let Some((_, said)) = line.unwrap().split_once(SAYS) {
                return said.to_owned();
            }
        }
        panic!("the helper ended without a word");
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(super) fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets the helper go on, and waits for its end.
    pub(super) fn finish(&mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(words: impl std::fmt::Display) {
    println!("{SAYS}{words}");
}

/// Waits until the test lets us go on.
fn wait_for_the_test() {
    std::io::stdin().lines().for_each(drop);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// Opens the data directory, starts its cluster, writes a fact.
#[test]
fn owner() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let data_dir = DataDir::open(Path::new(&folder)).unwrap();
    runtime().block_on(async {
        match Cluster::start(options(data_dir.path())).await {
            Ok(cluster) => {
                write_fact(&cluster).await;
                say("started");
                wait_for_the_test();
                cluster.stop().await.unwrap();
            }
            Err(error) => say(error),
        }
    });
}

/// Starts a temporary cluster for the life of the process, as test suites do.
#[test]
fn suite() {
    static CLUSTER: OnceLock<Temporary> = OnceLock::new();
    if std::env::var_os(FOLDER).is_none() {
        return;
    }
    say("starting");
    let cluster = runtime().block_on(Temporary::start()).unwrap();
    say(cluster.folder().display());
    CLUSTER.set(cluster).unwrap();
    wait_for_the_test();
}
