//! Whether installs are remembered between requests.

use std::fmt;
use std::time::Duration;

use super::database::Database;
use super::reader::Reader;
use super::{parse, setting};

/// How installs are remembered between requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallMemory {
    /// Not at all: others may change them, so each read asks the database.
    None,
    /// For this long: what others change meanwhile is not seen.
    For(Duration),
    /// Until they change: nobody but this process changes them.
    OnlyWriter,
}

impl fmt::Display for InstallMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("exact, asked for at each read"),
            Self::For(time) => write!(f, "from memory, up to {} ms old", time.as_millis()),
            Self::OnlyWriter => f.write_str("exact, from memory"),
        }
    }
}

impl InstallMemory {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::For(_) => "bounded",
            Self::OnlyWriter => "only_writer",
        }
    }

    pub(super) fn read(r: &mut Reader, database: Option<&Database>) -> Option<Self> {
        let name = "stale_ok";
        let wanted = setting(
            name,
            "",
            "How old installs of an external database may be shown, such as 250ms; when not set, each read asks. With the embedded one they \
             are exact and need not be asked for.",
        );
        let memory = match (r.optional(wanted, parse::staleness)?, database?) {
            (None, Database::Embedded { .. }) => Self::OnlyWriter,
            (None, Database::External { .. }) => Self::None,
            (Some(time), Database::External { .. }) => Self::For(time),
            (Some(_), Database::Embedded { .. }) => {
                r.mistake(format!(
                    "{name}: is for external databases; with the embedded one installs are exact and from memory"
                ));
                return None;
            }
        };
        r.comes_to(name, &memory);
        Some(memory)
    }
}
