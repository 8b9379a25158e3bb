//! Widget archives: what is accepted, what is refused, and with which findings.

mod builder;
mod hostile;
mod hostile_cuts;
mod hostile_records;
mod limits;
mod manifest_rules;
mod measured;
mod packing;
mod properties;
mod seeds;
mod settings_rules;
mod text_rules;
mod widget;
mod zip_rules;

/// Every hostile archive with its name.
pub(crate) fn hostile_archives() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    hostile::all().into_iter().map(|one| (one.name, one.bytes))
}
