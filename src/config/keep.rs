//! How long things are kept after their end.

use std::time::Duration;

use super::parse;
use super::reader::{Reader, Setting};

/// How long things are kept after their end.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Deliveries that arrived, with their tries.
    pub deliveries: Duration,
    /// Deliveries that were given up: until then they can be replayed.
    pub dead_deliveries: Duration,
    /// Records of bots that wait no more, with what the widget sent.
    pub continuations: Duration,
}

const fn setting(name: &'static str, default: &'static str, explanation: &'static str) -> Setting {
    Setting { name, default, explanation, secret: false }
}

impl Keep {
    /// Reads all of them; `None` after a mistake.
    pub(super) fn read(r: &mut Reader) -> Option<Self> {
        let deliveries = r.value(
            setting("keep.deliveries", "7d", "How long deliveries that arrived are kept, with their tries."),
            parse::duration,
        );
        let dead_deliveries = r.value(
            setting("keep.dead_deliveries", "90d", "How long deliveries that were given up are kept, to be replayed."),
            parse::duration,
        );
        let continuations = r.value(
            setting("keep.continuations", "30d", "How long records of bots that wait no more are kept."),
            parse::duration,
        );
        Some(Self { deliveries: deliveries?, dead_deliveries: dead_deliveries?, continuations: continuations? })
    }
}
