//! Widget codes: what is accepted is within the pattern and itself again. The input is two, with a NUL between.
#![no_main]

use libfuzzer_sys::fuzz_target;
use widget_registry_fuzz::archive::WidgetCode;

fn fits(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let length = text.chars().count();
    (1..=64).contains(&length) && text.starts_with(plain) && text.chars().all(|c| plain(c) || c == '.' || c == '-')
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let (left, right) = text.split_once('\0').unwrap_or((text, text));
    let parsed = left.parse::<WidgetCode>();
    assert_eq!(parsed.is_ok(), fits(left), "{left:?}");
    assert_eq!(parsed, WidgetCode::try_from(left.to_owned()));
    let Ok(code) = parsed else { return };
    assert_eq!(code.to_string(), left);
    assert_eq!(code.to_string().parse(), Ok(code.clone()));
    let json = serde_json::to_string(&code).expect("a code is JSON");
    assert_eq!(json, format!("\"{left}\""));
    assert_eq!(serde_json::from_str::<WidgetCode>(&json).expect("a code's JSON is a code"), code);
    if let Ok(other) = right.parse::<WidgetCode>() {
        assert_eq!(code == other, left == right);
        assert_eq!(code.cmp(&other), left.cmp(right));
    }
});
