//! Widget archives: what is accepted, what is refused, and with which findings.

mod builder;
mod hostile;
mod hostile_records;
mod limits;
mod manifest_rules;
mod packing;
mod properties;
mod seeds;
mod settings_rules;
mod text_rules;
mod widget;
mod zip_rules;
