//! What reading an archive costs: each hostile one, and the most laborious ones, alone in a process of its own.

use std::fs::{self, File};
use std::process::Command;
use std::{env, str};

use widget_registry::archive::{Limits, inspect};

use super::builder::{Entry, Zip};
use super::hostile;
use super::widget::{MANIFEST, files_without, zip};

/// Memory of the whole process at its peak.
const MOST_MEMORY: u64 = 96 << 20;
/// Seconds of the processor. Not of the clock, which counts what else the machine does.
const MOST_TIME: f64 = 2.0;
/// The same for lawful archives that give as much work as the limits let them: this is built without optimisation, which takes ten
/// times as long as the program does.
const MOST_TIME_LAWFUL: f64 = 15.0;
/// Tells the child which archive it reads.
const ARCHIVE: &str = "MEASURED_ARCHIVE";
/// Begins the child's answer.
const MARK: &str = "measured: ";

/// Bytes that pack to about half.
fn digits(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).take(length).collect()
}

/// An object of as many texts as one file may have.
fn many_texts(seed: usize) -> Vec<u8> {
    let members: Vec<String> = (0..19_000).map(|n| format!(r#""{seed}{n}":"""#)).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// Archives that are as large as the limits let them be, whether they are accepted or not.
fn laborious() -> Vec<(&'static str, Vec<u8>)> {
    let names = (0..1_990).map(|n| Entry::stored(&format!("{n:0>500}"), b"x"));
    let texts: Vec<Entry> = (0..60).map(|n| Entry::deflated(&format!("i18n/x{n}.json"), &many_texts(n))).collect();
    let inner = zip().and(Entry::deflated("bomb", &vec![0; 5 << 20])).bytes();
    let nested = (0..8).fold(inner, |inner, _| zip().and(Entry::stored("inner.zip", &inner)).bytes());
    let wrong: Vec<String> = (0..15_000).map(|n| format!(r#""{n}":{{}}"#)).collect();
    let wrong = MANIFEST.replacen("\"locations\"", &format!("{},\"locations\"", wrong.join(",")), 1);
    let rest = Zip::of(files_without("manifest.json").iter().map(|(name, bytes)| Entry::deflated(name, bytes)));
    vec![
        ("as many long names as may be", names.fold(zip(), Zip::and).bytes()),
        ("as many bytes as may be", (0..4).fold(zip(), |zip, n| zip.and(large(n))).bytes()),
        ("as many texts as may be", texts.into_iter().fold(zip(), Zip::and).bytes()),
        ("zip in zip in zip", nested),
        ("as many warnings as may be", rest.and(Entry::deflated("manifest.json", wrong.as_bytes())).bytes()),
    ]
}

/// A quarter of all bytes that may come out of an archive that may be this large.
fn large(number: usize) -> Entry {
    let half = 8 << 20;
    let mut bytes = digits(half);
    bytes.extend(b"0123456789abcdefghijklmnopqrstuvwxyz".repeat(half / 36 - 1));
    Entry::deflated(&format!("{number}.txt"), &bytes)
}

/// One of a process's own numbers, as the system has them in `/proc/self/status`.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Seconds that this process has kept a processor busy: the system counts hundredths.
fn seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The name before the bracket may hold spaces.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let hundredths = |index: usize| fields[index].parse::<u32>().unwrap();
    f64::from(hundredths(11) + hundredths(12)) / 100.0
}

#[test]
#[ignore = "reads the one archive that another test gives it, in a process of its own"]
fn child() {
    let archive = File::open(env::var_os(ARCHIVE).unwrap()).unwrap();
    let report = inspect(archive, &Limits::default()).unwrap();
    let (memory, seconds, accepted) = (status("VmHWM"), seconds(), report.package.is_some());
    println!("\n{MARK}{memory} {seconds} {accepted}");
}

#[test]
fn no_archive_costs_more_than_two_seconds_and_96_mib() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile::all().into_iter().map(|one| (one.name, one.bytes, true));
    let laborious = laborious().into_iter().map(|(name, bytes)| (name, bytes, false));
    let all: Vec<_> = hostile.chain(laborious).collect();
    assert!(all.len() >= 140, "{}", all.len());
    let (mut most_memory, mut most_time, mut wrong) = ((0, ""), (0.0, ""), Vec::new());
    for (name, bytes, is_hostile) in all {
        let path = folder.path().join("archive.zip");
        fs::write(&path, &bytes).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["archive::measured::child", "--exact", "--ignored", "--nocapture"]).env(ARCHIVE, &path);
        let output = command.output().unwrap();
        let text = str::from_utf8(&output.stdout).unwrap();
        let answer = text.lines().find_map(|line| line.strip_prefix(MARK));
        let answer = answer.unwrap_or_else(|| panic!("{name}: {output:?}"));
        let fields: Vec<&str> = answer.split(' ').collect();
        let (memory, seconds) = (fields[0].parse::<u64>().unwrap() << 10, fields[1].parse::<f64>().unwrap());
        let most_seconds = if is_hostile { MOST_TIME } else { MOST_TIME_LAWFUL };
        if memory > MOST_MEMORY || seconds > most_seconds || (is_hostile && fields[2] != "false") {
            wrong.push(format!("{name}: {memory} bytes, {seconds} s, accepted: {}", fields[2]));
        }
        most_memory = if memory > most_memory.0 { (memory, name) } else { most_memory };
        most_time = if seconds > most_time.0 { (seconds, name) } else { most_time };
    }
    println!("the most: {most_memory:?} bytes, {most_time:?} s");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
