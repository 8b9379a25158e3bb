//! pgbench, for what the database alone can do.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use widget_registry::database::embedded::find_binaries;

use super::cpu::{Reading, Whose};
use super::database::Database;
use super::report::Slice;

/// How it is run.
#[derive(Debug)]
pub struct Pgbench<'a> {
    pub database: &'a Database,
    pub connections: usize,
    /// Whole seconds that count.
    pub seconds: u32,
    pub folder: &'a Path,
}

/// Where the program is.
pub fn program() -> anyhow::Result<PathBuf> {
    let beside = find_binaries(None, None, std::env::var_os("PATH").as_deref())?;
    let beside = beside.dir.join("pgbench");
    Ok(if beside.exists() { beside } else { PathBuf::from("pgbench") })
}

impl Pgbench<'_> {
    /// Runs a script and counts from its first second on, when every connection is there and every statement prepared.
    pub fn run(&self, role: &str, script: &str, variables: &[(String, String)]) -> anyhow::Result<Slice> {
        let file = self.folder.join("script.sql");
        std::fs::write(&file, script)?;
        let mut command = Command::new(program()?);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--time=86400", "--progress=1"]);
        command.arg(format!("--client={}", self.connections)).arg("--file").arg(&file);
        command.arg("--host").arg(&self.database.socket_dir).args(["--username", role]);
        for (name, value) in variables {
            command.arg("--define").arg(format!("{name}={value}"));
        }
        command.arg(self.database.name).env("PGOPTIONS", "-c widget_registry.all_accounts=on");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run pgbench")?;
        let pid = Pid::from_raw(child.id().try_into()?);
        let lines = BufReader::new(child.stderr.take().context("no output")?).lines();
        let (client, server) = ([Whose::Process(child.id())], [Whose::Tree(self.database.postmaster)]);
        let mut begun = None;
        let (mut requests, mut left) = (0.0, self.seconds);
        let mut slice = Err(anyhow::anyhow!("pgbench ended"));
        for line in lines {
            let line = line?;
            if line.contains("error") || line.contains("FATAL") {
                slice = Err(anyhow::anyhow!("pgbench: {line}"));
                break;
            }
            let Some(progress) = line.strip_prefix("progress: ") else { continue };
            let Some((instant, before_client, before_server)) = &begun else {
                begun = Some((Instant::now(), Reading::of(&client), Reading::of(&server)));
                continue;
            };
            requests += per_second(progress)?;
            left -= 1;
            if left == 0 {
                let (client, server) =
                    (before_client.until(&Reading::of(&client)), before_server.until(&Reading::of(&server)));
                slice = Ok(Slice::new(requests, instant.elapsed().as_secs_f64(), (0, server, client), Vec::new()));
                break;
            }
        }
        let _ = kill(pid, Signal::SIGKILL);
        child.wait()?;
        let slice = slice?;
        ensure!(slice.per_second > 0.0, "pgbench got no answer");
        Ok(slice)
    }
}

/// Reads `1.0 s, 5000.0 tps, lat …`.
fn per_second(progress: &str) -> anyhow::Result<f64> {
    let Some(number) = progress.split(", ").nth(1).and_then(|part| part.strip_suffix(" tps")) else {
        bail!("pgbench says {progress}");
    };
    Ok(number.parse()?)
}
