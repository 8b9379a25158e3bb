//! The catalogue for people.

use serde_json::Value;

use crate::support::{Answer, Client};

mod answers;
mod many;
mod search;
mod walls;

const LIST: &str = "/registry/v1/widgets";

/// The codes on a page.
fn codes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let code = |widget: &Value| widget["code"].as_str().unwrap().to_owned();
    page["_embedded"]["widgets"].as_array().unwrap().iter().map(code).collect()
}

/// The codes that a query finds on its first page.
async fn found(caller: &Client, query: &str) -> Vec<String> {
    codes(&caller.get(&format!("{LIST}?{query}")).await)
}

/// The codes of every page, in their order; pages lead to each other.
async fn every(caller: &Client, query: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = format!("{LIST}?{query}");
    loop {
        let answer = caller.get(&path).await;
        all.extend(codes(&answer));
        let page = answer.json();
        let Some(next) = page["_links"]["next"]["href"].as_str() else { return all };
        let (_, query) = next.split_once(LIST).unwrap();
        path = format!("{LIST}{query}");
    }
}
