//! How far an upload is, on a terminal: one line that is drawn anew, and gone when the answer is there.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Characters of the bar, and of the name before it: the line fits into eighty.
const BAR: usize = 24;
const NAME: usize = 28;
/// To the line's begin, and nothing behind it.
const CLEAR: &str = "\r\x1b[K";

/// An upload that somebody watches.
pub(super) struct Progress(Mutex<State>);

struct State {
    name: String,
    sent: usize,
    total: usize,
    /// What stands there; `None` before the first and after the last.
    shown: Option<String>,
    is_over: bool,
}

impl Progress {
    /// Begins a line, if standard error is a terminal: what reads it from a file or a pipe has no use for it.
    pub(super) fn on_terminal(name: &str, total: usize) -> Option<Arc<Self>> {
        let state = State { name: short(name), sent: 0, total, shown: None, is_over: false };
        io::stderr().is_terminal().then(|| Arc::new(Self(Mutex::new(state))))
    }

    /// So many bytes more are sent.
    pub(super) fn advance(&self, bytes: usize) {
        let mut state = self.state();
        state.sent += bytes;
        let line = line(&state.name, state.sent, state.total);
        if !state.is_over && state.shown.as_ref() != Some(&line) {
            draw(&format!("{CLEAR}{line}"));
            state.shown = Some(line);
        }
    }

    /// The answer is there: what is printed next begins on an empty line. A connection may go on sending for a moment.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        state.is_over = true;
        if state.shown.take().is_some() {
            draw(CLEAR);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A terminal that takes nothing is no reason to stop.
fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

/// The end of a long name, without characters that would do something to the terminal.
fn short(name: &str) -> String {
    let name: Vec<char> = name.chars().filter(|c| !c.is_control()).collect();
    match name.len().checked_sub(NAME) {
        None | Some(0) => name.into_iter().collect(),
        Some(over) => ['…'].into_iter().chain(name.into_iter().skip(over + 1)).collect(),
    }
}

fn line(name: &str, sent: usize, total: usize) -> String {
    let filled = (sent * BAR).checked_div(total).unwrap_or(BAR).min(BAR);
    let (done, left) = ("=".repeat(filled), " ".repeat(BAR - filled));
    format!("{name} [{done}{left}] {} of {}", size(sent), size(total))
}

/// Bytes in KiB, or in MiB with one decimal.
fn size(bytes: usize) -> String {
    let kib = bytes.div_ceil(1 << 10);
    if kib < 1 << 10 { format!("{kib} KiB") } else { format!("{}.{} MiB", kib >> 10, ((kib & 1_023) * 10) >> 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(line("a.zip", 0, 2_048), "a.zip [                        ] 0 KiB of 2 KiB");
        assert_eq!(line("a.zip", 1_024, 2_048), "a.zip [============            ] 1 KiB of 2 KiB");
        let whole = 20 << 20;
        assert_eq!(line("a.zip", whole, whole), "a.zip [========================] 20.0 MiB of 20.0 MiB");
        assert_eq!(line("a.zip", 0, 0), "a.zip [========================] 0 KiB of 0 KiB");
        assert_eq!(size(1_500 << 10), "1.4 MiB");
        let longest = line(&short(&"n".repeat(100)), (20 << 20) - 1, 20 << 20);
        assert!(longest.chars().count() < 80, "{longest}");
    }

    #[test]
    fn names() {
        assert_eq!(short("dist/widget.zip"), "dist/widget.zip");
        assert_eq!(short("\u{1b}[31mred\n.zip"), "[31mred.zip");
        let long = short(&format!("{}/the_end.zip", "folder/".repeat(9)));
        assert!(long.starts_with('…') && long.ends_with("/the_end.zip") && long.chars().count() == NAME, "{long}");
    }
}
