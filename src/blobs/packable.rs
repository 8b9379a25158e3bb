//! Which files are worth packing.

/// Types that are neither text nor compressed already.
const PACKABLE: &[&str] = &[
    "application/json",
    "application/xml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/svg+xml",
];

/// Whether files of this type are worth a try.
pub(super) fn packable(media_type: &str) -> bool {
    media_type.starts_with("text/") || PACKABLE.contains(&media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_packable_and_pictures_are_not() {
        for yes in ["text/javascript; charset=utf-8", "text/css; charset=utf-8", "application/json", "image/svg+xml"] {
            assert!(packable(yes), "{yes}");
        }
        for no in ["image/png", "font/woff2", "application/octet-stream", "video/mp4", "application/pdf"] {
            assert!(!packable(no), "{no}");
        }
    }
}
