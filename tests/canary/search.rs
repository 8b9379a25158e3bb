//! Looking for many texts at once.

use std::collections::{BTreeSet, HashMap};

use super::forms;

/// Fewer bytes are no secret: they stand everywhere by chance.
pub const LEAST: usize = 8;

struct Pattern {
    secret: String,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Everything that is searched for.
pub struct Searcher {
    patterns: Vec<Pattern>,
    by_beginning: HashMap<[u8; LEAST], Vec<usize>>,
    /// Whether any pattern begins with these three bytes: nearly every place is passed over by a look at it.
    begins: Vec<bool>,
}

fn beginning(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}

impl Searcher {
    /// Takes secrets by name, and looks for each in every form.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut searcher = Self { patterns: Vec::new(), by_beginning: HashMap::new(), begins: vec![false; 1 << 24] };
        for (name, secret) in secrets {
            assert!(secret.len() >= LEAST, "{name} is too short to be searched for");
            for (form, bytes) in forms::of(secret) {
                searcher.begins[beginning(&bytes)] = true;
                let start = *bytes.first_chunk().unwrap();
                searcher.by_beginning.entry(start).or_default().push(searcher.patterns.len());
                searcher.patterns.push(Pattern { secret: name.to_owned(), form, bytes });
            }
        }
        searcher
    }

    /// Secrets that stand in these bytes, each with its form and what stands around the first place.
    pub fn find(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut told = Vec::new();
        for (at, window) in bytes.windows(LEAST).enumerate() {
            if !self.begins[beginning(window)] {
                continue;
            }
            let start: [u8; LEAST] = window.try_into().unwrap();
            for &index in self.by_beginning.get(&start).into_iter().flatten() {
                let pattern = &self.patterns[index];
                if bytes[at..].starts_with(&pattern.bytes) && found.insert(index) {
                    let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + pattern.bytes.len() + 40)];
                    told.push(format!("{} ({}): …{}…", pattern.secret, pattern.form, around.escape_ascii()));
                }
            }
        }
        told
    }
}

/// Whether a text stands in another, byte for byte.
pub fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// The write-ahead log as one stream: without the headers of its pages, which cut records in two.
pub fn without_page_headers(segments: &[u8]) -> Vec<u8> {
    const PAGE: usize = 8_192;
    const IS_LONG: u8 = 2;
    let header = |page: &[u8]| if page.get(2).is_some_and(|flags| flags & IS_LONG != 0) { 40 } else { 24 };
    segments.chunks(PAGE).flat_map(|page| page.get(header(page)..).unwrap_or_default()).copied().collect()
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let secret = b"p\"\\/ +\xc3\xa9 0f4b61d2c8?";
    let searcher = Searcher::new([("it", secret.as_slice())]);
    let forms = forms::of(secret);
    assert!(forms.len() >= 17, "{}", forms.len());
    for (form, bytes) in forms {
        for before in 0..9 {
            let text = [vec![b'x'; before], bytes.clone(), b"yz".to_vec()].concat();
            assert!(!searcher.find(&text).is_empty(), "{form} after {before} bytes");
        }
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        assert!(searcher.find(&changed).is_empty(), "{form}");
    }
}

#[test]
fn what_encoders_write_is_found() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let secret = "9d5ed678fe57bcca\u{1}\u{439}\"";
    let searcher = Searcher::new([("it", secret.as_bytes())]);
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{secret}, and so on");
        let mut query = url::Url::parse("http://host/").unwrap();
        query.query_pairs_mut().append_pair("a", &text);
        let mut path = url::Url::parse("http://host/").unwrap();
        path.path_segments_mut().unwrap().push(&text);
        let written = [
            STANDARD.encode(&text),
            URL_SAFE_NO_PAD.encode(&text),
            serde_json::json!({"a": text}).to_string(),
            serde_json::json!({"a": serde_json::json!({"b": text}).to_string()}).to_string(),
            query.to_string(),
            path.to_string(),
            format!("{:?}", text.as_bytes()),
        ];
        for written in written {
            assert!(!searcher.find(written.as_bytes()).is_empty(), "{written}");
        }
    }
}

#[test]
fn what_crosses_a_page_of_the_log_is_found() {
    let mut page = vec![7; 8_192];
    page[2] = 2;
    page.truncate(8_190);
    page.extend(b"0f");
    let next = [&[0; 24], b"4b61d2c8".as_slice()].concat();
    let searcher = Searcher::new([("it", b"0f4b61d2c8".as_slice())]);
    let segment = [page, next].concat();
    assert!(searcher.find(&segment).is_empty());
    assert_eq!(searcher.find(&without_page_headers(&segment)).len(), 1);
}
