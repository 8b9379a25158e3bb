//! The defaults, so that the other tests may set smaller limits where that is quicker.

use std::collections::BTreeMap;
use std::time::Duration;

use widget_registry::config::{Config, Limits, Sources};

/// The limits of a configuration that sets these.
pub fn limits(set: &[(&'static str, &str)]) -> Limits {
    let mut flags: BTreeMap<_, _> = set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    flags.insert("data_dir", "/nowhere".to_owned());
    Config::read(Sources { flags, ..Sources::default() }).config.unwrap().limits
}

#[test]
fn the_defaults_are_those_of_the_table() {
    const KIB: usize = 1024;
    let limits = limits(&[]);
    assert_eq!((limits.path, limits.query, limits.headers), (2_048, 4_096, 32 * KIB));
    assert_eq!((limits.authorization, limits.page, limits.page_size), (8 * KIB, 1_000_000, 250));
    assert_eq!((limits.install_body, limits.continue_body, limits.json_body), (256 * KIB, 64 * KIB, 64 * KIB));
    assert_eq!((limits.install_depth, limits.json_depth, limits.object_keys), (16, 32, 1_000));
    assert_eq!((limits.text_value, limits.pass_value, limits.custom_value), (16 * KIB, 4 * KIB, 64 * KIB));
    assert_eq!((limits.users, limits.requests, limits.uploads), (1_000, 256, 8));
    let archive = limits.archive;
    assert_eq!((archive.packed, archive.unpacked, archive.entries), (20 << 20, 64 << 20, 2_000));
    assert_eq!((archive.manifest, archive.depth, archive.ratio), (256 << 10, 10, 200));
    let times = [limits.head_time, limits.body_time, limits.upload_time, limits.handler_time];
    assert_eq!(times, [5, 15, 120, 10].map(Duration::from_secs));
    let times = [limits.connection_time, limits.statement_time, limits.lock_time, limits.idle_transaction_time];
    assert_eq!(times, [1, 5, 2, 10].map(Duration::from_secs));
}
