//! A self-hosted registry of CRM widgets that speaks the section "Widgets" of the amoCRM/Kommo API v4.
//!
//! To find a thing ask two questions: which feature is it (the folder), and which side of it: HTTP, SQL or the rule itself (the
//! file).
//!
//! | place | what is there |
//! | --- | --- |
//! | [`cli`] | one file per command |
//! | [`config`] | every setting, parsed once; all mistakes together |
//! | [`app`] | from a configuration to a running service |
//! | [`routes`] | the route table |
//! | [`openapi`], [`health`], [`telemetry`] | the API's description, probes, the log |
//! | [`v4`] | the five methods of the API v4, a file each: start here |
//! | [`http`] | the vocabulary of the wire: errors, links, bodies, callers; knows no feature |
//! | [`auth`] | keys and tokens; knows no HTTP |
//! | [`database`] | pool, migrations, the embedded cluster; knows no table of a feature |
//! | [`catalogue`] | which widgets exist, in which version, and whose they are |
//! | [`files`], [`blobs`] | the files of published versions, as front-ends load them; their bytes by digest |
//! | [`sealing`], [`resealing`] | encrypting what is secret in the database; a walk over all that is |
//! | [`archive`] | reading an uploaded zip and its manifest: bytes in, findings and a package out |
//! | [`installs`] | a widget in an account: its settings and their rules |
//! | [`integrations`] | OAuth integrations: their addresses and secrets |
//! | [`ratings`] | votes on installed widgets |
//! | [`oauth`] | tokens for integrations that show their secret |
//! | [`token_keys`], [`revocations`] | the keys of tokens while the service runs; tokens that were taken back |
//! | [`continuations`] | bots that wait for a widget |
//! | [`bot`] | playing a bot: its flow, and the machine that runs it |
//! | [`audit`] | who changed what: entries in the change's own transaction, chained by hash |
//! | [`metrics`], [`monitoring`] | what is counted and timed; the numbers to watch, and `/metrics` |
//! | [`outgoing`] | calls to addresses that somebody else chose |
//! | [`background`] | work that goes on beside the requests: sweepers and workers |
//! | [`data_dir`], [`sources`], [`digest`], [`encoding`] | the folder on this machine; time and randomness; SHA-256; packed forms of bytes |
//! | [`whole_file`] | writing a file whole or not at all |
//!
//! In every feature's folder `api.rs` holds its handlers under `/registry/v1` and `store.rs` its SQL; the other files are the rules
//! and touch neither.

pub mod app;
pub mod archive;
pub mod audit;
pub mod auth;
pub mod background;
pub mod blobs;
pub mod bot;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod continuations;
pub mod data_dir;
pub mod database;
pub mod delivery;
pub mod digest;
pub mod encoding;
pub mod files;
pub mod health;
pub mod http;
pub mod installs;
pub mod integrations;
pub mod log_context;
pub mod metrics;
pub mod monitoring;
pub mod oauth;
pub mod openapi;
pub mod outgoing;
pub mod ratings;
pub mod resealing;
pub mod revocations;
pub mod routes;
pub mod sealing;
pub mod server;
pub mod sources;
pub mod telemetry;
pub mod threads;
pub mod token_keys;
pub mod v4;
pub mod whole_file;
