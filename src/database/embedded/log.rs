//! What PostgreSQL writes: a file beside its data, and the last lines of it in our errors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A log longer than this is put aside when the database starts; one older log is kept.
const LONGEST: u64 = 8 * 1024 * 1024;

/// How much of the log an error shows.
const TAIL_BYTES: u64 = 8 * 1024;
const TAIL_LINES: usize = 20;

/// The log since one start of the database.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
    start: u64,
}

impl Log {
    /// Opens the log for appending. What is in it already never shows in [`Log::tail`].
    pub(super) fn open(path: &Path) -> io::Result<(Self, File)> {
        if fs::metadata(path).is_ok_and(|log| log.len() > LONGEST) {
            let mut older = path.as_os_str().to_owned();
            older.push(".1");
            fs::rename(path, older)?;
        }
        // Statements that fail are logged with what users sent in them.
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let start = file.metadata()?.len();
        Ok((Self { path: path.to_owned(), start }, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines since the start, or a sentence that there are none.
    pub(super) fn tail(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.start.max(length.saturating_sub(TAIL_BYTES))))?;
            file.read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => last_lines(&String::from_utf8_lossy(&bytes)),
            Err(error) => format!("(cannot be read: {error})"),
        }
    }
}

/// The last lines of a text, without the empty end.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    match lines.get(lines.len().saturating_sub(TAIL_LINES)..) {
        Some(last) if !last.is_empty() => last.join("\n"),
        _ => String::from("(nothing was written)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn the_tail_begins_with_this_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "of an earlier start\n").unwrap();
        let (log, mut file) = Log::open(&path).unwrap();
        assert_eq!(log.tail(), "(nothing was written)");
        for line in 0..100 {
            writeln!(file, "line {line}").unwrap();
        }
        let tail = log.tail();
        assert!(tail.starts_with("line 80\n") && tail.ends_with("line 99"), "{tail}");
    }

    #[test]
    fn a_long_log_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
        Log::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
        assert!(folder.path().join("log.1").exists());
    }
}
