//! Which entries are dropped, and which are kept out of what is served.

use super::finding_code::FindingCode;

/// Extensions of code that runs on a server.
const SERVER_CODE: &[&str] = &[
    "asp", "aspx", "bash", "bat", "cgi", "class", "cmd", "dll", "exe", "go", "jar", "java", "jsp", "phar", "php",
    "php3", "php4", "php5", "php7", "php8", "phtml", "pl", "ps1", "py", "pyc", "rb", "sh", "so", "war",
];
/// Extensions of files that hold keys.
const SECRETS: &[&str] = &["env", "jks", "key", "kdbx", "keystore", "p12", "pem", "pfx", "ppk"];
/// Extensions of archives; their first bytes count too.
const ARCHIVES: &[&str] = &["7z", "bz2", "gz", "rar", "tar", "tgz", "xz", "zip", "zst"];
/// First bytes of archives.
const ARCHIVE_STARTS: &[&[u8]] =
    &[b"PK\x03\x04", b"PK\x05\x06", b"7z\xBC\xAF\x27\x1C", b"Rar!\x1A\x07", b"\x1F\x8B", b"BZh", b"\xFD7zXZ\0"];

/// Whether an entry is what an operating system, an editor or version control leaves behind; it is dropped silently.
pub(super) fn is_dropped(path: &str) -> bool {
    let name = last_segment(path);
    name == ".DS_Store"
        || name.starts_with("._")
        || path.split('/').any(|segment| matches!(segment, "__MACOSX" | ".idea" | ".git"))
}

/// Why a file is kept out of what is served; `None` when it is served.
pub(super) fn not_served(path: &str, head: &[u8]) -> Option<(FindingCode, &'static str)> {
    let name = last_segment(path).to_ascii_lowercase();
    let extension = extension(&name);
    let is = |list: &[&str]| extension.is_some_and(|extension| list.contains(&extension));
    if name.starts_with(".env") || is(SECRETS) {
        return Some((
            FindingCode::EntrySecretFile,
            "The file looks like secrets and is not served; leave it out and replace the secrets in it.",
        ));
    }
    if is(SERVER_CODE) {
        return Some((FindingCode::EntryServerCode, "Server code does not run here and is not served; leave it out."));
    }
    if is(ARCHIVES) || ARCHIVE_STARTS.iter().any(|start| head.starts_with(start)) {
        return Some((FindingCode::EntryNestedArchive, "An archive in the archive is not served; leave it out."));
    }
    if extension == Some("map") {
        return Some((FindingCode::EntrySourceMap, "Source maps are not served; leave them out."));
    }
    if path.split('/').any(|segment| segment.starts_with('.')) {
        return Some((FindingCode::EntryHidden, "Hidden files are not served; leave them out."));
    }
    None
}

/// The extension in the case of the name, without its dot.
pub(super) fn extension(path: &str) -> Option<&str> {
    last_segment(path).rsplit_once('.').map(|(_, extension)| extension)
}

/// The name without its folders.
pub(super) fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_leftovers() {
        for path in ["__MACOSX/._a", "images/.DS_Store", "._script.js", ".idea/x.xml", ".git/HEAD", "a/.git/b"] {
            assert!(is_dropped(path), "{path}");
        }
        for path in ["script.js", ".gitignore", "git/a", "DS_Store"] {
            assert!(!is_dropped(path), "{path}");
        }
    }

    #[test]
    fn keeps_out_what_is_not_for_browsers() {
        let code = |path: &str, head: &[u8]| not_served(path, head).map(|(code, _)| code);
        assert_eq!(code("widget.PHP", b""), Some(FindingCode::EntryServerCode));
        assert_eq!(code("a/b.py", b""), Some(FindingCode::EntryServerCode));
        assert_eq!(code(".env", b""), Some(FindingCode::EntrySecretFile));
        assert_eq!(code(".env.local", b""), Some(FindingCode::EntrySecretFile));
        assert_eq!(code("prod.env", b""), Some(FindingCode::EntrySecretFile));
        assert_eq!(code("old.zip", b""), Some(FindingCode::EntryNestedArchive));
        assert_eq!(code("data.bin", b"PK\x03\x04"), Some(FindingCode::EntryNestedArchive));
        assert_eq!(code("script.js.map", b""), Some(FindingCode::EntrySourceMap));
        assert_eq!(code(".eslintrc", b""), Some(FindingCode::EntryHidden));
        assert_eq!(code("script.js", b"define"), None);
        assert_eq!(code("README", b""), None);
    }
}
