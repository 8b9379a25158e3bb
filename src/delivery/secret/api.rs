//! `/registry/v1/webhook-secret`: what the account's pushed events are signed with.

use std::time::Duration;

use actix_web::HttpResponse;
use secrecy::SecretString;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::WebhookSecret;
use super::{sealed, store};
use crate::audit::Actor;
use crate::http::caller::BotEngine;
use crate::http::hal;
use crate::http::members;
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, NoBody, Usual};

/// How to replace the secret.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body for the OpenAPI document; the handler reads it member by member")]
pub struct ReplaceSecretBody {
    /// For how long events are signed with the secret before, too; 86,400 (a day) by default.
    #[schema(minimum = 0, maximum = 2_592_000)]
    keep_old_seconds: Option<i64>,
}

/// A new secret. It is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSecretBody {
    /// `whsec_` and the bytes in base64, as Standard Webhooks writes it.
    #[serde(serialize_with = "hal::exposed")]
    #[schema(value_type = String)]
    secret: SecretString,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Until when events are signed with the one before, too.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_until: Option<OffsetDateTime>,
}

/// The account's secret, without itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretBody {
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Until when events are signed with the one before, too.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    previous_until: Option<OffsetDateTime>,
}

/// Makes a secret, or replaces it.
#[utoipa::path(
    post, path = "/registry/v1/webhook-secret", tag = "bots", operation_id = "replace_webhook_secret",
    request_body = ReplaceSecretBody,
    responses(
        (status = 201, description = "The secret, shown this once", body = NewSecretBody),
        (status = 400, description = "Values break rules"),
    ),
)]
pub(crate) async fn replace(call: Call<BotEngine, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let keep = members::keep_old_seconds(call.body.document.as_ref()).map_err(Problem::Invalid)?;
    let keep = Duration::from_secs(keep.unsigned_abs());
    let secret = WebhookSecret::generate(&call.shared.ids);
    let (shared, actor) = (&call.shared, Actor::of(&call));
    let ground = (&shared.pool, &shared.sealing);
    let validity = sealed::replace(ground, call.who.0.account, &secret, keep, &actor).await?;
    let body = NewSecretBody {
        secret: secret.text(),
        created_at: validity.created_at,
        previous_until: validity.previous_until,
    };
    hal::json(HttpResponse::Created(), &body)
}

/// Says when the secret was made.
#[utoipa::path(
    get, path = "/registry/v1/webhook-secret", tag = "bots", operation_id = "show_webhook_secret",
    responses(
        (status = 200, description = "The account has a secret", body = SecretBody),
        (status = 404, description = "The account has none yet"),
    ),
)]
pub(crate) async fn show(call: Call<BotEngine, NoBody>) -> Result<HttpResponse, Problem> {
    let validity = store::validity(&call.shared.pool, call.who.0.account).await?.ok_or(Problem::NoWebhookSecret)?;
    let body = SecretBody { created_at: validity.created_at, previous_until: validity.previous_until };
    hal::json(HttpResponse::Ok(), &body)
}
