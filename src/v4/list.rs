//! `GET /api/v4/widgets`: public widgets, those installed in the account, and the caller's own.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{Answer, Asked, Question};
use super::kept::Kept;
use super::model::{View, WidgetModel};
use super::snapshot::{Written, shown, tag_of};
use crate::http::caller::User;
use crate::http::hal::{self, PageLinks};
use crate::http::problem::Problem;
use crate::http::route::{Call, NoBody};

/// What follows the widgets of a page.
const END: &[u8] = b"]}}";

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
    links: &'a PageLinks,
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
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an answer that the client has"),
        ("page" = Option<u64>, Query, description = "From 1", minimum = 1, maximum = 1_000_000),
        ("limit" = Option<u64>, Query, description = "Widgets on a page, by default 50; more than 250 is served as 250", minimum = 1),
    ),
    responses(
        (status = 200, description = "A page, perhaps an empty one", body = PageModel, content_type = "application/hal+json"),
        (status = 304, description = "The client has this page"),
        (status = 400, description = "`page` or `limit` is no positive number, or given twice"),
    ),
)]
pub(crate) async fn list(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let (kept, view) = (call.state::<Kept>()?, View::of(&call));
    if let Some(response) = kept.again(&call, &view) {
        return Ok(response);
    }
    let limits = &call.shared.config.limits;
    let query = call.query();
    let page = query.positive("page", 1, limits.page)?;
    let limit = query.capped("limit", DEFAULT_LIMIT.min(limits.page_size), limits.page_size)?;
    let caller = &call.who.0;
    // What an account may see is looked up in any case: how long an answer takes tells nobody what there is.
    let (installs, as_of) = kept.installs.all(caller.account).await?;
    let catalogue = kept.catalogue.read().await?;
    let asked = Asked::new(catalogue.number(), caller, Question::Page(page, limit, installs.content()), &view);
    let answer = kept.answers.of(asked, || {
        let (most, skipped) = (index(limit), index((page - 1) * limit));
        let mut seen = catalogue.page(caller, &installs, skipped, most.saturating_add(1));
        let more = seen.len() > most;
        seen.truncate(most);
        // A link must lead somewhere: the highest page is the last.
        let has_next = more && page < limits.page;
        let links = PageLinks::new(&view.list_address(), page, limit, has_next);
        let widgets = shown(seen, &view)?;
        let tag = tag_of(&format!("{page} {limit} {has_next}"), &view, &widgets);
        body(page, &links, &widgets, &view).map(|body| Answer::new(tag, body))
    })?;
    Ok(kept.answer(&call, &view, (catalogue.number(), as_of), &answer))
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// [`PageModel`], its widgets as they are in memory.
fn body(page: u64, links: &PageLinks, widgets: &[Written<'_>], view: &View<'_>) -> Result<Vec<u8>, Problem> {
    let mut body = hal::bytes(&PageModel { page, links, embedded: Embedded { widgets: Vec::new() } })?;
    // Between the brackets.
    let end = body.split_off(body.len().saturating_sub(END.len()));
    let origin = view.escaped_origin();
    body.reserve(widgets.iter().map(|widget| widget.size(&origin) + 1).sum::<usize>() + end.len());
    for (place, widget) in widgets.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        widget.write(&mut body, &origin);
    }
    body.extend_from_slice(&end);
    Ok(body)
}
