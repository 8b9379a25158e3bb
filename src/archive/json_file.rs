//! A JSON file of the archive: its bytes, its tree, and findings that know line and column.

use std::fmt::Display;

use super::finding::{Findings, Place, shown};
use super::finding_code::FindingCode;
use super::json::{JsonErrorKind, JsonLimits, Node, parse, position};
use super::limits::Limits;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The codes of findings that every JSON file can have.
pub(super) struct FileCodes {
    pub(super) encoding: FindingCode,
    pub(super) bom: FindingCode,
    pub(super) syntax: FindingCode,
    pub(super) too_deep: FindingCode,
    pub(super) too_many_values: FindingCode,
    pub(super) nul: FindingCode,
}

/// A file that is JSON.
pub(super) struct JsonFile<'a> {
    /// The value of the whole file.
    pub(super) root: Node<'a>,
    /// Bytes before the text to which the tree's positions refer.
    pub(super) bom_length: usize,
    text: &'a str,
    entry: &'a str,
}

impl<'a> JsonFile<'a> {
    /// Decodes and parses a file; `None` when a finding says why it cannot be.
    pub(super) fn read(
        entry: &'a str,
        bytes: &'a [u8],
        codes: &FileCodes,
        limits: &Limits,
        findings: &mut Findings,
    ) -> Option<Self> {
        let (bytes, bom_length) = match bytes.strip_prefix(BOM) {
            Some(rest) => (rest, BOM.len()),
            None => (bytes, 0),
        };
        if bom_length > 0 {
            let message = "The file begins with a byte order mark; save it as UTF-8 without one.";
            findings.add(codes.bom, Place::entry(entry), message);
        }
        let Ok(text) = str::from_utf8(bytes) else {
            findings.add(codes.encoding, Place::entry(entry), "The file is not UTF-8; save it as UTF-8.");
            return None;
        };
        match parse(text, JsonLimits { depth: limits.json_depth, values: limits.json_values }) {
            Ok(root) => {
                let file = Self { root, bom_length, text, entry };
                file.refuse_nul(codes.nul, findings);
                Some(file)
            }
            Err(error) => {
                let (line, column) = position(text, error.at);
                let code = match error.kind {
                    JsonErrorKind::TooDeep => codes.too_deep,
                    JsonErrorKind::TooManyValues => codes.too_many_values,
                    _ => codes.syntax,
                };
                let place = Place { line: Some(line), column: Some(column), ..Place::entry(entry) };
                findings.add(code, place, format!("Line {line}, column {column}: {}.", error.kind));
                None
            }
        }
    }

    /// Adds a finding about the value or key that begins at this byte.
    pub(super) fn report(
        &self,
        findings: &mut Findings,
        code: FindingCode,
        path: impl Display,
        at: usize,
        message: impl Into<String>,
    ) {
        // Line and column cost a walk through the file, which findings beyond those that are listed do not get.
        let place = if findings.has_room(code) { self.place(path, at) } else { Place::default() };
        findings.add(code, place, message);
    }

    fn place(&self, path: impl Display, at: usize) -> Place {
        let (line, column) = position(self.text, at);
        Place {
            path: Some(shown(&path.to_string())),
            line: Some(line),
            column: Some(column),
            ..Place::entry(self.entry)
        }
    }

    /// The database keeps no NUL in a text.
    fn refuse_nul(&self, code: FindingCode, findings: &mut Findings) {
        let message = "The text has a NUL character (`\\u0000`); remove it.";
        self.root.visit_texts(&mut |path, node, text| {
            if text.contains('\0') {
                self.report(findings, code, path, node.span.start, message);
            }
        });
        self.root.visit_members(&mut |path, member, _| {
            if member.key.contains('\0') {
                self.report(findings, code, path.key(&member.key), member.key_at, message);
            }
        });
    }
}
