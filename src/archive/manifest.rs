//! `manifest.json`: what a widget is.

use std::fmt;
use std::ops::Range;

use super::code::WidgetCode;
use super::finding::{Findings, Place, shown};
use super::finding_code::FindingCode;
use super::json::{Node, Value};
use super::json_file::{FileCodes, JsonFile};
use super::limits::Limits;
use super::text::LocalizedText;
use super::version::Version;
use references::References;
pub use settings::{Setting, SettingType, SettingTypeError};

mod dp;
mod locations;
pub(super) mod references;
mod settings;
mod widget;
mod wording;

/// Name of the entry.
pub(super) const FILE_NAME: &str = "manifest.json";

/// Sections beside `widget`.
const SECTIONS: &[&str] =
    &["widget", "locations", "settings", "dp", "salesbot_designer", "tour", "advanced", "left_menu", "mobile", "sms"];

const CODES: FileCodes = FileCodes {
    encoding: FindingCode::ManifestEncoding,
    bom: FindingCode::ManifestBom,
    syntax: FindingCode::ManifestSyntax,
    too_deep: FindingCode::ManifestTooDeep,
    too_many_values: FindingCode::ManifestTooManyValues,
    nul: FindingCode::ManifestNul,
};

/// A widget manifest that was found to be without errors.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the manifest or of the API's widget")]
pub struct Manifest {
    /// The file's bytes as they came, which its digest is of.
    ///
    /// They may hold the integration's secret key: store and show [`Manifest::redacted`] instead.
    pub raw: Vec<u8>,
    /// `widget.code`, found in old manifests: only a default for the code that is given when publishing.
    pub code: Option<WidgetCode>,
    /// `widget.version`.
    pub version: Version,
    /// `widget.interface_version`; 2 when it is missing.
    pub interface_version: i64,
    /// `widget.init_once`; `false` when it is missing.
    pub init_once: bool,
    /// `widget.installation`; `true` when it is missing.
    pub installation: bool,
    /// `widget.name`.
    pub name: LocalizedText,
    /// `widget.description`.
    pub description: LocalizedText,
    /// `widget.short_description`.
    pub short_description: LocalizedText,
    /// `widget.locale` without duplicates, or the locales of the i18n files when it is missing.
    pub locales: Vec<String>,
    /// `locations`, known and unknown, without duplicates.
    pub locations: Vec<String>,
    /// `settings`, in the manifest's order.
    pub settings: Vec<Setting>,
    /// `lead_sources` is among the locations.
    pub is_lead_source: bool,
    /// `digital_pipeline` is among the locations, or there is a section `dp`.
    pub is_work_with_dp: bool,
    /// `dp.webhook_url`, when it is an http or https address; it may still lead nowhere.
    pub dp_webhook_url: Option<String>,
    secrets: Vec<Range<usize>>,
}

impl Manifest {
    /// Whether the manifest holds a secret key, which is never stored, shown or logged.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The manifest's bytes with every secret key replaced by `""`, and everything else as it came.
    #[must_use]
    pub fn redacted(&self) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(self.raw.len());
        let mut from = 0;
        for secret in &self.secrets {
            redacted.extend_from_slice(self.raw.get(from..secret.start).unwrap_or_default());
            redacted.extend_from_slice(b"\"\"");
            from = secret.end;
        }
        redacted.extend_from_slice(self.raw.get(from..).unwrap_or_default());
        redacted
    }
}

impl fmt::Debug for Manifest {
    /// Without the bytes, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manifest")
            .field("code", &self.code)
            .field("version", &self.version)
            .field("name", &self.name)
            .field("locales", &self.locales)
            .field("locations", &self.locations)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A manifest whose texts are not looked up yet.
pub(super) struct Draft {
    code: Option<WidgetCode>,
    version: Option<Version>,
    interface_version: i64,
    init_once: bool,
    installation: bool,
    name: LocalizedText,
    description: LocalizedText,
    short_description: LocalizedText,
    /// `None` when the i18n files decide.
    pub(super) locales: Option<Vec<String>>,
    locations: Vec<String>,
    settings: Vec<Setting>,
    is_work_with_dp: bool,
    dp_webhook_url: Option<String>,
    secrets: Vec<Range<usize>>,
    /// Keys that the i18n files should have.
    pub(super) references: References,
}

impl Draft {
    /// Reads the file; `None` when nothing of it can be used, and a finding says why.
    pub(super) fn read(raw: &[u8], limits: &Limits, findings: &mut Findings) -> Option<Self> {
        let file = JsonFile::read(FILE_NAME, raw, &CODES, limits, findings)?;
        let widget = widget_section(&file, findings)?;
        report_duplicates(&file, findings);
        report_unknown_sections(&file, findings);
        let mut reader = Reader { file: &file, limits, findings, references: References::default() };
        let secrets = reader.secrets();
        let head = reader.widget(widget);
        let locations = reader.locations();
        let settings = reader.settings();
        let dp = reader.dp();
        reader.other_texts();
        let pipeline = locations.iter().any(|location| location == "digital_pipeline");
        let references = reader.references;
        Some(Self {
            code: head.code,
            version: head.version,
            interface_version: head.interface_version,
            init_once: head.init_once,
            installation: head.installation,
            name: head.name,
            description: head.description,
            short_description: head.short_description,
            locales: head.locales,
            locations,
            settings,
            is_work_with_dp: pipeline || dp.is_some(),
            dp_webhook_url: dp.and_then(|dp| dp.webhook_url),
            secrets,
            references,
        })
    }

    /// Every text, for looking it up.
    pub(super) fn texts_mut(&mut self) -> impl Iterator<Item = &mut LocalizedText> {
        let settings = self.settings.iter_mut().map(|setting| &mut setting.name);
        [&mut self.name, &mut self.description, &mut self.short_description].into_iter().chain(settings)
    }

    /// The manifest; `None` when it has no version.
    pub(super) fn finish(self, raw: Vec<u8>, locales: Vec<String>) -> Option<Manifest> {
        Some(Manifest {
            raw,
            code: self.code,
            version: self.version?,
            interface_version: self.interface_version,
            init_once: self.init_once,
            installation: self.installation,
            name: self.name,
            description: self.description,
            short_description: self.short_description,
            locales,
            is_lead_source: self.locations.iter().any(|location| location == "lead_sources"),
            locations: self.locations,
            settings: self.settings,
            is_work_with_dp: self.is_work_with_dp,
            dp_webhook_url: self.dp_webhook_url,
            secrets: self.secrets,
        })
    }
}

/// What every section's reader needs.
struct Reader<'r, 'a> {
    file: &'r JsonFile<'a>,
    limits: &'r Limits,
    findings: &'r mut Findings,
    references: References,
}

impl<'r, 'a> Reader<'r, 'a> {
    fn root(&self) -> &'r Node<'a> {
        &self.file.root
    }

    /// Adds a finding about the value at a path.
    fn report(&mut self, code: FindingCode, path: &str, node: &Node<'_>, message: impl Into<String>) {
        self.report_at(code, path, node.span.start, message);
    }

    fn report_at(&mut self, code: FindingCode, path: &str, at: usize, message: impl Into<String>) {
        self.file.report(self.findings, code, path, at, message);
    }

    /// Adds a finding about a member that is missing.
    fn report_missing(&mut self, code: FindingCode, path: &str, message: impl Into<String>) {
        let place = Place { path: Some(shown(path)), ..Place::entry(FILE_NAME) };
        self.findings.add(code, place, message);
    }

    /// Where the integration's secret key stands in the bytes; its value appears in no finding.
    fn secrets(&mut self) -> Vec<Range<usize>> {
        let root = self.root();
        let widgets = root.members().into_iter().flatten().filter(|member| member.key == "widget");
        let holders = [root].into_iter().chain(widgets.map(|member| &member.node));
        let mut secrets = Vec::new();
        for member in holders.flat_map(|holder| holder.members().into_iter().flatten()) {
            let blank = matches!(&member.node.value, Value::Null) || member.node.text() == Some("");
            if member.key != "secret_key" || blank {
                continue;
            }
            let message = "The manifest holds the integration's secret key, which is not stored; \
                remove it from the archive and replace the key.";
            self.report_at(FindingCode::ManifestSecretKey, "widget.secret_key", member.key_at, message);
            let bom = self.file.bom_length;
            secrets.push(member.node.span.start + bom..member.node.span.end + bom);
        }
        secrets.sort_by_key(|secret| secret.start);
        secrets
    }
}

/// The section that makes a JSON file a widget manifest.
fn widget_section<'f, 'a>(file: &'f JsonFile<'a>, findings: &mut Findings) -> Option<&'f Node<'a>> {
    let code = FindingCode::ManifestNotAWidget;
    if let Some(member) = file.root.member("manifest_version") {
        let message = "This is the manifest of a browser extension (`manifest_version`), not of a widget.";
        file.report(findings, code, "manifest_version", member.key_at, message);
        return None;
    }
    let Some(member) = file.root.member("widget") else {
        let message = format!(
            "This is not a widget manifest: it is {} without the section `widget`; describe the widget there.",
            file.root.kind()
        );
        file.report(findings, code, "", file.root.span.start, message);
        return None;
    };
    if member.node.members().is_none() {
        let message = format!("`widget` is {}; an object is expected.", member.node.kind());
        file.report(findings, code, "widget", member.node.span.start, message);
        return None;
    }
    Some(&member.node)
}

/// In `settings` a key given twice leaves open what is meant; elsewhere the last one counts, as in every JSON reader.
fn report_duplicates(file: &JsonFile<'_>, findings: &mut Findings) {
    file.root.visit_members(&mut |path, member, again| {
        if again {
            let path = path.key(&member.key);
            let (code, message) = if path.top() == Some("settings") && !path.is_top() {
                (FindingCode::ManifestSettingsDuplicate, "The key is given twice; remove or rename one.")
            } else {
                (FindingCode::ManifestDuplicateKey, "The key is given twice and the last one counts; remove the other.")
            };
            file.report(findings, code, path, member.key_at, message);
        }
    });
}

fn report_unknown_sections(file: &JsonFile<'_>, findings: &mut Findings) {
    for member in file.root.members().into_iter().flatten() {
        if !SECTIONS.contains(&member.key.as_ref()) && member.key != "secret_key" {
            let message = "The section is not known and is ignored; remove it or check its spelling.";
            file.report(findings, FindingCode::ManifestUnknownKey, &member.key, member.key_at, message);
        }
    }
}
