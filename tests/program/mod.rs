//! The program as a person runs it: its commands, its output, its end.

mod bot;
mod bot_widget;
mod commands;
mod keys;
mod remote;
mod serve;
pub(crate) mod server;
mod survival;
mod uploads;
mod validate;
