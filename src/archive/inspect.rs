//! The walk through an archive: records, manifest, files, findings.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use aws_lc_rs::digest::{Context, Digest, SHA256};

use super::entries::{is_dropped, last_segment, not_served};
use super::finding::{Finding, Findings, Place};
use super::finding_code::FindingCode;
use super::i18n::{Dictionaries, locale_of};
use super::images;
use super::limits::Limits;
use super::manifest::{Draft, FILE_NAME as MANIFEST};
use super::media_type::media_type;
use super::package::{Package, PackagedFile};
use super::structure::{self, Record};
use super::unpack::unpack;

/// Name of the script that every widget has.
const SCRIPT: &str = "script.js";
/// Bytes of a file's beginning that are looked at.
const HEAD: usize = 4 << 10;
/// Bytes that are read from the source at a time.
const BUFFER: usize = 16 << 10;

/// What was found in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Everything at once, errors first; at most 200 and a count of the others.
    pub findings: Vec<Finding>,
    /// The archive's contents; present exactly when no finding is an error.
    pub package: Option<Package>,
}

/// Reads a whole archive and reports everything that is wrong with it.
///
/// # Errors
///
/// Those of the source only; whatever its bytes are, the answer is a report.
pub fn inspect<R: Read + Seek>(source: R, limits: &Limits) -> io::Result<Report> {
    let mut source = BufReader::with_capacity(BUFFER, source);
    let mut findings = Findings::default();
    let package = examine(&mut source, limits, &mut findings)?;
    let package = package.filter(|_| !findings.any_error());
    Ok(Report { findings: findings.into_list(), package })
}

fn examine<R: Read + Seek>(source: &mut R, limits: &Limits, findings: &mut Findings) -> io::Result<Option<Package>> {
    let size = source.seek(SeekFrom::End(0))?;
    if size > limits.packed {
        let message = format!(
            "The archive has {size} bytes, at most {} are allowed; leave out what the widget does not need.",
            limits.packed
        );
        findings.add(FindingCode::ArchiveTooLarge, Place::archive(), message);
        return Ok(None);
    }
    let Some(mut records) = structure::scan(source, size, limits, findings)? else {
        return Ok(None);
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = records.drain(..).partition(|record| is_dropped(&record.path));
    report_missing(&kept, findings);
    // What is dropped is unpacked as well: an archive that lies is refused wherever the lie stands.
    for record in dropped.iter().chain(kept.iter().filter(|record| record.directory)) {
        digest_of(source, record, findings, |_| {})?;
    }
    let files: Vec<&Record> = kept.iter().filter(|record| !record.directory).collect();
    let manifest = read_manifest(source, &files, limits, findings)?;
    let Some((raw, mut draft)) = manifest else {
        walk(source, &files, None, limits, findings)?;
        return Ok(None);
    };
    let mut dictionaries = Dictionaries::new(&draft.references, limits);
    let mut packaged = walk(source, &files, Some(&mut dictionaries), limits, findings)?;
    let texts = dictionaries.finish(draft.locales.as_deref(), findings);
    texts.fill(&mut draft, limits, findings);
    let Some(manifest) = draft.finish(raw, texts.locales).filter(|_| !findings.any_error()) else {
        return Ok(None);
    };
    if manifest.has_secret() {
        packaged.iter_mut().filter(|file| file.path == MANIFEST).for_each(|file| file.served = false);
    }
    Ok(Some(Package { sha256: digest_of_all(source)?, packed_size: size, manifest, files: packaged }))
}

/// Reports files that every widget has at its root.
fn report_missing(records: &[Record], findings: &mut Findings) {
    let files = || records.iter().filter(|record| !record.directory);
    let at_root = |name: &str| files().any(|record| record.path == name);
    let elsewhere = |name: &str| {
        let mut found = files().filter(|record| last_segment(&record.path).eq_ignore_ascii_case(name));
        found.next().map(|record| record.path.as_str())
    };
    if !at_root(MANIFEST) {
        if let Some(path) = elsewhere(MANIFEST) {
            let message =
                "`manifest.json` is not at the root; pack the contents of the widget's folder, not the folder.";
            findings.add(FindingCode::ManifestElsewhere, Place::entry(path), message);
        } else {
            let message = "The archive has no `manifest.json`; pack the contents of the widget's folder.";
            findings.add(FindingCode::ManifestMissing, Place::archive(), message);
        }
    }
    if !at_root(SCRIPT) {
        let message = match elsewhere(SCRIPT) {
            Some(path) => format!("`script.js` is not at the root but at `{}`; move it.", super::finding::shown(path)),
            None => "The archive has no `script.js`; add it, even if it does nothing.".to_owned(),
        };
        findings.add(FindingCode::ScriptMissing, Place::archive(), message);
    }
}

fn read_manifest<R: Read + Seek>(
    source: &mut R,
    files: &[&Record],
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<Option<(Vec<u8>, Draft)>> {
    let Some(record) = files.iter().find(|record| record.path == MANIFEST) else {
        return Ok(None);
    };
    if record.unpacked > limits.manifest {
        let message =
            format!("The file has {} bytes, at most {} are allowed; shorten it.", record.unpacked, limits.manifest);
        findings.add(FindingCode::ManifestTooLarge, Place::entry(MANIFEST), message);
        return Ok(None);
    }
    let mut raw = Vec::new();
    // A broken entry is reported when all files are walked.
    if unpack(source, record, |piece| raw.extend_from_slice(piece))?.is_err() {
        return Ok(None);
    }
    Ok(Draft::read(&raw, limits, findings).map(|draft| (raw, draft)))
}

/// Unpacks every file once: its digest, its type, and its texts when it is a locale file.
fn walk<R: Read + Seek>(
    source: &mut R,
    files: &[&Record],
    mut dictionaries: Option<&mut Dictionaries<'_>>,
    limits: &Limits,
    findings: &mut Findings,
) -> io::Result<Vec<PackagedFile>> {
    let mut packaged = Vec::with_capacity(files.len());
    for record in files {
        let path = record.path.as_str();
        let is_texts = locale_of(path).is_some();
        let keep = match is_texts {
            true if record.unpacked <= limits.i18n => usize::try_from(record.unpacked).unwrap_or(HEAD),
            true => {
                let message =
                    format!("The file has {} bytes, at most {} are allowed; shorten it.", record.unpacked, limits.i18n);
                findings.add(FindingCode::I18nTooLarge, Place::entry(path), message);
                HEAD
            }
            false => HEAD,
        };
        let mut head = Vec::new();
        let digest = digest_of(source, record, findings, |piece| {
            let room = keep.saturating_sub(head.len());
            head.extend_from_slice(piece.get(..room).unwrap_or(piece));
        })?;
        if is_texts && let Some(dictionaries) = dictionaries.as_deref_mut() {
            let whole = digest.is_some() && record.unpacked <= limits.i18n;
            dictionaries.add(path, whole.then_some(&head), findings);
        }
        if let Some(sha256) = digest {
            packaged.push(describe(record, sha256, &head, findings));
        }
    }
    packaged.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(packaged)
}

fn describe(record: &Record, sha256: [u8; 32], head: &[u8], findings: &mut Findings) -> PackagedFile {
    let path = record.path.as_str();
    let media_type = media_type(path, head);
    let not_served = not_served(path, head);
    if let Some((code, message)) = not_served {
        findings.add(code, Place::entry(path), message);
    } else {
        images::check(path, media_type, head, findings);
    }
    PackagedFile { path: path.to_owned(), size: record.unpacked, sha256, media_type, served: not_served.is_none() }
}

/// Unpacks one entry and digests it; `None` when it is broken, for which a finding is added.
fn digest_of<R: Read + Seek>(
    source: &mut R,
    record: &Record,
    findings: &mut Findings,
    mut sink: impl FnMut(&[u8]),
) -> io::Result<Option<[u8; 32]>> {
    let mut digest = Context::new(&SHA256);
    let outcome = unpack(source, record, |piece| {
        digest.update(piece);
        sink(piece);
    })?;
    if let Err(error) = outcome {
        let message = sentence(&error.to_string());
        findings.add(error.code(), Place::entry(&record.path), message);
        return Ok(None);
    }
    Ok(Some(bytes_of(&digest.finish())))
}

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).chain(['.']).collect()
}

fn digest_of_all<R: Read + Seek>(source: &mut R) -> io::Result<[u8; 32]> {
    source.seek(SeekFrom::Start(0))?;
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; BUFFER];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(bytes_of(&digest.finish())),
            Ok(count) => digest.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn bytes_of(digest: &Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}
