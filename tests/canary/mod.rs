//! What is secret stays so: a search for every secret, in every form, in everything that the service tells and leaves behind.
//! [`suite`] is the search behind all other tests.
//!
//! A registry with its own database runs with both logs at their most talkative. Every way of a secret is walked, twice: with the log
//! as text and as JSON. What must not be told is either given by the test, which makes it from random words, or noted from
//! the answer that shows it once, from the file of a key, or, for data keys, from its row. Then every [`Place`] is searched for all of it.
//!
//! A search that finds nothing proves something only if it would have found: every place must show words that are as random and
//! not secret. `tests/canary/sabotage/run` lets secrets out and is content when this test fails.
//!
//! Limits: less than fifteen bytes are not searched for; nor is memory, nor a value that the database packs in its tables because it is
//! longer than 2 KiB (its dump and the log of its statements are).

mod errors;
mod forms;
mod issuer;
pub mod search;
mod secrets;
mod suite;
mod walk;
mod world;

use search::Searcher;
use world::{Place, World};

use crate::program::server::block_on;

/// Every kind of secret: a walk that leaves one out proves nothing for it.
const KINDS: [&str; 19] = [
    "access token",
    "access token of an integration",
    "data key",
    "integration secret",
    "key of another issuer",
    "key-encryption key",
    "login of users_lp",
    "pass",
    "password of users_lp",
    "refresh token",
    "secret in a form",
    "secret in a wrong body",
    "secret in a wrong request for a token",
    "secret in another wrong body",
    "signing key",
    "token for a widget",
    "token of another issuer",
    "token that is none",
    "webhook secret",
];

/// What is not secret, and where it must be found.
const OPEN: [(Place, &str); 11] = [
    (Place::Log, "word"),
    (Place::Arguments, "folder"),
    (Place::Metrics, "account"),
    (Place::Errors, "folder"),
    (Place::Answers, "word"),
    (Place::Outgoing, "folder"),
    (Place::DatabaseLog, "word"),
    (Place::Wal, "word"),
    (Place::Tables, "word"),
    (Place::Dump, "word"),
    (Place::DataDirectory, "folder"),
];

fn run(world: &World) {
    block_on(async {
        let server = world.start("text");
        let walk = walk::whole(world, &server, 1).await;
        world.note_keys().await;
        drop(walk);
        for arguments in [
            ["keys", "list"].as_slice(),
            &["keys", "rotate", "--reencrypt"],
            &["keys", "rotate-signing"],
            &["keys", "list"],
            &["audit", "verify"],
            &["audit", "head"],
        ] {
            world.command(arguments);
        }
        world.stop(server);
        let server = world.start("json");
        walk::whole(world, &server, 2).await;
        world.note_keys().await;
        world.dump();
        world.stop(server);
    });
}

#[test]
fn no_secret_is_told_or_left_behind() {
    let world = block_on(World::new());
    run(&world);
    let kinds: Vec<String> = world.secrets.kinds().into_iter().collect();
    assert_eq!(kinds, KINDS);
    let secrets = world.secrets.searcher();
    let open = [("word", world.open.clone()), ("folder", world.name.clone()), ("account", world.account.to_string())];
    let open = Searcher::new(open.iter().map(|(name, text)| (*name, text.as_bytes())));
    let places = world.places();
    let mut found = Vec::new();
    for (place, name) in OPEN {
        let bytes = places.get(&place).map(Vec::as_slice).unwrap_or_default();
        println!("{place:?}: {} bytes", bytes.len());
        let shown = open.find(bytes);
        assert!(shown.iter().any(|shown| shown.starts_with(name)), "{place:?} is not searched: {shown:?}");
        found.extend(secrets.find(bytes).into_iter().map(|secret| format!("{place:?}: {secret}")));
    }
    assert_eq!(places.len(), OPEN.len());
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
}
