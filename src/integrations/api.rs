//! `/registry/v1/integrations`.

use actix_web::HttpResponse;
use secrecy::SecretString;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::changes::{Changes, NewIntegration};
use super::secrets;
use super::store::{self, Integration, Place};
use crate::audit::Actor;
use crate::catalogue::Owner;
use crate::http::caller::Publisher;
use crate::http::hal;
use crate::http::members;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};
use crate::http::violation::FieldError;
use crate::sources::NoRandomness;

/// Integrations on a page when the client does not say.
const DEFAULT_LIMIT: u64 = 50;

/// An integration, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrationBody {
    /// The client id: the `aud` of its tokens, and the `client_uuid` of its widgets.
    client_uuid: Uuid,
    /// Null while it was only claimed by publishing a widget.
    name: Option<String>,
    redirect_uri: Option<String>,
    disable_hook: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// When the secret was made; null while there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    secret_made_at: Option<OffsetDateTime>,
    /// Until when the secret before is valid too; null when none is.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_valid_until: Option<OffsetDateTime>,
}

impl From<Integration> for IntegrationBody {
    fn from(integration: Integration) -> Self {
        Self {
            client_uuid: integration.client_uuid,
            name: integration.name,
            redirect_uri: integration.redirect_uri,
            disable_hook: integration.disable_hook,
            created_at: integration.created_at,
            secret_made_at: integration.secret_made_at,
            old_secret_valid_until: integration.old_secret_until,
        }
    }
}

/// An integration with its new secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretBody {
    #[serde(flatten)]
    integration: IntegrationBody,
    /// 64 letters and digits.
    #[serde(serialize_with = "hal::exposed")]
    #[schema(value_type = String, min_length = 64, max_length = 64)]
    secret: SecretString,
}

/// A page of integrations.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrationsBody {
    /// The latest made first.
    integrations: Vec<IntegrationBody>,
    /// The value of `after` for the next page; null on the last.
    next: Option<String>,
}

/// A new integration.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `NewIntegration` reads it")]
pub struct NewIntegrationBody {
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    /// An https address, or an http one of localhost, without user name and fragment.
    #[schema(max_length = 2048)]
    redirect_uri: Option<String>,
    /// Likewise.
    #[schema(max_length = 2048)]
    disable_hook: Option<String>,
    /// One that is not taken; without it one is made.
    client_uuid: Option<Uuid>,
}

/// Changes to an integration: what is left out stays, null takes an address away.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `Changes` reads it")]
pub struct ChangesBody {
    #[schema(min_length = 1, max_length = 255, nullable = false)]
    name: Option<String>,
    #[schema(max_length = 2048)]
    redirect_uri: Option<String>,
    #[schema(max_length = 2048)]
    disable_hook: Option<String>,
}

/// What becomes of the old secret.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; `keep_old_seconds` reads it")]
pub struct RotationBody {
    /// Seconds that it stays valid beside the new one; by default 86,400, a day.
    #[schema(minimum = 0, maximum = 2_592_000)]
    keep_old_seconds: Option<i64>,
}

/// Makes an integration with a secret, which is shown in this answer only.
#[utoipa::path(
    post, path = "/registry/v1/integrations", tag = "integrations", operation_id = "create_integration",
    request_body = NewIntegrationBody,
    responses(
        (status = 201, description = "Made", body = SecretBody),
        (status = 400, description = "Values break rules"),
        (status = 409, description = "The `client_uuid` is taken"),
    ),
)]
pub(crate) async fn create(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let new = NewIntegration::check(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let (shared, owner) = (&call.shared, owner(&call));
    let client = new.client_uuid.unwrap_or_else(|| shared.ids.next());
    let secret = shared.secrets.next()?;
    let ground = (&shared.pool, &shared.sealing);
    if let Some(made) = secrets::create(ground, owner, client, &new, &secret, &Actor::of(&call)).await? {
        return hal::json(HttpResponse::Created(), &SecretBody { integration: made.into(), secret });
    }
    Err(Problem::Conflict(match store::find(&shared.pool, owner, client).await? {
        Some(_) => format!("The integration {client} is yours already; change it with PATCH, or give it a new secret"),
        None => format!("The client_uuid {client} is taken; choose another one, or leave it out"),
    }))
}

/// Lists the caller's integrations, also those that were only claimed by publishing a widget.
#[utoipa::path(
    get, path = "/registry/v1/integrations", tag = "integrations", operation_id = "list_integrations",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("limit" = Option<u64>, Query, description = "Integrations on a page, by default 50; more than 250 is served as 250", minimum = 1),
    ),
    responses(
        (status = 200, description = "The latest made first", body = IntegrationsBody),
        (status = 400, description = "`after` is no `next`, or `limit` no positive number"),
    ),
)]
pub(crate) async fn list(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let most = call.shared.config.limits.page_size;
    let size = PageSize::new(query.capped("limit", DEFAULT_LIMIT.min(most), most)?);
    let malformed = || Problem::Malformed("The parameter `after` must be the `next` of a page before".to_owned());
    let after = query.get("after")?.map(|text| place_of(text).ok_or_else(malformed)).transpose()?;
    let (found, more) = size.cut(store::list(&call.shared.pool, owner(&call), after, size.wanted()).await?);
    let next = found.last().filter(|_| more).map(|last| cursor(last.created_at, last.client_uuid));
    let integrations = found.into_iter().map(IntegrationBody::from).collect();
    hal::json(HttpResponse::Ok(), &IntegrationsBody { integrations, next })
}

/// Shows one of the caller's integrations; never its secrets.
#[utoipa::path(
    get, path = "/registry/v1/integrations/{client_uuid}", tag = "integrations", operation_id = "show_integration",
    params(("client_uuid" = Uuid, Path)),
    responses(
        (status = 200, description = "The integration", body = IntegrationBody),
        (status = 404, description = "The caller has no such integration"),
    ),
)]
pub(crate) async fn show(call: Call<Publisher, NoBody>) -> Result<HttpResponse, Problem> {
    let found = store::find(&call.shared.pool, owner(&call), client(&call)?).await?;
    hal::json(HttpResponse::Ok(), &IntegrationBody::from(found.ok_or(Problem::NoIntegration)?))
}

/// Changes one of the caller's integrations.
#[utoipa::path(
    patch, path = "/registry/v1/integrations/{client_uuid}", tag = "integrations", operation_id = "change_integration",
    params(("client_uuid" = Uuid, Path)),
    request_body = ChangesBody,
    responses(
        (status = 200, description = "The integration as it is now", body = IntegrationBody),
        (status = 400, description = "Values break rules"),
        (status = 404, description = "The caller has no such integration"),
    ),
)]
pub(crate) async fn change(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let changes = checked(&call, Changes::check(call.body.document.as_ref())).await?;
    let found = store::change(&call.shared.pool, owner(&call), client(&call)?, &changes, &Actor::of(&call)).await?;
    hal::json(HttpResponse::Ok(), &IntegrationBody::from(found.ok_or(Problem::NoIntegration)?))
}

/// Gives one of the caller's integrations a new secret, which is shown in this answer only. The one before stays valid for a while; one
/// that was older is not valid any more.
#[utoipa::path(
    post, path = "/registry/v1/integrations/{client_uuid}/secrets", tag = "integrations", operation_id = "rotate_secret",
    params(("client_uuid" = Uuid, Path)),
    request_body = Option<RotationBody>,
    responses(
        (status = 201, description = "The integration with its new secret", body = SecretBody),
        (status = 400, description = "Values break rules"),
        (status = 404, description = "The caller has no such integration"),
    ),
)]
pub(crate) async fn rotate(call: Call<Publisher, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let keep = checked(&call, members::keep_old_seconds(call.body.document.as_ref())).await?;
    let (shared, owner, actor) = (&call.shared, owner(&call), Actor::of(&call));
    let secret = shared.secrets.next()?;
    let ground = (&shared.pool, &shared.sealing);
    let rotated = secrets::rotate(ground, owner, client(&call)?, &secret, keep, &actor).await?;
    let integration = IntegrationBody::from(rotated.ok_or(Problem::NoIntegration)?);
    hal::json(HttpResponse::Created(), &SecretBody { integration, secret })
}

/// What is not the caller's is not found, whatever is to be done with it.
async fn checked<B, T>(call: &Call<Publisher, B>, read: Result<T, Vec<FieldError>>) -> Result<T, Problem> {
    match read {
        Ok(value) => Ok(value),
        Err(_) if store::find(&call.shared.pool, owner(call), client(call)?).await?.is_none() => {
            Err(Problem::NoIntegration)
        }
        Err(errors) => Err(Problem::Invalid(errors)),
    }
}

fn owner<B>(call: &Call<Publisher, B>) -> Owner {
    Owner { account: call.who.0.account, user: call.who.0.user }
}

fn client<B>(call: &Call<Publisher, B>) -> Result<Uuid, Problem> {
    Uuid::parse_str(call.segment("client_uuid")).map_err(|_| Problem::NoIntegration)
}

/// Digits of a cursor: 16 of the time in microseconds, 32 of the client id, all hexadecimal.
const TIME_DIGITS: usize = 16;

fn cursor(created_at: OffsetDateTime, client: Uuid) -> String {
    let microseconds = created_at.unix_timestamp_nanos() / 1_000;
    format!("{microseconds:0width$x}{}", client.simple(), width = TIME_DIGITS)
}

fn place_of(cursor: &str) -> Option<Place> {
    let (time, client) = cursor.split_at_checked(TIME_DIGITS)?;
    let microseconds = i128::from(i64::from_str_radix(time, 16).ok()?);
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(microseconds * 1_000).ok()?;
    Some(Place { created_at, client_uuid: Uuid::try_parse(client).ok()? })
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "no secret could be made");
        Self::Internal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went() {
        let place = Place {
            created_at: OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_123_456_000).unwrap(),
            client_uuid: Uuid::from_u128(7),
        };
        assert_eq!(place_of(&cursor(place.created_at, place.client_uuid)), Some(place));
        let far = format!("7fffffffffffffff{}", Uuid::from_u128(7).simple());
        for wrong in [
            "",
            "1",
            "0006652a2c0c0a40",
            "zz",
            "0006652a2c0c0a4é",
            &far,
            "+006652a2c0c0a400000000000000000000000000000000",
        ] {
            assert_eq!(place_of(wrong), None, "{wrong}");
        }
    }
}
