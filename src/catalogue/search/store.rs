//! The SQL of the catalogue for people. A page is one statement, in each of four orders.
//!
//! What a caller sees has two parts. What is near, that is own or installed, is little and is read whole. What is public is much, and is
//! found in one of two ways:
//!
//! 1. The index of the order is walked for 1,000 widgets, and those that match are taken. What many widgets have is found in these. When
//!    these give a quarter of the page, walking on to 4,000 is likely to give the rest.
//! 2. When that was not enough, few widgets match: then all that do are gathered by the index of terms, and sorted.
//!
//! So neither a word that every widget has nor one that none has is looked for in all of them. The parts are kept from being planned as
//! one (`MATERIALIZED`), for a plan that is kept for many searches cannot know which way is shorter.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::cursor::Position;
use super::filter::{Filter, Sort, Terms};
use crate::archive::WidgetCode;
use crate::auth::Caller;
use crate::catalogue::deprecation::Deprecation;
use crate::catalogue::widget::{Rating, Texts, Visibility, WidgetId};
use crate::database::{Failure, Pool};

/// A widget as the catalogue shows it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct Entry {
    /// Its number.
    pub id: WidgetId,
    /// Its code.
    pub code: String,
    /// The current version.
    pub version: String,
    /// When that was published.
    pub published_at: OffsetDateTime,
    /// Name and descriptions.
    pub texts: Texts,
    /// Paths of files of the version that may be logos.
    pub logos: Vec<String>,
    /// Who sees it.
    pub visibility: Visibility,
    /// The mean of all votes.
    pub rating: Rating,
    /// How many votes there are.
    pub votes: i64,
    /// How many accounts have it installed.
    pub installs: i64,
    /// Whether it can be a lead source.
    pub is_lead_source: bool,
    /// Whether it is available in Digital Pipeline.
    pub is_work_with_dp: bool,
    /// Whether it is a CRM template.
    pub is_crm_template: bool,
    /// The manifest's locations.
    pub locations: Vec<String>,
    /// The types of its settings.
    pub setting_types: Vec<String>,
    /// What its owner says against it.
    pub deprecation: Option<Deprecation>,
    /// Whether it is the caller's own.
    pub is_mine: bool,
    /// Whether the caller's account has it installed.
    pub is_installed: bool,
}

/// What the function of this name reads, from `widgets w`, and the tables that are joined with it for the caller in $1 and $2. What a caller does not
/// see is left out here once more, by the rule itself.
macro_rules! entry {
    () => {
        "w.id, w.code, w.visibility, w.rating_tenths, w.rating_count, w.is_crm_template, \
         w.owner_account_id = $1 AND w.owner_user_id = $2 AS is_mine, i.account_id IS NOT NULL AS is_installed, \
         v.version, v.published_at, v.texts::text AS texts, v.is_lead_source, v.is_work_with_dp, \
         l.install_count, l.locations, l.setting_types, w.deprecated_at, w.deprecation_message, r.code AS replacement, \
         ARRAY(SELECT f.path FROM version_files f WHERE f.widget_id = w.id AND f.version = v.version \
           AND f.path >= 'images/logo' AND f.path < 'images/logp' AND f.blob_sha256 IS NOT NULL ORDER BY f.path) AS logos"
    };
}
macro_rules! joined {
    () => {
        " JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version \
         JOIN widget_listings l ON l.widget_id = w.id \
         LEFT JOIN widgets r ON r.id = w.replacement_id AND r.deleted_at IS NULL AND (r.visibility = 'public' \
           OR (r.owner_account_id = w.owner_account_id AND r.owner_user_id = w.owner_user_id)) \
         LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id "
    };
}
macro_rules! seen {
    () => {
        "(w.visibility = 'public' OR i.account_id IS NOT NULL OR (w.owner_account_id = $1 AND w.owner_user_id = $2)) "
    };
}

/// The public widgets that fit among the next so many of an order; none unless a condition is met.
macro_rules! walk {
    (key: $key:literal, place: $place:literal, past: $past:literal, order: $order:literal, when: $when:literal, most: $most:literal) => {
        concat!(
            "SELECT widget_id, key FROM ( \
               SELECT l.widget_id, l.", $key, " AS key, l.terms FROM widget_listings l \
               WHERE $10 AND ", $when, " AND l.is_public AND l.published_at IS NOT NULL \
                 AND (l.", $key, ", l.widget_id) ", $past, " (", $place, ", $5) \
                 AND l.widget_id NOT IN (SELECT widget_id FROM near WHERE (own AND NOT $7) OR (installed AND NOT $8)) \
               ORDER BY l.", $key, $order, ", l.widget_id", $order, " LIMIT ", $most, ") AS walked \
             WHERE $3::text IS NULL OR terms @@ $3::text::tsquery ORDER BY key", $order, ", widget_id", $order, " LIMIT $6 "
        )
    };
}

/// The statement of a page. Parameters: account, user, terms, key and number of the place, count, mine, installed, public, wide,
/// public terms.
macro_rules! page {
    (key: $key:literal, as_text: $as_text:literal, place: $place:literal, past: $past:literal, order: $order:literal) => {
        concat!(
            "WITH near AS MATERIALIZED ( \
               SELECT widget_id, bool_or(own) AS own, bool_or(installed) AS installed FROM ( \
                 SELECT id AS widget_id, true AS own, false AS installed FROM widgets \
                 WHERE owner_account_id = $1 AND owner_user_id = $2 \
                 UNION ALL SELECT widget_id, false, true FROM installs WHERE account_id = $1) AS each GROUP BY widget_id \
             ), found_near AS MATERIALIZED ( \
               SELECT l.widget_id, l.", $key, " AS key FROM near n JOIN widget_listings l ON l.widget_id = n.widget_id \
               WHERE l.published_at IS NOT NULL AND (l.", $key, ", l.widget_id) ", $past, " (", $place, ", $5) \
                 AND ($7::boolean IS NULL OR n.own = $7) AND ($8::boolean IS NULL OR n.installed = $8) \
                 AND ($9::boolean IS NULL OR l.is_public = $9) AND NOT ($10 AND l.is_public) \
                 AND ($3::text IS NULL OR l.terms @@ $3::text::tsquery) \
               ORDER BY l.", $key, $order, ", l.widget_id", $order, " LIMIT $6 \
             ), found_walking AS MATERIALIZED ( ",
            walk!(key: $key, place: $place, past: $past, order: $order, when: "true", most: "1000"),
            "), found_further AS MATERIALIZED ( ",
            walk!(
                key: $key, place: $place, past: $past, order: $order,
                when: "(SELECT count(*) FROM found_walking) BETWEEN greatest($6 / 4, 1) AND $6 - 1", most: "4000"
            ),
            "), matching AS MATERIALIZED ( \
               SELECT l.widget_id, l.", $key, " AS key FROM widget_listings l WHERE $10 AND $11::text IS NOT NULL \
                 AND (SELECT count(*) FROM found_walking) < $6 AND (SELECT count(*) FROM found_further) < $6 \
                 AND l.terms @@ $11::text::tsquery \
             ), gathered AS MATERIALIZED ( \
               SELECT widget_id, key FROM matching WHERE (key, widget_id) ", $past, " (", $place, ", $5) \
                 AND widget_id NOT IN (SELECT widget_id FROM near WHERE (own AND NOT $7) OR (installed AND NOT $8)) \
               ORDER BY key", $order, ", widget_id", $order, " LIMIT $6 \
             ), page AS MATERIALIZED ( \
               SELECT widget_id, key FROM found_near UNION SELECT widget_id, key FROM found_walking \
               UNION SELECT widget_id, key FROM found_further \
               UNION SELECT widget_id, key FROM gathered ORDER BY key", $order, ", widget_id", $order, " LIMIT $6 \
             ) SELECT ", $as_text, " AS key, ", entry!(), " FROM page JOIN widgets w ON w.id = page.widget_id", joined!(),
            "WHERE ", seen!(), "ORDER BY page.key", $order, ", page.widget_id", $order
        )
    };
}

#[rustfmt::skip]
const fn statement(sort: Sort) -> &'static str {
    match sort {
        Sort::Newest => page!(
            key: "published_at", as_text: "(extract(epoch FROM page.key) * 1000000)::bigint::text",
            place: "timestamptz 'epoch' + $4::text::bigint * interval '1 microsecond'", past: "<", order: " DESC"
        ),
        Sort::Name => page!(key: "name_key", as_text: "page.key", place: "$4::text", past: ">", order: " ASC"),
        Sort::Rating => page!(key: "rating_tenths", as_text: "page.key::text", place: "$4::text::bigint", past: "<", order: " DESC"),
        Sort::Installs => page!(key: "install_count", as_text: "page.key::text", place: "$4::text::bigint", past: "<", order: " DESC"),
    }
}

/// Widgets that the caller sees and that fit, after a place of the order, at most `count`; each with its own place.
///
/// # Errors
///
/// When the database fails.
pub async fn page(
    pool: &Pool,
    caller: &Caller,
    filter: &Filter,
    sort: Sort,
    after: &Position,
    count: i64,
) -> Result<Vec<(Position, Entry)>, Failure> {
    let Terms { all, public } = filter.terms();
    let rows = sqlx::query(statement(sort))
        .bind(caller.account.get())
        .bind(caller.user.get())
        .bind(all)
        .bind(&after.key)
        .bind(after.widget.0)
        .bind(count)
        .bind(filter.mine)
        .bind(filter.installed)
        .bind(filter.visibility.map(|visibility| visibility == Visibility::Public))
        .bind(filter.is_wide())
        .bind(public)
        .fetch_all(&mut *pool.begin_for(caller.account).await?)
        .await?;
    rows.iter()
        .map(|row| {
            let entry = entry(row)?;
            Ok((Position { key: row.try_get("key")?, widget: entry.id }, entry))
        })
        .collect()
}

/// A widget by its code, when the caller sees it.
///
/// # Errors
///
/// When the database fails.
pub async fn find(pool: &Pool, caller: &Caller, code: &WidgetCode) -> Result<Option<Entry>, Failure> {
    let statement = concat!("SELECT ", entry!(), " FROM widgets w", joined!(), "WHERE w.code = $3 AND ", seen!());
    let row = sqlx::query(statement)
        .bind(caller.account.get())
        .bind(caller.user.get())
        .bind(code.as_str())
        .fetch_optional(&mut *pool.begin_for(caller.account).await?)
        .await?;
    row.as_ref().map(entry).transpose()
}

fn entry(row: &PgRow) -> Result<Entry, Failure> {
    let id: i64 = row.try_get("id")?;
    let corrupt = |table, why: String| Failure::Corrupt { table, row: id.to_string(), why };
    let (visibility, texts): (&str, &str) = (row.try_get("visibility")?, row.try_get("texts")?);
    Ok(Entry {
        id: WidgetId(id),
        code: row.try_get("code")?,
        version: row.try_get("version")?,
        published_at: row.try_get("published_at")?,
        texts: serde_json::from_str(texts).map_err(|why| corrupt("widget_versions", format!("texts: {why}")))?,
        logos: row.try_get("logos")?,
        visibility: visibility.parse().map_err(|why| corrupt("widgets", why))?,
        rating: Rating::from_tenths(row.try_get("rating_tenths")?)
            .ok_or_else(|| corrupt("widgets", "rating_tenths: not in 0…50".to_owned()))?,
        votes: row.try_get("rating_count")?,
        installs: row.try_get("install_count")?,
        is_lead_source: row.try_get("is_lead_source")?,
        is_work_with_dp: row.try_get("is_work_with_dp")?,
        is_crm_template: row.try_get("is_crm_template")?,
        locations: row.try_get("locations")?,
        setting_types: row.try_get("setting_types")?,
        deprecation: deprecation(row)?,
        is_mine: row.try_get("is_mine")?,
        is_installed: row.try_get("is_installed")?,
    })
}

fn deprecation(row: &PgRow) -> Result<Option<Deprecation>, Failure> {
    let since: Option<OffsetDateTime> = row.try_get("deprecated_at")?;
    let (replacement, message) = (row.try_get("replacement")?, row.try_get("deprecation_message")?);
    Ok(since.map(|since| Deprecation { since, replacement, message }))
}
