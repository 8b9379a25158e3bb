//! A widget's listing: what the catalogue for people searches, filters and sorts by. It is written in the transaction that changes
//! what it tells, so that it is never behind.

pub mod store;
pub mod terms;

use std::time::Duration;

use super::widget::{Visibility, WidgetId};
use crate::background::Stop;
use crate::database::{Connection, Failure, Pool};
use crate::http::json;
use store::{Current, Listing, Source};
use terms::{EDITION, Mark, name_key};

/// Listings that are made anew in one transaction.
const BATCH: i64 = 100;
/// Time before what failed is tried again.
const AFTER_A_FAILURE: Duration = Duration::from_secs(5);

/// Writes the listing of a widget anew. To be called in every transaction that changes its visibility or its current version, with
/// the widget's row locked.
///
/// # Errors
///
/// When the database fails.
pub async fn write(connection: &mut Connection, widget: WidgetId) -> Result<(), Failure> {
    let Source { visibility, current } = store::source(connection, widget).await?;
    let is_public = visibility == Visibility::Public;
    let unlisted = Listing { is_public, ..Listing::default() };
    let listing = current.map_or(unlisted, |current| listing_of(&current, is_public));
    store::set(connection, widget, &listing).await
}

fn listing_of(current: &Current, is_public: bool) -> Listing {
    let locations = locations(&current.manifest);
    let mut setting_types: Vec<_> = current.template.fields.iter().map(|field| field.kind).collect();
    setting_types.sort_unstable_by_key(|kind| kind.as_str());
    setting_types.dedup();
    let mut marks = vec![Mark::LeadSource(current.is_lead_source), Mark::DigitalPipeline(current.is_work_with_dp)];
    marks.extend(is_public.then_some(Mark::Public));
    marks.extend(locations.iter().flat_map(|location| Mark::of_location(location)));
    marks.extend(setting_types.iter().copied().map(Mark::Setting));
    let texts = &current.texts;
    Listing {
        is_public,
        published_at: Some(current.published_at),
        name_key: name_key(&texts.name),
        terms: terms::terms(&current.code, &[&texts.name, &texts.short_description, &texts.description], &marks),
        locations,
        setting_types,
    }
}

/// The locations of a manifest that was accepted, in their order and each once.
fn locations(manifest: &[u8]) -> Vec<String> {
    let text = manifest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(manifest);
    let mut found: Vec<String> = Vec::new();
    let Ok(root) = serde_json::from_slice(text) else { return found };
    // Of a key that is given twice the last one counts.
    let member = json::members(root).unwrap_or_default().into_iter().rfind(|(key, _)| key == "locations");
    for location in member.and_then(|(_, value)| json::elements(value)).unwrap_or_default() {
        if let Some(location) = json::text(location).filter(|location| !found.contains(location)) {
            found.push(location);
        }
    }
    found
}

/// Makes listings anew that another edition of the program made, or none; at most 100 after a widget. Returns the last one's number,
/// and `None` when there are no more.
///
/// # Errors
///
/// When the database fails; then nothing has changed.
pub async fn renew(pool: &Pool, after: WidgetId) -> Result<Option<WidgetId>, Failure> {
    let mut transaction = pool.begin_catalogue().await?;
    let outdated = store::lock_outdated(&mut transaction, EDITION, after, BATCH).await?;
    for widget in &outdated {
        match write(&mut transaction, *widget).await {
            // One that cannot be read keeps no other from being listed.
            Err(error @ Failure::Corrupt { .. }) => tracing::error!(%error, "a widget cannot be listed"),
            written => written?,
        }
    }
    transaction.commit().await?;
    Ok(outdated.last().copied())
}

/// Brings every listing to this program's edition: once after a start. What is done stays done when it breaks off.
pub async fn renew_all(pool: Pool, mut stop: Stop) {
    let mut last = WidgetId(0);
    while !stop.is_asked() {
        match renew(&pool, last).await {
            Ok(Some(widget)) => last = widget,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "listings of widgets cannot be made anew now; trying again");
                if stop.within(AFTER_A_FAILURE).await {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_read_from_what_was_accepted() {
        let read = |text: &str| locations(text.as_bytes());
        assert_eq!(read("\u{feff}{\"locations\":[\"a\",\"b-1\",\"a\"],\"x\":1e99999}"), ["a", "b-1"]);
        assert_eq!(read(r#"{"locations":["a"],"locations":["b"]}"#), ["b"]);
        assert!(read(r#"{"widget":{}}"#).is_empty());
    }
}
