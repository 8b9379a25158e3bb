//! Images: whether they are what their names say, and whether logos have the sizes that cards show.

use super::entries::{extension, last_segment};
use super::finding::{Findings, Place};
use super::finding_code::FindingCode;
use super::media_type::claimed_image;

/// Logos in `images/`, with width and height in pixels.
const LOGOS: &[(&str, u32, u32)] = &[
    ("logo_main", 400, 272),
    ("logo_small", 108, 108),
    ("logo", 130, 100),
    ("logo_medium", 240, 84),
    ("logo_min", 84, 84),
    ("logo_dp", 174, 109),
];

/// Reports an image of another format than its name says, and a logo of another size.
///
/// `head` holds the file's first bytes; a JPEG whose size comes later than that is not measured.
pub(super) fn check(path: &str, media_type: &'static str, head: &[u8], findings: &mut Findings) {
    if let Some(claimed) = claimed_image(path)
        && claimed != media_type
    {
        let found = if media_type.starts_with("image/") { media_type } else { "no such image" };
        let message = format!("The name says {claimed}, the bytes say {found}; give the file its true extension.");
        findings.add(FindingCode::ImageFormat, Place::entry(path), message);
    }
    if let Some((width, height)) = expected_size(path)
        && let Some((actual_width, actual_height)) = size(media_type, head)
        && (width, height) != (actual_width, actual_height)
    {
        let message =
            format!("The logo has {actual_width}x{actual_height} pixels; cards show it best with {width}x{height}.");
        findings.add(FindingCode::ImageSize, Place::entry(path), message);
    }
}

fn expected_size(path: &str) -> Option<(u32, u32)> {
    logo(path).map(|(_, width, height)| (width, height))
}

/// The name of the logo that a file is: `logo_main` of `images/logo_main.png`; `None` for every other file.
#[must_use]
pub fn logo_name(path: &str) -> Option<&'static str> {
    logo(path).map(|(name, _, _)| name)
}

fn logo(path: &str) -> Option<(&'static str, u32, u32)> {
    let file = path.strip_prefix("images/").filter(|file| *file == last_segment(file))?;
    claimed_image(path)?;
    let stem = file.strip_suffix(extension(file)?)?.strip_suffix('.')?;
    LOGOS.iter().find(|(name, _, _)| *name == stem).copied()
}

/// Width and height in pixels, as far as the first bytes tell.
fn size(media_type: &str, head: &[u8]) -> Option<(u32, u32)> {
    match media_type {
        "image/png" => Some((big_endian(head.get(16..20)?), big_endian(head.get(20..24)?))),
        "image/gif" => Some((little_endian(head.get(6..8)?), little_endian(head.get(8..10)?))),
        "image/jpeg" => jpeg_size(head),
        "image/webp" => webp_size(head),
        _ => None,
    }
}

/// Walks the segments up to the one that describes the frame.
fn jpeg_size(head: &[u8]) -> Option<(u32, u32)> {
    let mut segments = head.get(2..)?;
    loop {
        let (&[marker_start, marker], rest) = segments.split_first_chunk::<2>()?;
        match (marker_start, marker) {
            (0xFF, 0xFF) => segments = segments.get(1..)?,
            // Frames, without the three markers in their range that are not frames.
            (0xFF, 0xC0..=0xCF) if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                return Some((big_endian(rest.get(5..7)?), big_endian(rest.get(3..5)?)));
            }
            (0xFF, _) => {
                let length = usize::try_from(big_endian(rest.get(..2)?)).ok()?;
                segments = rest.get(length.max(2)..)?;
            }
            _ => return None,
        }
    }
}

fn webp_size(head: &[u8]) -> Option<(u32, u32)> {
    match head.get(12..16)? {
        b"VP8X" => Some((little_endian(head.get(24..27)?) + 1, little_endian(head.get(27..30)?) + 1)),
        b"VP8L" => {
            let bits = little_endian(head.get(21..25)?);
            Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        b"VP8 " => Some((little_endian(head.get(26..28)?) & 0x3FFF, little_endian(head.get(28..30)?) & 0x3FFF)),
        _ => None,
    }
}

/// At most four bytes.
fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// At most four bytes.
fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    fn codes(path: &str, media_type: &'static str, head: &[u8]) -> Vec<FindingCode> {
        let mut findings = Findings::default();
        check(path, media_type, head, &mut findings);
        findings.into_list().into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn measures_logos_only() {
        for (name, width, height) in LOGOS {
            let path = format!("images/{name}.png");
            assert_eq!(codes(&path, "image/png", &png(*width, *height)), []);
            assert_eq!(codes(&path, "image/png", &png(*width + 1, *height)), [FindingCode::ImageSize]);
        }
        assert_eq!(codes("images/tour.png", "image/png", &png(1, 1)), []);
        assert_eq!(codes("images/a/logo.png", "image/png", &png(1, 1)), []);
    }

    #[test]
    fn tells_formats_apart() {
        let jpeg = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC0\0\x11\x08\0\x64\0\x82";
        assert_eq!(size("image/jpeg", jpeg), Some((130, 100)));
        assert_eq!(codes("images/logo.png", "image/jpeg", jpeg), [FindingCode::ImageFormat]);
        assert_eq!(size("image/gif", b"GIF89a\x82\0\x64\0"), Some((130, 100)));
        assert_eq!(size("image/jpeg", b"\xFF\xD8\xFF\xE0\xFF\xFF"), None);
        assert_eq!(codes("images/x.png", "application/octet-stream", b"x"), [FindingCode::ImageFormat]);
    }
}
