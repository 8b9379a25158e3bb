//! The forms in which a secret may stand somewhere.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use url::form_urlencoded;

/// A form's name, and the secret's bytes in it.
pub type Form = (&'static str, Vec<u8>);

/// Every form of a secret that is searched for.
pub fn of(secret: &[u8]) -> Vec<Form> {
    let mut forms = vec![
        ("plain", secret.to_vec()),
        ("hexadecimal", each(secret, |byte| format!("{byte:02x}"))),
        ("hexadecimal, upper case", each(secret, |byte| format!("{byte:02X}"))),
        ("percent", each(secret, |byte| format!("%{byte:02X}"))),
        ("percent, lower case", each(secret, |byte| format!("%{byte:02x}"))),
        ("percent, where needed", percent(secret)),
        ("form", form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes()),
        ("escaped bytes", secret.escape_ascii().to_string().into_bytes()),
        // How `Debug` shows bytes.
        ("list of bytes", format!("{secret:?}").trim_matches(['[', ']']).as_bytes().to_vec()),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.extend(json(text));
    }
    for shift in 0..3 {
        let [standard, url_safe] = base64_within(secret, shift);
        forms.extend([("base64", standard), ("base64 for URLs", url_safe)]);
    }
    forms.sort_by(|a, b| a.1.cmp(&b.1));
    forms.dedup_by(|a, b| a.1 == b.1);
    forms
}

fn each(secret: &[u8], form: impl Fn(u8) -> String) -> Vec<u8> {
    secret.iter().flat_map(|byte| form(*byte).into_bytes()).collect()
}

fn percent(secret: &[u8]) -> Vec<u8> {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    each(secret, |byte| if is_kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
}

fn json(text: &str) -> [Form; 4] {
    let escaped = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap().to_owned()
    };
    let (once, twice) = (escaped(text), escaped(&escaped(text)));
    let units = |form: fn(u16) -> String| text.encode_utf16().map(form).collect::<String>().into_bytes();
    [
        ("JSON", once.into_bytes()),
        ("JSON in JSON", twice.into_bytes()),
        ("JSON, every character escaped", units(|unit| format!("\\u{unit:04x}"))),
        ("JSON, every character escaped in upper case", units(|unit| format!("\\u{unit:04X}"))),
    ]
}

/// What base64 makes of the secret when so many other bytes (modulo 3) stand before it: the digits that depend on nothing else.
fn base64_within(secret: &[u8], shift: usize) -> [Vec<u8>; 2] {
    let bytes = [vec![0; shift], secret.to_vec()].concat();
    let own = (shift * 8).div_ceil(6)..bytes.len() * 8 / 6;
    [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)].map(|text| text.as_bytes()[own.clone()].to_vec())
}
