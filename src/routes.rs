//! The route table: every address of the service. Who may call and what the body is stand in the type of each handler's parameter;
//! the server, the OpenAPI document and the authorisation test read them from here.

use actix_web::http::Method;

use crate::catalogue::deletion::api as deletion;
use crate::catalogue::deprecation::api as deprecation;
use crate::catalogue::ownership::api as ownership;
use crate::catalogue::search::api as search;
use crate::catalogue::versions::api as versions;
use crate::catalogue::visibility::api as visibility;
use crate::continuations::control::api as control;
use crate::continuations::inspect::api as inspect;
use crate::delivery::history::api as deliveries;
use crate::delivery::secret::api as secret;
use crate::http::route::Route;
use crate::{
    audit, catalogue, continuations, delivery, files, health, installs, integrations, monitoring, oauth, openapi,
    ratings, revocations, token_keys, v4,
};

/// Every route.
#[must_use]
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    vec![
        Route::new(Method::GET,    "/api/v4/widgets",                                        v4::list::list),
        Route::new(Method::GET,    "/api/v4/widgets/{code}",                                 v4::show::show),
        Route::new(Method::POST,   "/api/v4/widgets/{code}",                                 v4::install::install),
        Route::new(Method::DELETE, "/api/v4/widgets/{code}",                                 v4::uninstall::uninstall),
        Route::new(Method::POST,   "/api/v4/{bot_type}/{bot_id}/continue/{continue_id}",     v4::continue_bot::continue_bot),

        Route::new(Method::GET,    "/registry/v1/widgets",                                   search::list),
        Route::new(Method::POST,   "/registry/v1/widgets",                                   catalogue::api::publish_widget),
        Route::new(Method::DELETE, "/registry/v1/widgets/{code}",                            deletion::remove),
        Route::new(Method::GET,    "/registry/v1/widgets/{code}",                            search::show),
        Route::new(Method::GET,    "/registry/v1/widgets/{code}/versions",                   versions::list),
        Route::new(Method::GET,    "/registry/v1/widgets/{code}/versions/{version}",         versions::show),
        Route::new(Method::POST,   "/registry/v1/widgets/{code}/versions/{version}/yank",    versions::yank),
        Route::new(Method::POST,   "/registry/v1/widgets/{code}/versions/{version}/restore", versions::restore),
        Route::new(Method::PUT,    "/registry/v1/widgets/{code}/current",                    versions::pin),
        Route::new(Method::PUT,    "/registry/v1/widgets/{code}/visibility",                 catalogue::api::set_visibility),
        Route::new(Method::GET,    "/registry/v1/widgets/{code}/explain",                    visibility::show),
        Route::new(Method::PUT,    "/registry/v1/widgets/{code}/owner",                      ownership::set_owner),
        Route::new(Method::POST,   "/registry/v1/widgets/{code}/deprecate",                  deprecation::set),
        Route::new(Method::DELETE, "/registry/v1/widgets/{code}/deprecate",                  deprecation::clear),
        Route::new(Method::POST,   "/registry/v1/widgets/{code}/plan",                       installs::api::plan_version),
        Route::new(Method::PUT,    "/registry/v1/widgets/{code}/rating",                     ratings::api::rate),
        Route::new(Method::DELETE, "/registry/v1/widgets/{code}/rating",                     ratings::api::unrate),
        Route::new(Method::GET,    "/registry/v1/installs",                                  installs::api::list),
        Route::new(Method::PUT,    "/registry/v1/installs/{code}/lead-source",               installs::api::set_lead_source),
        Route::new(Method::POST,   "/registry/v1/integrations",                              integrations::api::create),
        Route::new(Method::GET,    "/registry/v1/integrations",                              integrations::api::list),
        Route::new(Method::GET,    "/registry/v1/integrations/{client_uuid}",                integrations::api::show),
        Route::new(Method::PATCH,  "/registry/v1/integrations/{client_uuid}",                integrations::api::change),
        Route::new(Method::POST,   "/registry/v1/integrations/{client_uuid}/secrets",        integrations::api::rotate),
        Route::new(Method::POST,   "/registry/v1/{bot_type}/{bot_id}/continuations",         continuations::api::open),
        Route::new(Method::GET,    "/registry/v1/continuations/{continue_id}",               continuations::api::show),
        Route::new(Method::GET,    "/registry/v1/continuations",                             inspect::list),
        Route::new(Method::GET,    "/registry/v1/continuations/{continue_id}/json/{key}",    inspect::lookup),
        Route::new(Method::POST,   "/registry/v1/continuations/{continue_id}/render",        inspect::render),
        Route::new(Method::POST,   "/registry/v1/continuations/{continue_id}/fail",          control::fail),
        Route::new(Method::POST,   "/registry/v1/continuations/{continue_id}/cancel",        control::cancel),
        Route::new(Method::POST,   "/registry/v1/continuations/{continue_id}/extend",        control::extend),
        Route::new(Method::POST,   "/registry/v1/deliveries/lease",                          delivery::api::lease),
        Route::new(Method::POST,   "/registry/v1/deliveries/{delivery_id}/ack",              delivery::api::ack),
        Route::new(Method::POST,   "/registry/v1/deliveries/{delivery_id}/nack",             delivery::api::nack),
        Route::new(Method::POST,   "/registry/v1/deliveries/{delivery_id}/replay",           deliveries::replay),
        Route::new(Method::GET,    "/registry/v1/deliveries/{delivery_id}",                  deliveries::show),
        Route::new(Method::GET,    "/registry/v1/deliveries",                                deliveries::list),
        Route::new(Method::POST,   "/registry/v1/webhook-secret",                            secret::replace),
        Route::new(Method::GET,    "/registry/v1/webhook-secret",                            secret::show),

        Route::new(Method::GET,    "/registry/v1/audit",                                     audit::api::list),

        Route::new(Method::GET,    "/widgets/{code}/{version}/{path}",                       files::api::show),

        Route::new(Method::POST,   "/registry/v1/revocations",                               revocations::api::create),
        Route::new(Method::GET,    "/registry/v1/revocations",                               revocations::api::list),
        Route::new(Method::POST,   "/oauth2/access_token",                                   oauth::api::access_token),
        Route::new(Method::GET,    "/.well-known/jwks.json",                                 token_keys::api::show),

        Route::new(Method::GET,    "/registry/v1/health/live",                               health::live),
        Route::new(Method::GET,    "/registry/v1/health/ready",                              health::ready),
        Route::new(Method::GET,    "/registry/v1/openapi.json",                              openapi::show),
        Route::new(Method::GET,    "/metrics",                                               monitoring::api::show),
    ]
}
