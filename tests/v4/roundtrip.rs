//! Whatever JSON is accepted comes out again as it came in, to the last byte.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::support::{Answer, Claims, Client, Sample, test};

const INTEGRATION: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);

/// White space where JSON allows it.
fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t "), 1 => Just("\n")]
}

/// Numbers that a parser rounds, shortens or refuses when it is not careful.
const ODD_NUMBERS: &[&str] =
    &["1e131071", "12345678901234567890123", "-0", "0.10", "1E+2", "-0.0e-0", "9223372036854775808", "1.0", "5e-324"];

/// Odd numbers, and any others.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(ODD_NUMBERS).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,6})?"
    ]
}

/// Escapes, needed and not, and characters that look as if they had to be escaped.
const ESCAPES: &[&str] = &[
    "\\u0041",
    "\\/",
    "/",
    "\\\"",
    "\\\\",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\ud83d\\ude00",
    "\\uD83D\\uDE00",
    "\\u00e4",
    "\\u2028",
    "\\uFFFF",
    "\\u0001",
    "😀",
    "\u{7f}",
    "\u{2028}",
];

/// A text with its quotes, each character as itself or in one of its escapes.
fn quoted() -> impl Strategy<Value = String> {
    let plain =
        any::<char>().prop_filter("has to be escaped", |c| *c >= ' ' && *c != '"' && *c != '\\').prop_map(String::from);
    let piece = prop_oneof![plain, "[a-z ]{1,4}", prop::sample::select(ESCAPES).prop_map(str::to_owned)];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// `[…]` or `{…}` of these values.
fn container(value: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    let element =
        (space(), value.clone(), space()).prop_map(|(before, value, after)| format!("{before}{value}{after}"));
    let array = (space(), prop::collection::vec(element, 0..5)).prop_map(|(space, elements)| match elements.len() {
        0 => format!("[{space}]"),
        _ => format!("[{}]", elements.join(",")),
    });
    let member = (space(), quoted(), space(), space(), value, space());
    let object = (space(), prop::collection::vec(member, 0..5)).prop_map(|(space, members)| {
        let mut keys = HashSet::new();
        let members: Vec<String> = members
            .into_iter()
            .filter(|(_, key, ..)| keys.insert(serde_json::from_str::<String>(key).unwrap()))
            .map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"))
            .collect();
        if members.is_empty() { format!("{{{space}}}") } else { format!("{{{}}}", members.join(",")) }
    });
    prop_oneof![array, object]
}

/// Any JSON but null at its root, which means that there is no value.
fn any_json() -> impl Strategy<Value = String> + Clone {
    let word = prop::sample::select(&["null", "true", "false"][..]).prop_map(str::to_owned);
    let leaf = prop_oneof![word, number(), quoted()];
    leaf.prop_recursive(8, 48, 5, |inner| container(inner).boxed()).prop_filter("is no value", |json| json != "null")
}

/// The members of an object, each as the bytes that it consists of.
fn members(object: &str) -> BTreeMap<String, Box<RawValue>> {
    serde_json::from_str(object).unwrap_or_else(|error| panic!("{error}: {object}"))
}

/// The bytes of one member of an answer.
fn member(answer: &Answer, path: &[&str]) -> String {
    path.iter().fold(answer.text().to_owned(), |object, name| members(&object)[*name].get().to_owned())
}

/// Tries a property on many JSON texts; a failure is made as small as possible. Strategies do not travel between threads, so
/// they are made where they are used.
async fn for_all<S: Strategy<Value = String> + 'static>(
    cases: u32,
    json: fn() -> S,
    property: impl AsyncFn(String) -> Result<(), TestCaseError> + Send + 'static,
) {
    let here = Handle::current();
    let run = move || {
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        runner.run(&json(), |json| here.block_on(property(json))).map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(run).await.unwrap().unwrap_or_else(|error| panic!("{error}"));
}

async fn continued(admin: &Client, data: &str) -> Result<(), TestCaseError> {
    let opening = r#"{"widget_code":"bot_widget","entity":{"type":"leads","id":5}}"#;
    let opened = admin.post("/registry/v1/salesbot/77/continuations", opening).await;
    let id = opened.json()["continue_id"].as_i64().unwrap();
    let body = format!("{{ \"data\"\n: {data}\t}}");
    let answer = admin.post(&format!("/api/v4/salesbot/77/continue/{id}"), &body).await;
    prop_assert_eq!(answer.status, 202, "{:?}", answer);
    let record = admin.get(&format!("/registry/v1/continuations/{id}")).await;
    prop_assert_eq!(member(&record, &["data"]), data);
    Ok(())
}

#[test]
fn data_reaches_the_bot() {
    test(async |app| {
        app.publish(&Sample::plain("bot_widget")).await;
        let admin = app.admin();
        let property = async move |data: String| continued(&admin, &data).await;
        for_all(300, || container(any_json()), property).await;
    });
}

#[test]
fn custom_settings_reach_the_integration() {
    test(async |app| {
        let path = format!("/registry/v1/widgets?code=one_custom&visibility=public&client_uuid={INTEGRATION}");
        let published = app.admin().post_bytes(&path, "application/zip", Sample::field("custom", false).zip()).await;
        assert_eq!(published.status, 201, "{published:?}");
        let (admin, integration) = (app.admin(), app.caller(Claims::user(1, 8).client(INTEGRATION)));
        let property = async move |value: String| {
            let body = format!("\n{{ \"field\" :\t{value} }} ");
            let installed = admin.post("/api/v4/widgets/one_custom", &body).await;
            prop_assert_eq!(installed.status, 200, "{:?}", installed);
            prop_assert_eq!(member(&installed, &["settings", "field"]), value.as_str());
            let shown = integration.get("/api/v4/widgets/one_custom").await;
            prop_assert_eq!(member(&shown, &["settings", "field"]), value);
            Ok(())
        };
        for_all(300, any_json, property).await;
    });
}
