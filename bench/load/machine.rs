//! What the figures depend on besides the program.

use std::fs;
use std::process::Command;

/// A line for each: processors, memory, load, system.
pub fn lines() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = read("/proc/meminfo");
    let memory =
        memory.lines().next().and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0);
    vec![
        format!("processors: {count}, {model}"),
        format!("memory: {:.0} GiB", memory / 1024.0 / 1024.0),
        format!("load average before: {}", load()),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
    ]
}

/// The load average of the last minutes.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The first line that a program says, or that it is not there.
pub fn says(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let line = output.and_then(|output| Some(String::from_utf8(output.stdout).ok()?.lines().next()?.to_owned()));
    line.unwrap_or_else(|| format!("{program}: not there"))
}
