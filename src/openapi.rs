//! The OpenAPI document: what stands beside each handler, completed by what the route table knows.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::response::Response;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr};
use utoipa::{OpenApi, ToSchema};

use crate::http::caller::{Anyone, Who};
use crate::http::hal;
use crate::http::problem::Problem;
use crate::http::route::{BodyKind, Call, NoBody, Route};
use crate::routes;

/// An error: RFC 7807 as the real service writes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemModel {
    /// Only for 400: every value that breaks a rule.
    #[serde(rename = "validation-errors")]
    #[schema(value_type = Option<Vec<Object>>)]
    validation_errors: Option<()>,
    /// The status in words.
    title: String,
    /// An address that names the status.
    r#type: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, where, and what to do.
    detail: String,
    /// Only for 429: seconds to wait.
    retry_after: Option<u64>,
    /// Only for a refused archive: everything that was found in it.
    #[schema(value_type = Option<Vec<Object>>)]
    findings: Option<()>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "widget-registry",
        description = "What the section Widgets of the amoCRM/Kommo API v4 does, and what feeds it. \
            Every answer carries `X-Request-Id`; every error is `application/problem+json`.",
    ),
    paths(
        crate::v4::list::list,
        crate::v4::show::show,
        crate::v4::install::install,
        crate::v4::uninstall::uninstall,
        crate::v4::continue_bot::continue_bot,
        crate::catalogue::api::publish_widget,
        crate::catalogue::api::set_visibility,
        crate::catalogue::search::api::list,
        crate::catalogue::search::api::show,
        crate::catalogue::versions::api::list,
        crate::catalogue::versions::api::show,
        crate::catalogue::versions::api::yank,
        crate::catalogue::versions::api::restore,
        crate::catalogue::versions::api::pin,
        crate::catalogue::visibility::api::show,
        crate::catalogue::ownership::api::set_owner,
        crate::catalogue::deprecation::api::set,
        crate::catalogue::deprecation::api::clear,
        crate::catalogue::deletion::api::remove,
        crate::files::api::show,
        crate::ratings::api::rate,
        crate::ratings::api::unrate,
        crate::installs::api::plan_version,
        crate::installs::api::list,
        crate::installs::api::set_lead_source,
        crate::integrations::api::create,
        crate::integrations::api::list,
        crate::integrations::api::show,
        crate::integrations::api::change,
        crate::integrations::api::rotate,
        crate::continuations::api::open,
        crate::continuations::api::show,
        crate::continuations::inspect::api::list,
        crate::continuations::inspect::api::lookup,
        crate::continuations::inspect::api::render,
        crate::continuations::control::api::fail,
        crate::continuations::control::api::cancel,
        crate::continuations::control::api::extend,
        crate::delivery::api::lease,
        crate::delivery::api::ack,
        crate::delivery::api::nack,
        crate::delivery::history::api::replay,
        crate::delivery::history::api::show,
        crate::delivery::history::api::list,
        crate::delivery::secret::api::replace,
        crate::delivery::secret::api::show,
        crate::revocations::api::create,
        crate::revocations::api::list,
        crate::oauth::api::access_token,
        crate::token_keys::api::show,
        crate::health::live,
        crate::health::ready,
        crate::monitoring::api::show,
        crate::audit::api::list,
        show,
    ),
    components(schemas(ProblemModel)),
    tags(
        (name = "widgets", description = "The five methods of the API v4, for its unchanged clients"),
        (name = "catalogue", description = "The catalogue for people: search, filters, order"),
        (name = "publishing", description = "Publishing widgets"),
        (name = "files", description = "The files of published versions, for front-ends"),
        (name = "ratings", description = "Votes on installed widgets"),
        (name = "installs", description = "What an administrator sets on an installed widget beyond its settings"),
        (name = "integrations", description = "OAuth integrations: their addresses and secrets"),
        (name = "tokens", description = "Tokens for integrations, revoking tokens, the keys of ours"),
        (name = "bots", description = "What the engine of SalesBot and MarketingBot calls"),
        (name = "audit", description = "Who changed what"),
        (name = "health", description = "For supervisors and load balancers"),
    ),
)]
struct Document;

/// The name of the only security scheme.
const TOKEN: &str = "token";

/// The whole document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    for route in routes::table() {
        let path = document.paths.paths.get_mut(route.path);
        if let Some(operation) = path.and_then(|path| operation_mut(path, &route)) {
            complete(operation, &route);
        }
    }
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A JSON Web Token with the claims iss, sub, account_id, role, exp, and perhaps aud and scopes",
        ))
        .build();
    document.components.get_or_insert_default().add_security_scheme(TOKEN, SecurityScheme::Http(token));
    document
}

fn operation_mut<'a>(path: &'a mut utoipa::openapi::PathItem, route: &Route) -> Option<&'a mut Operation> {
    let method = match route.method.as_str() {
        "GET" => HttpMethod::Get,
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => return None,
    };
    match method {
        HttpMethod::Get => path.get.as_mut(),
        HttpMethod::Post => path.post.as_mut(),
        HttpMethod::Put => path.put.as_mut(),
        HttpMethod::Patch => path.patch.as_mut(),
        _ => path.delete.as_mut(),
    }
}

/// Adds what follows from the route: its right, and the errors that every such route may answer.
fn complete(operation: &mut Operation, route: &Route) {
    let mut errors = vec![("503", "The service is busy, or the database does not answer in time")];
    if route.who != Who::Anyone {
        let mut security = vec![SecurityRequirement::new(TOKEN, Vec::<String>::new())];
        if route.who == Who::Visitor {
            security.push(SecurityRequirement::default());
        }
        operation.security = Some(security);
        errors.push(("401", "No token, or one that is not valid"));
        errors.push(("429", "More requests than the account or the integration may send"));
    }
    if let Who::Admin | Who::Bearer(_) | Who::AdminOr(_) = route.who {
        errors.push(("403", "The token does not give the right"));
    }
    if route.body != BodyKind::None {
        errors.push(("400", "The body is malformed or breaks rules"));
        errors.push(("408", "The body did not arrive in time"));
        errors.push(("413", "The body is too large"));
        errors.push(("415", "The body has another type or is compressed"));
    }
    for (status, description) in errors {
        let new = || RefOr::T(Response::new(description));
        operation.responses.responses.entry(status.to_owned()).or_insert_with(new);
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.as_str() >= "400"
        {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            response.content.insert("application/problem+json".to_owned(), content.into());
        }
    }
    let right = match route.who {
        Who::Anyone => "Needs no token.".to_owned(),
        Who::Visitor => "Public widgets need no token; one that is sent must be valid.".to_owned(),
        Who::User => "For every user of an account.".to_owned(),
        Who::Admin => "For administrators of an account.".to_owned(),
        Who::Bearer(scope) => format!("For tokens with the scope `{}`.", scope.as_str()),
        Who::AdminOr(scope) => {
            format!("For administrators of an account, and for tokens with the scope `{}`.", scope.as_str())
        }
    };
    let description = operation.description.take().unwrap_or_default();
    operation.description = Some(format!("{description}\n\n{right}").trim().to_owned());
}

/// The document as text, the same that `widget-registry openapi` prints.
///
/// # Errors
///
/// When it cannot be written as JSON, which no request causes.
pub fn text() -> Result<String, serde_json::Error> {
    document().to_pretty_json()
}

/// Serves the document.
#[utoipa::path(
    get, path = "/registry/v1/openapi.json", tag = "health", operation_id = "openapi",
    responses((status = 200, description = "This document")),
)]
pub(crate) async fn show(_: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
    hal::json(HttpResponse::Ok(), &document())
}
