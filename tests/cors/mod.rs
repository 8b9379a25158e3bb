//! What surrounds every answer: browsers' origins, request ids, HEAD, `Allow`, and what links begin with.

mod links;
mod methods;
mod origins;
mod request_ids;
