//! Bad input of every kind: each row of the tables is one request, refused with an exact status, with a reason, and without a
//! trace in the database.

mod addresses;
mod archives;
mod continuing;
mod headers;
mod json;
mod methods;
mod opening;
mod settings;
mod syntax;
mod table;
mod versions;

use table::{Row, World, invalid, refused};
