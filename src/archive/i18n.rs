//! `i18n/<locale>.json`: the texts of a widget in one language.

use std::collections::{BTreeMap, HashMap};

use super::entries::last_segment;
use super::finding::{Findings, Place, shown};
use super::finding_code::FindingCode;
use super::json::{Node, Value};
use super::json_file::{FileCodes, JsonFile};
use super::limits::Limits;
use super::manifest::references::{MOST_KEY_BYTES, References, looks_like_key};
use super::manifest::{Draft, FILE_NAME as MANIFEST};
use super::text::{LocalizedText, same_locale};

/// Characters of the longest locale, the length of the longest registered language tag.
const MOST_LOCALE_CHARACTERS: usize = 35;

const CODES: FileCodes = FileCodes {
    encoding: FindingCode::I18nEncoding,
    bom: FindingCode::I18nBom,
    syntax: FindingCode::I18nSyntax,
    too_deep: FindingCode::I18nTooDeep,
    too_many_values: FindingCode::I18nTooManyValues,
    nul: FindingCode::I18nNul,
};

/// Whether a text is written as locales are: `ru`, `es_ES`, `pt-BR`; there is no closed list of them.
pub(super) fn is_locale(text: &str) -> bool {
    text.len() <= MOST_LOCALE_CHARACTERS
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The locale of a file in the folder `i18n`, valid or not.
pub(super) fn locale_of(path: &str) -> Option<&str> {
    let file = path.strip_prefix("i18n/").filter(|file| *file == last_segment(file))?;
    file.strip_suffix(".json")
}

/// The locale files of one archive, of which only the texts that the manifest refers to are kept.
pub(super) struct Dictionaries<'m> {
    references: &'m References,
    files: Vec<Dictionary>,
    /// Bytes of texts that may still be kept.
    room: usize,
    limits: &'m Limits,
}

struct Dictionary {
    locale: String,
    entry: String,
    /// `None` for a key whose text is only known to be there; the whole is `None` for a broken file.
    texts: Option<BTreeMap<String, Option<String>>>,
}

impl<'m> Dictionaries<'m> {
    pub(super) fn new(references: &'m References, limits: &'m Limits) -> Self {
        Self { references, files: Vec::new(), room: limits.texts, limits }
    }

    /// Reads one file; `bytes` is `None` when it was too large or could not be unpacked, for which there is a finding.
    pub(super) fn add(&mut self, entry: &str, bytes: Option<&[u8]>, findings: &mut Findings) {
        let Some(locale) = locale_of(entry) else { return };
        if !is_locale(locale) {
            let message = "The file's name is not a locale and the file is ignored; name it like `ru.json`.";
            findings.add(FindingCode::I18nName, Place::entry(entry), message);
            return;
        }
        if self.files.len() == self.limits.locales {
            let message = format!("At most {} locale files are allowed; remove some.", self.limits.locales);
            findings.add(FindingCode::I18nTooMany, Place::entry(entry), message);
            return;
        }
        let texts = bytes.and_then(|bytes| self.read(entry, bytes, findings));
        self.files.push(Dictionary { locale: locale.to_owned(), entry: entry.to_owned(), texts });
    }

    fn read(&mut self, entry: &str, bytes: &[u8], findings: &mut Findings) -> Option<BTreeMap<String, Option<String>>> {
        let file = JsonFile::read(entry, bytes, &CODES, self.limits, findings)?;
        if file.root.members().is_none() {
            let message = format!("The file is {}; an object of texts is expected.", file.root.kind());
            findings.add(FindingCode::I18nNotAnObject, Place::entry(entry), message);
            return None;
        }
        file.root.visit_members(&mut |path, member, again| {
            if again {
                let message = "The key is given twice and the last one counts; remove the other.";
                file.report(findings, FindingCode::I18nDuplicateKey, path.key(&member.key), member.key_at, message);
            }
        });
        let mut texts = BTreeMap::new();
        self.collect(&file.root, &mut String::new(), &mut texts);
        for (key, text) in &mut texts {
            let Some(kept) = text else { continue };
            if kept.len() > self.limits.text || kept.len() > self.room {
                let message = format!(
                    "The text `{}` is too long: one text has at most {} bytes, all of a widget {}; shorten it.",
                    shown(key),
                    self.limits.text,
                    self.limits.texts
                );
                findings.add(FindingCode::ManifestTextTooLong, Place::entry(entry), message);
                *text = None;
            } else {
                self.room -= kept.len();
            }
        }
        Some(texts)
    }

    /// Takes the texts whose dotted path is referred to; a key that has dots itself counts as a path.
    fn collect(&self, node: &Node<'_>, path: &mut String, texts: &mut BTreeMap<String, Option<String>>) {
        for member in node.members().into_iter().flatten() {
            let before = path.len();
            if before + member.key.len() >= MOST_KEY_BYTES {
                continue;
            }
            if before > 0 {
                path.push('.');
            }
            path.push_str(&member.key);
            match &member.node.value {
                Value::Text(text) if !text.trim().is_empty() => {
                    if let Some(kept) = self.references.kept(path) {
                        texts.insert(path.clone(), kept.then(|| text.clone().into_owned()));
                    }
                }
                _ => self.collect(&member.node, path, texts),
            }
            path.truncate(before);
        }
    }

    /// Decides the widget's locales, reports what is missing in which, and gives the texts of each key.
    pub(super) fn finish(mut self, declared: Option<&[String]>, findings: &mut Findings) -> Texts {
        self.files.sort_by(|left, right| left.locale.cmp(&right.locale));
        let locales: Vec<String> = match declared {
            Some(declared) => declared.to_vec(),
            None => self.files.iter().map(|file| file.locale.clone()).collect(),
        };
        let ordered = self.in_order(&locales, findings);
        self.report_missing_keys(&ordered, findings);
        let mut texts: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for (locale, file) in &ordered {
            for (key, text) in file.texts.iter().flatten() {
                if let Some(text) = text {
                    texts.entry(key.clone()).or_default().push(((*locale).to_owned(), text.clone()));
                }
            }
        }
        Texts { locales, texts }
    }

    /// The files of the widget's locales; reports files without a locale and locales without a file.
    fn in_order<'l>(&self, locales: &'l [String], findings: &mut Findings) -> Vec<(&'l str, &Dictionary)> {
        for file in &self.files {
            if !locales.iter().any(|locale| same_locale(locale, &file.locale)) {
                let message = "The locale is not declared and its texts are not used; add it to `widget.locale`.";
                findings.add(FindingCode::I18nUndeclared, Place::entry(&file.entry), message);
            }
        }
        let mut ordered = Vec::with_capacity(locales.len());
        for locale in locales {
            if let Some(file) = self.files.iter().find(|file| same_locale(locale, &file.locale)) {
                ordered.push((locale.as_str(), file));
            } else {
                let place = Place { path: Some("widget.locale".to_owned()), ..Place::entry(MANIFEST) };
                let message = format!("The locale `{locale}` is declared but `i18n/{locale}.json` is missing; add it.");
                findings.add(FindingCode::I18nMissing, place, message);
            }
        }
        ordered
    }

    fn report_missing_keys(&self, ordered: &[(&str, &Dictionary)], findings: &mut Findings) {
        let has = |file: &Dictionary, key: &str| file.texts.as_ref().is_some_and(|texts| texts.contains_key(key));
        for key in self.references.keys() {
            if !looks_like_key(key) && !ordered.iter().any(|(_, file)| has(file, key)) {
                continue;
            }
            for (_, file) in ordered.iter().filter(|(_, file)| file.texts.is_some() && !has(file, key)) {
                let place = Place { path: Some(shown(key)), ..Place::entry(&file.entry) };
                let message = "The manifest refers to this key, which has no text here; add it.";
                findings.add(FindingCode::I18nMissingKey, place, message);
            }
        }
    }
}

/// The texts of a widget by key, each in the widget's order of locales.
pub(super) struct Texts {
    pub(super) locales: Vec<String>,
    texts: HashMap<String, Vec<(String, String)>>,
}

impl Texts {
    /// Looks up every text of the manifest.
    pub(super) fn fill(&self, draft: &mut Draft, limits: &Limits, findings: &mut Findings) {
        let mut room = limits.texts;
        for text in draft.texts_mut() {
            self.fill_one(text);
            let length: usize = text.texts.iter().map(|(_, text)| text.len()).sum();
            if length + text.fallback.len() > room {
                let message =
                    format!("All names and descriptions together have more than {} bytes; shorten them.", limits.texts);
                findings.add(FindingCode::ManifestTextTooLong, Place::entry(MANIFEST), message);
                return;
            }
            room -= length + text.fallback.len();
        }
    }

    fn fill_one(&self, text: &mut LocalizedText) {
        if text.texts.is_empty() {
            text.texts = self.texts.get(&text.fallback).cloned().unwrap_or_default();
        } else {
            let rank = |locale: &str| self.locales.iter().position(|known| same_locale(known, locale));
            text.texts.sort_by_key(|(locale, _)| rank(locale).unwrap_or(usize::MAX));
        }
    }
}
