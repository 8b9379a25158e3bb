//! `GET /api/v4/widgets`: public widgets, those installed in the account, and the caller's own.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{View, WidgetModel};
use crate::http::caller::User;
use crate::http::hal::{self, PageLinks};
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};
use crate::installs::store;

/// Widgets on a page when the client does not say.
const DEFAULT_LIMIT: u64 = 50;

/// A page of widgets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WidgetPage)]
pub struct PageModel<'a> {
    /// The page's number, from 1.
    #[serde(rename = "_page")]
    page: u64,
    /// `self`; `next` when there is one; `prev` and `first` past page 1.
    #[serde(rename = "_links")]
    #[schema(value_type = Object)]
    links: PageLinks,
    #[serde(rename = "_embedded")]
    embedded: Embedded<'a>,
}

/// The page's content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EmbeddedWidgets)]
pub struct Embedded<'a> {
    widgets: Vec<WidgetModel<'a>>,
}

/// Lists the widgets that the caller sees.
#[utoipa::path(
    get, path = "/api/v4/widgets", tag = "widgets", operation_id = "list_widgets",
    params(
        ("page" = Option<u64>, Query, description = "From 1", minimum = 1, maximum = 1_000_000),
        ("limit" = Option<u64>, Query, description = "Widgets on a page, by default 50; more than 250 is served as 250", minimum = 1),
    ),
    responses(
        (status = 200, description = "A page, perhaps an empty one", body = PageModel, content_type = "application/hal+json"),
        (status = 400, description = "`page` or `limit` is no positive number, or given twice"),
    ),
)]
pub(crate) async fn list(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let limits = &call.shared.config.limits;
    let query = call.query();
    let page = query.positive("page", 1, limits.page)?;
    let limit = query.capped("limit", DEFAULT_LIMIT.min(limits.page_size), limits.page_size)?;
    // Both numbers are bounded by the limits.
    let offset = i64::try_from((page - 1) * limit).unwrap_or(i64::MAX);
    let size = PageSize::new(limit);
    let found = store::visible_page(&call.shared.pool, &call.who.0, offset, size.wanted()).await?;
    let (sightings, more) = size.cut(found);
    // A link must lead somewhere: the highest page is the last.
    let has_next = more && page < limits.page;
    let view = View::of(&call);
    let widgets = sightings.iter().map(|sighting| view.model(sighting, None)).collect();
    let links = PageLinks::new(&view.list_address(), page, limit, has_next);
    hal::ok(&PageModel { page, links, embedded: Embedded { widgets } })
}
