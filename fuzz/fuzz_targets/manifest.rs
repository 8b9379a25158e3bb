//! The manifest and a locale file: the bytes before and after the first NUL, in an archive that is lawful otherwise.
#![no_main]

use libfuzzer_sys::fuzz_target;
use widget_registry_fuzz::archive::Manifest;
use widget_registry_fuzz::{Entry, inspect, zip};

fn read(manifest: &[u8], texts: &[u8]) -> Option<Manifest> {
    let files = [("manifest.json", manifest), ("i18n/ru.json", texts), ("script.js", b"")];
    let entries = files.map(|(name, bytes)| Entry { name, packed: bytes, unpacked: bytes, deflated: false });
    inspect(&zip(&entries)).package.map(|package| package.manifest)
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (manifest, texts) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some(first) = read(manifest, texts) else { return };
    assert_eq!(first.raw, manifest);
    // What is stored and shown instead of a manifest with a secret is the same widget without the secret.
    let redacted = first.redacted();
    assert_eq!(redacted == manifest, !first.has_secret());
    let second = read(&redacted, texts).expect("a redacted manifest is accepted as well");
    assert_eq!(second.redacted(), redacted);
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
});
