//! `GET /.well-known/jwks.json`: our own public keys.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};

use crate::http::caller::Anyone;
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};

/// Caches may keep the set for as long. Who meets a key that is not in it asks anew.
const KEPT: &str = "public, max-age=300";

/// The public keys of the tokens that this registry issues: the one that signs, and those before it whose tokens may still be valid.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "tokens", operation_id = "jwks",
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517)", body = Object)),
)]
pub(crate) async fn show(call: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
    let mut response = hal::json(HttpResponse::Ok(), &call.shared.keyring.public())?;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    Ok(response)
}
