//! Widget archives: bytes and limits in, findings and a [`Package`] out.
//!
//! A publisher uploads a zip with `manifest.json`, `script.js`, `i18n/<locale>.json` and `images/` at its root.
//! [`inspect()`] reads it from any source, in three steps of growing trust:
//!
//! 1. `structure` reads the zip's own records and refuses what zip readers could disagree about, before anything is
//!    unpacked;
//! 2. `unpack` inflates one entry after the other through a small buffer, and holds the archive to its word about sizes
//!    and checksums;
//! 3. `manifest` and `i18n` read the JSON files, with line and column.
//!
//! Everything that is wrong is reported at once as a [`Finding`]; the [`FindingCode`]s are one closed table. There is
//! no package as long as one finding is an error. Nothing here knows of files, databases, HTTP or logs. Memory is
//! bounded by [`Limits`]: entries pass through small buffers, and only JSON files are held whole, one at a time.

mod code;
mod entries;
mod finding;
mod finding_code;
mod i18n;
mod images;
mod inspect;
mod json;
mod json_file;
mod limits;
mod manifest;
mod media_type;
mod pack;
mod package;
mod structure;
mod text;
mod unpack;
mod version;

pub use code::{WidgetCode, WidgetCodeError};
pub use finding::{Finding, Place};
pub use finding_code::{FindingCode, Severity};
pub use images::logo_name;
pub use inspect::{Report, inspect};
pub use limits::Limits;
pub use manifest::{Manifest, Setting, SettingType, SettingTypeError};
pub use pack::{PackError, pack};
pub use package::{Files, Package, PackagedFile, ReadError, read_file};
pub use text::{LocalizedText, choose_locale};
pub use unpack::UnpackError;
pub use version::{Version, VersionError};
