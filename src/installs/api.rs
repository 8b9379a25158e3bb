//! `/registry/v1/installs`: what an account's administrators set on an installed widget beyond its settings.

use actix_web::HttpResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::{self, LeadSource};
use crate::archive::WidgetCode;
use crate::http::caller::Admin;
use crate::http::hal;
use crate::http::json::{self, Document, Kind};
use crate::http::problem::Problem;
use crate::http::route::{Call, Json, Usual};
use crate::http::violation::{Expected, FieldError, Violation};

/// The pipeline in which a widget is a lead source.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LeadSourceBody {
    /// A positive number, or null for none.
    #[schema(minimum = 1, required = true)]
    pipeline_id: Option<i64>,
}

/// Sets or clears the pipeline in which an installed widget is a lead source.
#[utoipa::path(
    put, path = "/registry/v1/installs/{code}/lead-source", tag = "installs", operation_id = "set_lead_source",
    params(("code" = String, Path, description = "The widget's code")),
    request_body = LeadSourceBody,
    responses(
        (status = 200, description = "Set or cleared", body = LeadSourceBody),
        (status = 400, description = "`pipeline_id` is missing or no positive number"),
        (status = 404, description = "The widget is not installed in the account"),
        (status = 409, description = "The widget's current version cannot be a lead source"),
    ),
)]
pub(crate) async fn set_lead_source(call: Call<Admin, Json<Usual>>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let (pool, caller) = (&call.shared.pool, &call.who.0);
    let pipeline_id = match pipeline(call.body.document.as_ref()) {
        Ok(pipeline_id) => pipeline_id,
        // What is not installed is not found, whatever is to be set on it.
        Err(_) if store::visible(pool, caller, &code).await?.is_none_or(|seen| seen.install.is_none()) => {
            return Err(Problem::NoWidget);
        }
        Err(error) => return Err(Problem::Invalid(vec![error])),
    };
    match store::set_lead_source(pool, caller.account, &code, pipeline_id).await? {
        LeadSource::Set => hal::json(HttpResponse::Ok(), &LeadSourceBody { pipeline_id }),
        LeadSource::NotInstalled => Err(Problem::NoWidget),
        LeadSource::NotPossible => Err(Problem::Conflict(format!(
            "The widget `{code}` cannot be a lead source: its manifest does not name the location lead_sources"
        ))),
    }
}

fn pipeline(body: Option<&Document>) -> Result<Option<i64>, FieldError> {
    const NAME: &str = "pipeline_id";
    let root = body.map(Document::root).ok_or_else(|| FieldError::new(NAME, Violation::FieldMissing))?;
    let members = json::members(root).ok_or_else(|| FieldError::new("", Violation::InvalidType(Expected::Object)))?;
    let value =
        members.iter().find(|(key, _)| key == NAME).ok_or_else(|| FieldError::new(NAME, Violation::FieldMissing))?.1;
    match (json::kind(value), json::integer(value)) {
        (Kind::Null, _) => Ok(None),
        (_, Some(id)) if id > 0 => Ok(Some(id)),
        (_, Some(_)) => Err(FieldError::new(NAME, Violation::TooLow)),
        _ => Err(FieldError::new(NAME, Violation::InvalidType(Expected::Int))),
    }
}
