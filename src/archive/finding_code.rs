//! The table of everything that can be found in an archive.

use std::fmt;

use serde::{Serialize, Serializer};

/// Whether a finding keeps the archive from being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The archive is refused.
    Error,
    /// The archive is accepted; its author should know.
    Warning,
}

macro_rules! finding_codes {
    ($($variant:ident $code:literal $severity:ident $doc:literal)*) => {
        /// What was found; a closed list, each with a stable text and a severity.
        ///
        /// The texts are part of the interface: clients match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $(#[doc = $doc] $variant,)*
        }

        impl FindingCode {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable dotted text, for example `manifest.settings.unknown-type`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// Whether the archive is refused because of it.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self {
                    $(Self::$variant => Severity::$severity,)*
                }
            }

            /// What the code says, in general; a finding's message says it of one place.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc,)*
                }
            }
        }
    };
}

finding_codes! {
    ArchiveTooLarge             "archive.too-large"                   Error   "The archive exceeds the packed size."
    ArchiveNotAZip              "archive.not-a-zip"                   Error   "The bytes are of another format."
    ArchiveEmpty                "archive.empty"                       Error   "The archive has no entries."
    ArchiveTruncated            "archive.truncated"                   Error   "The archive ends before its records do."
    ArchiveLeadingData          "archive.leading-data"                Error   "There are bytes before the first record."
    ArchiveTrailingData         "archive.trailing-data"               Error   "There are bytes after the last record."
    ArchiveHiddenData           "archive.hidden-data"                 Error   "There are bytes between two records."
    ArchiveEndRecord            "archive.end-record"                  Error   "The end record contradicts the archive, or there are two."
    ArchiveDirectory            "archive.directory"                   Error   "The central directory is malformed."
    ArchiveZip64                "archive.zip64"                       Error   "The archive uses the format for more than 4 GiB."
    ArchiveTooManyEntries       "archive.too-many-entries"            Error   "The archive has too many entries."
    ArchiveUnpackedTooLarge     "archive.unpacked-too-large"          Error   "The entries exceed the unpacked size."
    EntryOverlap                "entry.overlap"                       Error   "Two records share bytes."
    EntryHeaderMismatch         "entry.header-mismatch"               Error   "The local header differs from the central directory."
    EntryDescriptorMismatch     "entry.descriptor-mismatch"           Error   "The data descriptor differs from the central directory."
    EntryExtraField             "entry.extra-field"                   Error   "The extra fields are malformed or give another name."
    EntryEncrypted              "entry.encrypted"                     Error   "The entry is encrypted."
    EntryMethod                 "entry.method"                        Error   "The entry is neither stored nor deflated."
    EntryLink                   "entry.link"                          Error   "The entry is a symbolic link."
    EntrySpecial                "entry.special"                       Error   "The entry is neither a file nor a directory."
    EntryDirectoryData          "entry.directory-data"                Error   "The entry is a directory that holds bytes."
    EntryRatio                  "entry.ratio"                         Error   "The entry is compressed too well to be honest."
    EntrySize                   "entry.size"                          Error   "The entry's size differs from what the archive says."
    EntryChecksum               "entry.checksum"                      Error   "The entry's checksum differs from what the archive says."
    EntryCorrupt                "entry.corrupt"                       Error   "The entry's compressed data is broken."
    EntryNameEncoding           "entry.name.encoding"                 Error   "The name is not UTF-8."
    EntryNameEmpty              "entry.name.empty"                    Error   "The name, or one segment of it, is empty."
    EntryNameControl            "entry.name.control"                  Error   "The name has a control character."
    EntryNameBackslash          "entry.name.backslash"                Error   "The name has a backslash."
    EntryNameAbsolute           "entry.name.absolute"                 Error   "The name is an absolute path."
    EntryNameDrive              "entry.name.drive"                    Error   "The name begins with a drive."
    EntryNameDots               "entry.name.dots"                     Error   "The name has a segment `.` or `..`."
    EntryNameTooLong            "entry.name.too-long"                 Error   "The name is too long."
    EntryNameTooDeep            "entry.name.too-deep"                 Error   "The name has too many segments."
    EntryDuplicate              "entry.duplicate"                     Error   "Two entries have one name."
    EntryTwin                   "entry.twin"                          Error   "Two names differ only in case or Unicode form."
    EntryFileAndFolder          "entry.file-and-folder"               Error   "A file is also a folder."
    EntryServerCode             "entry.server-code"                   Warning "Server code is kept out of what is served."
    EntrySecretFile             "entry.secret-file"                   Warning "A file of secrets is kept out of what is served."
    EntryHidden                 "entry.hidden"                        Warning "A hidden file is kept out of what is served."
    EntryNestedArchive          "entry.nested-archive"                Warning "An archive in the archive is kept out of what is served."
    EntrySourceMap              "entry.source-map"                    Warning "A source map is kept out of what is served."
    ScriptMissing               "script.missing"                      Error   "There is no `script.js` at the root."
    ImageFormat                 "image.format"                        Warning "An image is of another format than its name says."
    ImageSize                   "image.size"                          Warning "A logo has another size than the card shows."
    ManifestMissing             "manifest.missing"                    Error   "There is no `manifest.json`."
    ManifestElsewhere           "manifest.elsewhere"                  Error   "`manifest.json` is not at the root."
    ManifestTooLarge            "manifest.too-large"                  Error   "`manifest.json` is too large."
    ManifestEncoding            "manifest.encoding"                   Error   "`manifest.json` is not UTF-8."
    ManifestBom                 "manifest.bom"                        Warning "`manifest.json` begins with a byte order mark."
    ManifestSyntax              "manifest.syntax"                     Error   "`manifest.json` is not JSON."
    ManifestTooDeep             "manifest.too-deep"                   Error   "`manifest.json` is nested too deeply."
    ManifestTooManyValues       "manifest.too-many-values"            Error   "`manifest.json` has too many values."
    ManifestNul                 "manifest.nul"                        Error   "A text has a NUL character."
    ManifestDuplicateKey        "manifest.duplicate-key"              Warning "An object has a key twice; the last one counts."
    ManifestUnknownKey          "manifest.unknown-key"                Warning "A key is not known and ignored."
    ManifestNotAWidget          "manifest.not-a-widget"               Error   "`manifest.json` is not a widget manifest."
    ManifestMisplaced           "manifest.misplaced"                  Error   "A section stands inside `widget`."
    ManifestSecretKey           "manifest.secret-key"                 Warning "The manifest holds the integration's secret key."
    ManifestCode                "manifest.widget.code"                Warning "`widget.code` is not a widget code."
    ManifestVersionMissing      "manifest.version.missing"            Error   "`widget.version` is missing."
    ManifestVersionInvalid      "manifest.version.invalid"            Error   "`widget.version` is not a version."
    ManifestInterfaceMissing    "manifest.interface-version.missing"  Warning "`widget.interface_version` is missing; 2 counts."
    ManifestInterfaceInvalid    "manifest.interface-version.invalid"  Error   "`widget.interface_version` is not an integer."
    ManifestFlagText            "manifest.widget.flag-text"           Warning "A yes-or-no value is a text; `\"Y\"` counts as true."
    ManifestFlagInvalid         "manifest.widget.flag-invalid"        Error   "A yes-or-no value is neither true nor false."
    ManifestTextMissing         "manifest.text.missing"               Warning "A name or description is missing."
    ManifestTextInvalid         "manifest.text.invalid"               Error   "A name or description is neither a text nor texts by locale."
    ManifestTextTooLong         "manifest.text.too-long"              Error   "A name or description is too long, or all together are."
    ManifestLocaleMissing       "manifest.locale.missing"             Warning "`widget.locale` is missing; the i18n files count."
    ManifestLocaleInvalid       "manifest.locale.invalid"             Error   "`widget.locale` is not an array of locales."
    ManifestLocaleDuplicate     "manifest.locale.duplicate"           Warning "`widget.locale` names a locale twice."
    ManifestLocationsMissing    "manifest.locations.missing"          Warning "`locations` is missing or empty."
    ManifestLocationsInvalid    "manifest.locations.invalid"          Error   "`locations` is not an array of strings."
    ManifestLocationsTooMany    "manifest.locations.too-many"         Error   "`locations` has too many elements."
    ManifestLocationUnknown     "manifest.locations.unknown"          Warning "A location is not known."
    ManifestLocationDuplicate   "manifest.locations.duplicate"        Warning "A location is named twice."
    ManifestLocationBoth        "manifest.locations.both-panels"      Warning "A place is named with `-0` and with `-1`."
    ManifestSettingsMissing     "manifest.settings.missing"           Warning "`settings` is missing."
    ManifestSettingsEmptyList   "manifest.settings.empty-list"        Warning "`settings` is an empty list."
    ManifestSettingsNotAnObject "manifest.settings.not-an-object"     Error   "`settings` is not an object."
    ManifestSettingsTooMany     "manifest.settings.too-many"          Error   "`settings` has too many members."
    ManifestSettingsDuplicate   "manifest.settings.duplicate-key"     Error   "`settings` has a key twice."
    ManifestSettingKey          "manifest.settings.key"               Error   "A setting's key is empty, too long or has control characters."
    ManifestSettingNotAnObject  "manifest.settings.setting"           Error   "A setting is not an object."
    ManifestSettingTypeMissing  "manifest.settings.type-missing"      Error   "A setting has no type."
    ManifestSettingTypeUnknown  "manifest.settings.unknown-type"      Error   "A setting's type is not one of the five."
    ManifestSettingRequired     "manifest.settings.required"          Error   "A setting's `required` is not a boolean."
    ManifestDp                  "manifest.dp.invalid"                 Error   "`dp` is not what it has to be."
    ManifestWebhookPlaceholder  "manifest.dp.webhook-placeholder"     Warning "`dp.webhook_url` leads to an example or to this machine."
    ManifestWebhookAddress      "manifest.dp.webhook-address"         Warning "`dp.webhook_url` is not an http address."
    I18nMissing                 "i18n.missing"                        Warning "A declared locale has no file."
    I18nUndeclared              "i18n.undeclared"                     Warning "A locale file is not declared."
    I18nName                    "i18n.name"                           Warning "A file's name is not a locale."
    I18nTooMany                 "i18n.too-many"                       Error   "There are too many locales."
    I18nTooLarge                "i18n.too-large"                      Error   "A locale file is too large."
    I18nEncoding                "i18n.encoding"                       Error   "A locale file is not UTF-8."
    I18nBom                     "i18n.bom"                            Warning "A locale file begins with a byte order mark."
    I18nSyntax                  "i18n.syntax"                         Error   "A locale file is not JSON."
    I18nTooDeep                 "i18n.too-deep"                       Error   "A locale file is nested too deeply."
    I18nTooManyValues           "i18n.too-many-values"                Error   "A locale file has too many values."
    I18nNotAnObject             "i18n.not-an-object"                  Error   "A locale file is not an object."
    I18nNul                     "i18n.nul"                            Error   "A text has a NUL character."
    I18nDuplicateKey            "i18n.duplicate-key"                  Warning "An object has a key twice; the last one counts."
    I18nMissingKey              "i18n.missing-key"                    Warning "A text of the manifest is missing in a locale."
    MoreErrors                  "report.more-errors"                  Error   "More errors than are listed."
    MoreWarnings                "report.more-warnings"                Warning "More warnings than are listed."
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_dotted() {
        let texts: HashSet<_> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), FindingCode::ALL.len());
        for text in texts {
            assert!(text.contains('.'), "{text}");
            assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)), "{text}");
        }
    }
}
