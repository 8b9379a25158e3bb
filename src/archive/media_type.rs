//! The media type under which a file is served.

use super::entries::extension;

/// What is served when the bytes are not what the name says, or nothing is known.
const UNKNOWN: &str = "application/octet-stream";

/// Types of text and fonts, by extension: their bytes do not tell.
const BY_EXTENSION: &[(&str, &str)] = &[
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("twig", "text/plain; charset=utf-8"),
    ("tmpl", "text/plain; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("xml", "application/xml"),
    ("json", "application/json"),
    ("wasm", "application/wasm"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("eot", "application/vnd.ms-fontobject"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("pdf", "application/pdf"),
];

/// Extensions of images, with the type that the bytes have to confirm.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("bmp", "image/bmp"),
    ("ico", "image/x-icon"),
    ("svg", "image/svg+xml"),
];

/// The media type by the first bytes, and by the name where bytes do not tell; a name alone never makes an image.
#[must_use]
pub(super) fn media_type(path: &str, head: &[u8]) -> &'static str {
    if let Some(image) = sniff_image(head) {
        return image;
    }
    match claimed_image(path) {
        Some("image/svg+xml") if looks_like_svg(head) => "image/svg+xml",
        Some(_) => UNKNOWN,
        None => look_up(BY_EXTENSION, path).unwrap_or(UNKNOWN),
    }
}

/// The image type that the name claims.
pub(super) fn claimed_image(path: &str) -> Option<&'static str> {
    look_up(IMAGES, path)
}

fn look_up(table: &[(&str, &'static str)], path: &str) -> Option<&'static str> {
    let extension = extension(path)?;
    table.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known)).map(|(_, media_type)| *media_type)
}

fn sniff_image(head: &[u8]) -> Option<&'static str> {
    const STARTS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1A\n", "image/png"),
        (b"\xFF\xD8\xFF", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"\0\0\x01\0", "image/x-icon"),
    ];
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    // Two letters are too few to tell an image from a text, so that the reserved zeros of the header count too.
    if head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]) {
        return Some("image/bmp");
    }
    STARTS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, media_type)| *media_type)
}

fn looks_like_svg(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    head.starts_with(b"<") && head.windows(4).any(|window| window == b"<svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_about_images() {
        assert_eq!(media_type("a.png", b"\x89PNG\r\n\x1A\n"), "image/png");
        assert_eq!(media_type("a.png", b"\xFF\xD8\xFF\xE0"), "image/jpeg");
        assert_eq!(media_type("a.js", b"\x89PNG\r\n\x1A\n"), "image/png");
        assert_eq!(media_type("a.png", b"<script>"), UNKNOWN);
        assert_eq!(media_type("a.svg", b"\n<?xml version='1.0'?><svg/>"), "image/svg+xml");
        assert_eq!(media_type("a.svg", b"alert(1)"), UNKNOWN);
        assert_eq!(media_type("a.webp", b"RIFF\0\0\0\0WEBPVP8 "), "image/webp");
    }

    #[test]
    fn names_decide_about_text() {
        assert_eq!(media_type("script.JS", b"define()"), "text/javascript; charset=utf-8");
        assert_eq!(media_type("i18n/ru.json", b"{}"), "application/json");
        assert_eq!(media_type("LICENSE", b"MIT"), UNKNOWN);
        assert_eq!(media_type("a.xyz", b""), UNKNOWN);
    }
}
