//! Every limit, at it and one past it.

mod archives;
mod bodies;
mod database;
mod defaults;
mod places;
mod requests;
mod times;
mod values;
