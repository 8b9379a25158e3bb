//! `GET /registry/v1/widgets` and `GET /registry/v1/widgets/{code}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use actix_web::HttpResponse;
use serde::Serialize;
use time::OffsetDateTime;
use url::form_urlencoded::Serializer;
use utoipa::ToSchema;

use super::cursor::{List, Position};
use super::filter::{Filter, Sort};
use super::store::{self, Entry};
use crate::archive::{WidgetCode, logo_name};
use crate::catalogue::deprecation::api::DeprecationBody;
use crate::catalogue::listing::terms::{LOCATION, words};
use crate::catalogue::widget::Visibility;
use crate::http::caller::User;
use crate::http::hal::{self, PartLinks, SelfLink};
use crate::http::negotiation::languages;
use crate::http::page::PageSize;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::{Call, NoBody};

/// Widgets on a page when the client does not say.
const DEFAULT_LIMIT: u64 = 50;
/// Characters of the longest search.
const LONGEST_SEARCH: usize = 200;
/// What a list is made of, in the order in which links name it.
const PARAMETERS: [&str; 11] =
    ["q", "visibility", "owner", "mine", "installed", "location", "setting_type", "lead_source", "dp", "sort", "limit"];

/// A widget as the catalogue for people shows it.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct CatalogueWidget {
    /// The widget's number.
    id: i64,
    /// The widget's code.
    code: String,
    /// The current version.
    version: String,
    /// When that was published.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    published_at: OffsetDateTime,
    /// In the caller's language.
    name: String,
    /// In the caller's language.
    short_description: String,
    /// In the caller's language.
    description: String,
    /// The addresses of the logos that the version has, by name: `logo`, `logo_main`, `logo_small`, `logo_medium`, `logo_min`,
    /// `logo_dp`.
    #[schema(value_type = BTreeMap<String, String>)]
    logos: BTreeMap<&'static str, String>,
    /// Who sees it.
    visibility: Visibility,
    /// The mean of all votes with a decimal comma, `"0"` while nobody has voted.
    rating: String,
    /// How many votes there are.
    votes: i64,
    /// How many accounts have it installed; what is about a second old is counted.
    installs: i64,
    /// Whether it can be set as a lead source.
    is_lead_source: bool,
    /// Whether it is available in Digital Pipeline.
    is_work_with_dp: bool,
    /// Whether it is a CRM template.
    is_crm_template: bool,
    /// The manifest's locations.
    locations: Vec<String>,
    /// The types of its settings, each once.
    setting_types: Vec<String>,
    /// What the owner says against the widget; null while it is not deprecated.
    deprecated: Option<DeprecationBody>,
    /// Whether it is the caller's own.
    is_mine: bool,
    /// Whether the caller's account has it installed.
    is_installed: bool,
    #[serde(rename = "_links")]
    #[schema(value_type = Object)]
    links: SelfLink,
}

/// A page of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct CataloguePage {
    /// `self`, and `next` when the list goes on.
    #[serde(rename = "_links")]
    #[schema(value_type = Object)]
    links: PartLinks,
    #[serde(rename = "_embedded")]
    embedded: CatalogueWidgets,
}

/// The page's content.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogueWidgets {
    widgets: Vec<CatalogueWidget>,
}

/// Searches the widgets that the caller sees: public ones, those installed in the account, and the caller's own.
///
/// `q` is looked for in code, name and descriptions in every language: a widget has all its words, the last of which may go on.
/// The page after this one is `_links.next`.
#[utoipa::path(
    get, path = "/registry/v1/widgets", tag = "catalogue", operation_id = "search_widgets",
    params(
        ("q" = Option<String>, Query, description = "Words, at most 200 characters"),
        ("visibility" = Option<Visibility>, Query, description = "Only public, or only private ones"),
        ("owner" = Option<String>, Query, description = "`mine`: the same as `mine=true`"),
        ("mine" = Option<bool>, Query, description = "Only the caller's own, or only others'"),
        ("installed" = Option<bool>, Query, description = "Only what the caller's account has installed, or only what it has not"),
        ("location" = Option<String>, Query, description = "A location of the manifest such as `lcard-1`, or its place: `lcard`"),
        ("setting_type" = Option<String>, Query, description = "`text`, `pass`, `custom`, `users` or `users_lp`: the type of some setting"),
        ("lead_source" = Option<bool>, Query, description = "Whether it can be a lead source"),
        ("dp" = Option<bool>, Query, description = "Whether it is available in Digital Pipeline"),
        ("sort" = Option<String>, Query, description = "`newest` (default), `name`, `rating` or `installs`"),
        ("limit" = Option<u64>, Query, description = "Widgets on a page, by default 50; more than 250 is served as 250", minimum = 1),
        ("cursor" = Option<String>, Query, description = "From `_links.next`"),
    ),
    responses(
        (status = 200, description = "A page, perhaps an empty one", body = CataloguePage),
        (status = 400, description = "A parameter has no such value, or the cursor is of another list"),
    ),
)]
pub(crate) async fn list(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let query = call.query();
    let filter = filter(&query)?;
    let sort = choice(&query, "sort", str::parse)?.unwrap_or(Sort::Newest);
    let most = call.shared.config.limits.page_size;
    let size = PageSize::new(query.capped("limit", DEFAULT_LIMIT.min(most), most)?);
    let list = List { caller: &call.who.0, filter: &filter, sort };
    let after = match query.get("cursor")? {
        None => Position::start(sort),
        Some(cursor) => list.position(cursor).ok_or_else(|| {
            Problem::Malformed("The parameter `cursor` is none of this list; begin without it".to_owned())
        })?,
    };
    let found = if filter.is_empty_handed() {
        Vec::new()
    } else {
        store::page(&call.shared.pool, &call.who.0, &filter, sort, &after, size.wanted()).await?
    };
    let (found, goes_on) = size.cut(found);
    let view = View::of(&call);
    let next = found.last().filter(|_| goes_on).map(|(last, _)| list.cursor(last));
    let links = PartLinks::new(
        view.list_address(&query, query.get("cursor")?)?,
        next.map(|cursor| view.list_address(&query, Some(&cursor))).transpose()?,
    );
    let widgets = found.into_iter().map(|(_, entry)| view.widget(entry)).collect();
    hal::json(HttpResponse::Ok(), &CataloguePage { links, embedded: CatalogueWidgets { widgets } })
}

/// Shows a widget of the catalogue that the caller sees.
#[utoipa::path(
    get, path = "/registry/v1/widgets/{code}", tag = "catalogue", operation_id = "show_catalogue_widget",
    params(("code" = String, Path, description = "The widget's code")),
    responses(
        (status = 200, description = "The widget", body = CatalogueWidget),
        (status = 404, description = "There is no such widget, or the caller does not see it"),
    ),
)]
pub(crate) async fn show(call: Call<User, NoBody>) -> Result<HttpResponse, Problem> {
    let code: WidgetCode = call.segment("code").parse().map_err(|_| Problem::NoWidget)?;
    let found = store::find(&call.shared.pool, &call.who.0, &code).await?.ok_or(Problem::NoWidget)?;
    hal::json(HttpResponse::Ok(), &View::of(&call).widget(found))
}

fn filter(query: &Query) -> Result<Filter, Problem> {
    Ok(Filter {
        words: search(query)?,
        visibility: choice(query, "visibility", str::parse)?,
        mine: mine(query)?,
        installed: flag(query, "installed")?,
        location: location(query)?,
        setting_type: choice(query, "setting_type", str::parse)?,
        lead_source: flag(query, "lead_source")?,
        dp: flag(query, "dp")?,
    })
}

fn search(query: &Query) -> Result<Option<Vec<String>>, Problem> {
    let Some(text) = query.get("q")?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    if text.chars().count() > LONGEST_SEARCH {
        return Err(Problem::Malformed(format!("The parameter `q` is longer than {LONGEST_SEARCH} characters")));
    }
    Ok(Some(words(text)))
}

fn mine(query: &Query) -> Result<Option<bool>, Problem> {
    let owner = choice(query, "owner", |text| match text {
        "mine" => Ok(true),
        _ => Err("it can only be `mine`"),
    })?;
    match (owner, flag(query, "mine")?) {
        (Some(_), Some(false)) => {
            Err(Problem::Malformed("The parameters `owner` and `mine` contradict each other".to_owned()))
        }
        (owner, mine) => Ok(mine.or(owner)),
    }
}

fn location(query: &Query) -> Result<Option<String>, Problem> {
    choice(query, "location", |text| {
        let fits = (1..=LOCATION).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(text.to_owned()) } else { Err("a location has 1 to 255 bytes and no control characters") }
    })
}

fn flag(query: &Query, name: &str) -> Result<Option<bool>, Problem> {
    choice(query, name, |text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("it is neither true nor false"),
    })
}

/// A parameter that has one of some values; `None` when it is not there.
fn choice<T, E: std::fmt::Display>(
    query: &Query,
    name: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    let wrong = |why| Problem::Malformed(format!("The parameter `{name}` is wrong: {why}"));
    query.get(name)?.map(|text| parse(text).map_err(wrong)).transpose()
}

/// What an answer depends on besides what was found.
struct View<'a> {
    origin: Rc<str>,
    accepted: Cow<'a, str>,
    default_locale: &'a str,
}

impl<'a> View<'a> {
    fn of(call: &'a Call<User, NoBody>) -> Self {
        let default_locale = &call.shared.config.default_locale;
        Self { origin: call.origin(), accepted: call.accepted_languages(), default_locale }
    }

    /// The address of a page: of the parameters only those that count, in one order.
    fn list_address(&self, query: &Query, cursor: Option<&str>) -> Result<String, Problem> {
        let mut parameters = Serializer::new(String::new());
        for name in PARAMETERS {
            if let Some(value) = query.get(name)? {
                parameters.append_pair(name, value);
            }
        }
        if let Some(cursor) = cursor {
            parameters.append_pair("cursor", cursor);
        }
        let parameters = parameters.finish();
        let mark = if parameters.is_empty() { "" } else { "?" };
        Ok(format!("{}/registry/v1/widgets{mark}{parameters}", self.origin))
    }

    fn widget(&self, entry: Entry) -> CatalogueWidget {
        let Self { origin, accepted, default_locale } = self;
        let languages = languages(accepted);
        let texts = &entry.texts;
        let mut logos = BTreeMap::new();
        for path in &entry.logos {
            if let Some(name) = logo_name(path) {
                let address = || format!("{origin}/widgets/{}/{}/{path}", entry.code, entry.version);
                logos.entry(name).or_insert_with(address);
            }
        }
        CatalogueWidget {
            id: entry.id.0,
            name: texts.name.resolve(&languages, default_locale).to_owned(),
            short_description: texts.short_description.resolve(&languages, default_locale).to_owned(),
            description: texts.description.resolve(&languages, default_locale).to_owned(),
            logos,
            links: SelfLink::to(format!("{origin}/registry/v1/widgets/{}", entry.code)),
            code: entry.code,
            version: entry.version,
            published_at: entry.published_at,
            visibility: entry.visibility,
            rating: entry.rating.to_string(),
            votes: entry.votes,
            installs: entry.installs.max(0),
            is_lead_source: entry.is_lead_source,
            is_work_with_dp: entry.is_work_with_dp,
            is_crm_template: entry.is_crm_template,
            locations: entry.locations,
            setting_types: entry.setting_types,
            deprecated: entry.deprecation.map(DeprecationBody::from),
            is_mine: entry.is_mine,
            is_installed: entry.is_installed,
        }
    }
}
