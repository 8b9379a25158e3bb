//! The five methods.

mod continue_bot;
mod envelope;
mod examples;
mod idempotency;
mod install;
mod links;
mod list;
mod model;
mod races;
mod roundtrip;
mod settings;
mod show;
mod uninstall;

use crate::support::{Client, Sample};
use uuid::Uuid;

/// The integration whose widget a test publishes.
const OWN: Uuid = Uuid::from_u128(0x1111_1111_1111_4111_8111_1111_1111_1111);
/// Publishes a sample with further parameters; returns its id.
async fn publish_with(publisher: &Client, sample: &Sample, parameters: &str) -> i64 {
    let path = format!("/registry/v1/widgets?code={}&{parameters}", sample.code);
    let answer = publisher.post_bytes(&path, "application/zip", sample.zip()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_i64().unwrap()
}
