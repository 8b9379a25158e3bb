//! The section `locations`: where in the CRM the widget's script is loaded.

use std::collections::HashSet;

use super::Reader;
use crate::archive::finding::shown;
use crate::archive::finding_code::FindingCode;
use crate::archive::json::Node;

/// Places that take `-0` or `-1`: without and with the panel on the right.
const WITH_PANEL: &[&str] = &["lcard", "ccard", "comcard", "cucard", "llist", "clist", "culist", "tlist"];
/// Places without a panel.
const PLAIN: &[&str] = &[
    "settings",
    "advanced_settings",
    "card_sdk",
    "catalogs",
    "digital_pipeline",
    "lead_sources",
    "salesbot_designer",
    "whatsapp_modal",
    "website_chat_button",
    "everywhere",
    "sms",
    "mobile_card",
    "amoforms",
    "widget_page",
];
/// Bytes of the longest location.
const MOST_BYTES: usize = 255;

impl Reader<'_, '_> {
    pub(super) fn locations(&mut self) -> Vec<String> {
        let path = "locations";
        let node = self.root().get(path);
        let elements = match node.map(|node| (node, node.elements())) {
            None => &[],
            Some((_, Some(elements))) => elements,
            Some((node, None)) => {
                let message = format!("`locations` is {}; an array of texts is expected.", node.kind());
                self.report(FindingCode::ManifestLocationsInvalid, path, node, message);
                return Vec::new();
            }
        };
        if elements.is_empty() {
            let message = "The widget names no locations and is loaded nowhere; name some, such as \"settings\".";
            self.report_missing(FindingCode::ManifestLocationsMissing, path, message);
        }
        if elements.len() > self.limits.locations {
            let message =
                format!("There are {} locations, at most {} are allowed.", elements.len(), self.limits.locations);
            self.report_missing(FindingCode::ManifestLocationsTooMany, path, message);
            return Vec::new();
        }
        let mut locations = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            self.location(element, &format!("{path}.{index}"), &mut locations);
        }
        self.report_both_panels(&locations);
        locations
    }

    fn location(&mut self, element: &Node<'_>, path: &str, locations: &mut Vec<String>) {
        let Some(location) = element.text().filter(|location| location.len() <= MOST_BYTES) else {
            let message = format!("A location is a text of at most {MOST_BYTES} bytes; this is {}.", element.kind());
            self.report(FindingCode::ManifestLocationsInvalid, path, element, message);
            return;
        };
        if locations.iter().any(|known| known == location) {
            let message = format!("`{}` is named twice; remove one.", shown(location));
            self.report(FindingCode::ManifestLocationDuplicate, path, element, message);
            return;
        }
        if !is_known(location) {
            let message = format!("`{}` is not a known location; check its spelling.", shown(location));
            self.report(FindingCode::ManifestLocationUnknown, path, element, message);
        }
        locations.push(location.to_owned());
    }

    fn report_both_panels(&mut self, locations: &[String]) {
        let with_panel: HashSet<&str> = locations.iter().filter_map(|location| location.strip_suffix("-1")).collect();
        for place in locations.iter().filter_map(|location| location.strip_suffix("-0")) {
            if with_panel.contains(place) {
                let message = format!("`{}` is named without (-0) and with (-1) its panel; keep one.", shown(place));
                self.report_missing(FindingCode::ManifestLocationBoth, "locations", message);
            }
        }
    }
}

fn is_known(location: &str) -> bool {
    let place = location.strip_suffix("-0").or_else(|| location.strip_suffix("-1"));
    PLAIN.contains(&location) || WITH_PANEL.contains(&place.unwrap_or(location))
}
