//! Processor time of processes, to the nanosecond, as the scheduler counts it.

use std::collections::BTreeMap;
use std::fs;

/// Whose time counts.
#[derive(Debug, Clone, Copy)]
pub enum Whose {
    /// One process with its threads.
    Process(u32),
    /// A process and all that descend from it.
    Tree(u32),
}

/// What every thread has used so far, nanoseconds.
#[derive(Debug, Default)]
pub struct Reading(BTreeMap<u32, u64>);

impl Reading {
    /// Reads it now. Threads that are gone have nothing.
    pub fn of(whose: &[Whose]) -> Self {
        let processes = whose.iter().flat_map(|whose| match *whose {
            Whose::Process(process) => vec![process],
            Whose::Tree(process) => tree(process),
        });
        let threads = processes.flat_map(|process| {
            let threads = numbers(&format!("/proc/{process}/task"));
            threads.into_iter().filter_map(move |thread| Some((thread, used(process, thread)?)))
        });
        Self(threads.collect())
    }

    /// Nanoseconds from this reading to a later one. What a thread used that ended in between is lost, and so is read of processes that stay.
    pub fn until(&self, later: &Self) -> u64 {
        let since = |(thread, used): (&u32, &u64)| used.saturating_sub(self.0.get(thread).copied().unwrap_or(0));
        later.0.iter().map(since).sum()
    }
}

fn used(process: u32, thread: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> =
        numbers("/proc").into_iter().filter_map(|process| Some((process, parent(process)?))).collect();
    let mut found = vec![root];
    let mut at = 0;
    while let Some(process) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == process).map(|(child, _)| *child));
        at += 1;
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold anything, but for its last bracket.
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The entries of a folder that are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Bytes of memory that a process has in use.
pub fn resident(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
