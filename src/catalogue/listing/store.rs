//! The SQL of listings, a function per statement.

use std::collections::BTreeMap;

use sqlx::Row as _;
use time::OffsetDateTime;

use super::terms::EDITION;
use crate::archive::SettingType;
use crate::catalogue::template::Template;
use crate::catalogue::widget::{Texts, Visibility, WidgetId};
use crate::database::{Connection, Failure};

/// What a listing is made from.
#[derive(Debug)]
pub struct Source {
    /// Who sees the widget.
    pub visibility: Visibility,
    /// Its current version; a widget without one is not listed.
    pub current: Option<Current>,
}

/// The current version of a widget.
#[derive(Debug)]
pub struct Current {
    /// The widget's code.
    pub code: String,
    /// When the version was published.
    pub published_at: OffsetDateTime,
    /// Its name and descriptions.
    pub texts: Texts,
    /// Its settings.
    pub template: Template,
    /// The bytes of its manifest.
    pub manifest: Vec<u8>,
    /// Whether it can be a lead source.
    pub is_lead_source: bool,
    /// Whether it is available in Digital Pipeline.
    pub is_work_with_dp: bool,
}

/// A listing but for the numbers that are kept elsewhere.
#[derive(Debug, Default)]
pub struct Listing {
    /// Whether everybody sees it.
    pub is_public: bool,
    /// When the current version was published; `None` when the widget is not listed.
    pub published_at: Option<OffsetDateTime>,
    /// The folded name.
    pub name_key: String,
    /// Words and marks.
    pub terms: Vec<String>,
    /// The manifest's locations.
    pub locations: Vec<String>,
    /// The types of the settings.
    pub setting_types: Vec<SettingType>,
}

/// A widget and its current version as they are now.
///
/// # Errors
///
/// When the database fails or has no such widget.
pub async fn source(connection: &mut Connection, widget: WidgetId) -> Result<Source, Failure> {
    let row = sqlx::query(
        "SELECT w.code, w.visibility, v.version IS NOT NULL AS is_listed, v.published_at, v.texts::text AS texts, \
         v.template::text AS template, v.manifest, v.is_lead_source, v.is_work_with_dp FROM widgets w \
         LEFT JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version WHERE w.id = $1",
    )
    .bind(widget.0)
    .fetch_one(connection)
    .await?;
    let corrupt = |table, why: String| Failure::Corrupt { table, row: widget.0.to_string(), why };
    let visibility: &str = row.try_get("visibility")?;
    let visibility = visibility.parse().map_err(|why| corrupt("widgets", why))?;
    if !row.try_get::<bool, _>("is_listed")? {
        return Ok(Source { visibility, current: None });
    }
    let (texts, template): (&str, &str) = (row.try_get("texts")?, row.try_get("template")?);
    let current = Current {
        code: row.try_get("code")?,
        published_at: row.try_get("published_at")?,
        texts: serde_json::from_str(texts).map_err(|why| corrupt("widget_versions", format!("texts: {why}")))?,
        template: serde_json::from_str(template)
            .map_err(|why| corrupt("widget_versions", format!("template: {why}")))?,
        manifest: row.try_get("manifest")?,
        is_lead_source: row.try_get("is_lead_source")?,
        is_work_with_dp: row.try_get("is_work_with_dp")?,
    };
    Ok(Source { visibility, current: Some(current) })
}

/// Writes a listing; the number of installs stays as it is.
///
/// # Errors
///
/// When the database fails.
pub async fn set(connection: &mut Connection, widget: WidgetId, listing: &Listing) -> Result<(), Failure> {
    let setting_types: Vec<&str> = listing.setting_types.iter().map(|kind| kind.as_str()).collect();
    sqlx::query(
        "INSERT INTO widget_listings \
           (widget_id, is_public, published_at, name_key, rating_tenths, edition, terms, locations, setting_types) \
         SELECT id, $2, $3, $4, rating_tenths, $5, array_to_tsvector($6::text[]), $7, $8 FROM widgets WHERE id = $1 \
         ON CONFLICT ON CONSTRAINT widget_listings_pkey DO UPDATE SET is_public = excluded.is_public, \
         published_at = excluded.published_at, name_key = excluded.name_key, rating_tenths = excluded.rating_tenths, \
         edition = excluded.edition, terms = excluded.terms, locations = excluded.locations, \
         setting_types = excluded.setting_types",
    )
    .bind(widget.0)
    .bind(listing.is_public)
    .bind(listing.published_at)
    .bind(&listing.name_key)
    .bind(EDITION)
    .bind(&listing.terms)
    .bind(&listing.locations)
    .bind(setting_types)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the mean of all votes over from the widget.
///
/// # Errors
///
/// When the database fails.
pub async fn take_rating(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE widget_listings l SET rating_tenths = w.rating_tenths FROM widgets w WHERE l.widget_id = $1 AND w.id = $1",
    )
    .bind(widget.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds to the numbers of installs of some widgets.
///
/// # Errors
///
/// When the database fails.
pub async fn count_installs(connection: &mut Connection, sums: &BTreeMap<WidgetId, i64>) -> Result<(), Failure> {
    let widgets: Vec<i64> = sums.keys().map(|widget| widget.0).collect();
    let changes: Vec<i64> = sums.values().copied().collect();
    sqlx::query(
        "UPDATE widget_listings l SET install_count = l.install_count + c.change \
         FROM unnest($1::bigint[], $2::bigint[]) AS c (widget_id, change) WHERE l.widget_id = c.widget_id",
    )
    .bind(widgets)
    .bind(changes)
    .execute(connection)
    .await?;
    Ok(())
}

/// Widgets whose listings an older edition made, or none, ascending after one; their rows are locked, so that nothing is published
/// for them until the transaction ends.
///
/// # Errors
///
/// When the database fails.
pub async fn lock_outdated(
    connection: &mut Connection,
    edition: i16,
    after: WidgetId,
    count: i64,
) -> Result<Vec<WidgetId>, Failure> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT w.id FROM widgets w LEFT JOIN widget_listings l ON l.widget_id = w.id \
         WHERE w.id > $2 AND (l.edition < $1 OR l.edition IS NULL) ORDER BY w.id LIMIT $3 FOR NO KEY UPDATE OF w",
    )
    .bind(edition)
    .bind(after.0)
    .bind(count)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(WidgetId).collect())
}
