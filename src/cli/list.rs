//! `list`: lists the widgets of the catalogue.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::remote::{Connection, Remote};
use super::say;
use super::table::aligned;
use crate::app;
use crate::archive::SettingType;
use crate::catalogue::Visibility;
use crate::catalogue::search::filter::Sort;

/// Widgets that the server gives at once.
const PAGE: usize = 250;

/// Searches and lists the widgets that the token's user sees
///
/// These are public widgets, those installed in the account, and the user's own. A search is for words in code, name and descriptions,
/// in every language; the last word may go on. Filters are given once each, and a widget has to fit all of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  widget-registry list --mine\n  \
    widget-registry list telephony --sort installs --limit 10\n  \
    widget-registry list --installed true --location lcard --format json")]
pub(super) struct List {
    /// Words to look for
    #[arg(value_name = "WORDS")]
    words: Vec<String>,
    /// Only the user's own widgets
    #[arg(long)]
    mine: bool,
    /// Only what the account has installed, or only what it has not
    #[arg(long, value_name = "BOOL")]
    installed: Option<bool>,
    /// Only public or only private widgets
    #[arg(long, value_name = "VISIBILITY")]
    visibility: Option<Visibility>,
    /// Only widgets with this location, such as lcard-1, or lcard for both of its places
    #[arg(long, value_name = "LOCATION")]
    location: Option<String>,
    /// Only widgets with a setting of this type
    #[arg(long, value_name = "TYPE")]
    setting_type: Option<SettingType>,
    /// Only widgets that can be a lead source, or only others
    #[arg(long, value_name = "BOOL")]
    lead_source: Option<bool>,
    /// Only widgets that are available in Digital Pipeline, or only others
    #[arg(long, value_name = "BOOL")]
    dp: Option<bool>,
    /// The order: newest, name, rating or installs
    #[arg(long, value_name = "ORDER", default_value = "newest")]
    sort: Sort,
    /// Widgets at most
    #[arg(long, value_name = "COUNT", default_value = "50")]
    limit: NonZeroUsize,
    /// How widgets are printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    remote: Remote,
}

/// How widgets are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One array with the widgets as the server gives them
    Json,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "_links")]
    links: Links,
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

#[derive(Debug, Deserialize)]
struct Links {
    next: Option<Link>,
}

#[derive(Debug, Deserialize)]
struct Link {
    href: String,
}

#[derive(Debug, Deserialize)]
struct Embedded {
    widgets: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    code: String,
    version: String,
    name: String,
    visibility: Visibility,
    rating: String,
    installs: u64,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let connection = self.remote.connect()?;
        let widgets = app::block_on(self.all(&connection))?;
        if self.format == Format::Json {
            say(&serde_json::to_string_pretty(&widgets)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        if widgets.is_empty() {
            say("no widget was found")?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut rows = vec![["CODE", "VERSION", "NAME", "VISIBILITY", "RATING", "INSTALLS"].map(str::to_owned)];
        for widget in &widgets {
            let widget: Listed = serde_json::from_str(widget.get()).context("the server lists no widgets")?;
            rows.push(widget.row());
        }
        aligned(&rows).iter().try_for_each(|line| say(line))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The widgets of all pages, as many as are wanted.
    async fn all(&self, connection: &Connection<'_>) -> anyhow::Result<Vec<Box<RawValue>>> {
        let limit = self.limit.get();
        let mut query = self.query();
        query.push(("limit", limit.min(PAGE).to_string()));
        let mut all = Vec::new();
        loop {
            let Page { links, embedded } = connection.get(&["widgets"], &query).await?;
            all.extend(embedded.widgets);
            let cursor = links.next.and_then(|next| cursor(&next.href));
            match cursor {
                Some(cursor) if all.len() < limit => {
                    query.retain(|(name, _)| *name != "cursor");
                    query.push(("cursor", cursor));
                }
                _ => break,
            }
        }
        all.truncate(limit);
        Ok(all)
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let flag = |name, value: Option<bool>| value.map(|value| (name, value.to_string()));
        let words = self.words.join(" ");
        let parameters = [
            (!words.is_empty()).then_some(("q", words)),
            self.mine.then(|| ("mine", "true".to_owned())),
            flag("installed", self.installed),
            self.visibility.map(|visibility| ("visibility", visibility.as_str().to_owned())),
            self.location.clone().map(|location| ("location", location)),
            self.setting_type.map(|kind| ("setting_type", kind.as_str().to_owned())),
            flag("lead_source", self.lead_source),
            flag("dp", self.dp),
            Some(("sort", self.sort.as_str().to_owned())),
        ];
        parameters.into_iter().flatten().collect()
    }
}

/// The cursor of the address of a page.
fn cursor(address: &str) -> Option<String> {
    let address: Url = address.parse().ok()?;
    address.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned())
}

impl Listed {
    fn row(self) -> [String; 6] {
        // A line of a table has no room for lines of a name.
        let name = self.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let visibility = self.visibility.as_str().to_owned();
        [self.code, self.version, name, visibility, self.rating, self.installs.to_string()]
    }
}
