//! Widgets as they lie on this machine: zip archives, and folders, which are packed first.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::archive::{self, WidgetCode};

/// The bytes of an archive: a zip file's own, or those of a folder that is packed now.
///
/// # Errors
///
/// The path cannot be read, or a file's name cannot stand in an archive.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.is_dir() { pack(path) } else { fs::read(path).context("cannot read it") }
}

/// The code that a widget without one in its manifest gets: the name of the folder, or of the file without its extension.
pub(super) fn code(path: &Path) -> anyhow::Result<WidgetCode> {
    let named = if path.is_dir() { path.canonicalize()? } else { path.with_extension("") };
    let name = named.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.parse().map_err(|error| {
        anyhow::anyhow!("neither the manifest nor the name `{name}` gives a code ({error}); give one with --code")
    })
}

/// Packs a widget's folder; files whose names begin with a dot stay out.
fn pack(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let mut files = Vec::new();
    collect(folder, "", &mut files)?;
    Ok(archive::pack(&files)?)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().into_string().ok().with_context(|| format!("{} is not UTF-8", path.display()))?;
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Follows no links: a link could bring in any file of this machine.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, &name, files)?;
        } else if kind.is_file() {
            files.push((name, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?));
        }
    }
    Ok(())
}
