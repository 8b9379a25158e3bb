//! The token of a request (RFC 6750, 2.1).

use actix_web::http::header;

use super::head::Head;
use super::problem::Problem;
use super::shared::Shared;
use crate::auth::{Caller, Refusal};

/// What a token comes after.
const SCHEME: &[u8] = b"Bearer ";

/// Who asks, by the token of the request.
///
/// # Errors
///
/// 401; the reason is for the log only.
pub(super) async fn authenticate(head: &Head, shared: &Shared) -> Result<Caller, Problem> {
    let checked = match bearer(head, shared.config.limits.authorization) {
        Ok(token) => shared.check(token).await,
        Err(reason) => Err(reason),
    };
    checked.map_err(|reason| {
        tracing::info!(%reason, "token refused");
        Problem::Unauthorized
    })
}

fn bearer(head: &Head, limit: usize) -> Result<&[u8], Refusal> {
    let mut values = head.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else { return Err(Refusal::Missing) };
    if value.len() > limit {
        return Err(Refusal::TooLong);
    }
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len()).ok_or(Refusal::NotBearer)?;
    if scheme.eq_ignore_ascii_case(SCHEME) { Ok(token.trim_ascii()) } else { Err(Refusal::NotBearer) }
}
