//! Looking for many texts at once.

use std::collections::BTreeSet;

use super::forms;

/// Fewer bytes are no secret here: whatever has as many holds a block that is looked at.
pub const LEAST: usize = 2 * BLOCK - 1;

/// So many bytes are looked at together, beside those that were looked at before.
const BLOCK: usize = 8;

/// The filter has two to this power bits.
const FILTER: u32 = 27;

struct Pattern {
    secret: u32,
    form: &'static str,
    bytes: Vec<u8>,
}

/// Everything that is searched for.
///
/// A text is cut into blocks. Wherever a pattern stands in it, one of the pattern's first eight blocks is a block of the text, so only the
/// blocks are compared; and nearly every block is passed over by a look at a filter.
pub struct Searcher {
    names: Vec<String>,
    patterns: Vec<Pattern>,
    /// Blocks of patterns in their order, each with its pattern and the place within that.
    blocks: Vec<(u64, u32, u8)>,
    filter: Vec<u64>,
}

fn block(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

/// The bit of the filter for a block.
fn bit(block: u64) -> (usize, u64) {
    let bit = block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER);
    (usize::try_from(bit / 64).unwrap(), 1 << (bit % 64))
}

impl Searcher {
    /// Takes secrets by name, and looks for each in every form.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let filter = vec![0; 1 << (FILTER - 6)];
        let mut searcher = Self { names: Vec::new(), patterns: Vec::new(), blocks: Vec::new(), filter };
        for (name, secret) in secrets {
            assert!(secret.len() >= LEAST, "{name} is too short to be searched for");
            let number = u32::try_from(searcher.names.len()).unwrap();
            searcher.names.push(name.to_owned());
            for (form, bytes) in forms::of(secret) {
                let pattern = u32::try_from(searcher.patterns.len()).unwrap();
                for (offset, window) in (0..).zip(bytes.windows(BLOCK).take(BLOCK)) {
                    let (word, mask) = bit(block(window));
                    searcher.filter[word] |= mask;
                    searcher.blocks.push((block(window), pattern, offset));
                }
                searcher.patterns.push(Pattern { secret: number, form, bytes });
            }
        }
        searcher.blocks.sort_unstable();
        searcher
    }

    /// How many secrets, and how many texts for them.
    pub fn size(&self) -> (usize, usize) {
        (self.names.len(), self.patterns.len())
    }

    /// The longest text that is searched for, in bytes.
    pub fn longest(&self) -> usize {
        self.patterns.iter().map(|pattern| pattern.bytes.len()).max().unwrap_or_default()
    }

    /// Secrets that stand in these bytes, each with its form and what stands around the first place.
    pub fn find(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut told = Vec::new();
        for (number, window) in bytes.chunks_exact(BLOCK).enumerate() {
            let block = block(window);
            let (word, mask) = bit(block);
            if self.filter[word] & mask == 0 {
                continue;
            }
            let first = self.blocks.partition_point(|known| known.0 < block);
            for &(_, index, offset) in self.blocks[first..].iter().take_while(|known| known.0 == block) {
                let pattern = &self.patterns[index as usize];
                let Some(at) = (number * BLOCK).checked_sub(usize::from(offset)) else { continue };
                if bytes[at..].starts_with(&pattern.bytes) && found.insert(index) {
                    let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + pattern.bytes.len() + 40)];
                    let name = &self.names[pattern.secret as usize];
                    told.push(format!("{name} ({}): …{}…", pattern.form, around.escape_ascii()));
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
    let mut stream = Vec::new();
    // Segments are made of zeros.
    for page in segments.chunks(PAGE).filter(|page| **page != [0; PAGE]) {
        let header = if page.get(2).is_some_and(|flags| flags & IS_LONG != 0) { 40 } else { 24 };
        stream.extend_from_slice(page.get(header..).unwrap_or_default());
    }
    stream
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
    let next = [&[0; 24], b"4b61d2c8e7a35".as_slice()].concat();
    let searcher = Searcher::new([("it", b"0f4b61d2c8e7a35".as_slice())]);
    let segment = [page, next].concat();
    assert!(searcher.find(&segment).is_empty());
    assert_eq!(searcher.find(&without_page_headers(&segment)).len(), 1);
}
