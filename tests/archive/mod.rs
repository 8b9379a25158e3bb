//! Widget archives: what is accepted, what is refused, and with which findings.

#[cfg(test)]
mod builder;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_records;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod manifest_rules;
#[cfg(test)]
mod packing;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod settings_rules;
#[cfg(test)]
mod text_rules;
#[cfg(test)]
mod widget;
#[cfg(test)]
mod zip_rules;
