//! Widgets that are about to be sent, and the name of the bytes that they will be.

use std::borrow::Cow;

use super::page::Seen;
use super::ready::Text;
use crate::http::conditional::Tag;
use crate::http::problem::Problem;
use crate::v4::model::View;

/// A widget that a caller sees, in the caller's language.
pub(in crate::v4) struct Written<'a> {
    seen: Seen<'a>,
    text: Cow<'a, Text>,
}

/// Widgets in the language of a view.
///
/// # Errors
///
/// 500 when one cannot be written.
pub(in crate::v4) fn shown<'a>(seen: Vec<Seen<'a>>, view: &View<'_>) -> Result<Vec<Written<'a>>, Problem> {
    let written = seen.into_iter().map(|seen| Ok(Written { text: seen.widget.text(view)?, seen }));
    Ok(written.collect::<Result<_, super::NotReady>>()?)
}

impl Written<'_> {
    /// About as many bytes as the whole model has.
    pub(in crate::v4) fn size(&self, origin: &str) -> usize {
        self.seen.widget.size(&self.text, origin)
    }

    /// Writes the whole model.
    pub(in crate::v4) fn write(&self, to: &mut Vec<u8>, origin: &str) {
        self.seen.widget.write(to, &self.text, self.seen.install, origin);
    }
}

/// Names the bytes of an answer that is made of these widgets and of what `around` says.
pub(in crate::v4) fn tag_of(around: &str, view: &View<'_>, widgets: &[Written<'_>]) -> Tag {
    let mut parts = Vec::with_capacity(64 + view.origin().len() + around.len() + widgets.len() * 32);
    for part in [view.origin(), "\n", around, "\n"] {
        parts.extend_from_slice(part.as_bytes());
    }
    for Written { seen, text } in widgets {
        parts.extend_from_slice(text.digest());
        // As many bytes follow as the first one says, so that no two lists of widgets are the same bytes.
        match seen.install.map(|install| install.pipeline_id) {
            None => parts.push(0),
            Some(None) => parts.push(1),
            Some(Some(pipeline)) => {
                parts.push(8);
                parts.extend_from_slice(&pipeline.to_le_bytes());
            }
        }
    }
    Tag::of(&parts)
}
