//! The route table by paths. The framework's own router would try one path after the other.

use std::collections::BTreeMap;

use super::route::Route;

/// The route table by paths.
#[derive(Debug)]
pub struct Paths {
    /// Where the routes of a path are.
    places: matchit::Router<usize>,
    routes: Vec<Vec<Route>>,
}

impl Paths {
    /// Every route of the table.
    ///
    /// # Errors
    ///
    /// When two paths of the table mean the same.
    pub fn of(table: Vec<Route>) -> Result<Self, matchit::InsertError> {
        let mut by_path: BTreeMap<&str, Vec<Route>> = BTreeMap::new();
        for route in table {
            by_path.entry(route.path).or_default().push(route);
        }
        let mut places = matchit::Router::new();
        for (place, path) in by_path.keys().enumerate() {
            // The path of a file has segments of its own, or none.
            if let Some(folder) = path.strip_suffix("{path}") {
                places.insert(folder, place)?;
                places.insert(format!("{folder}{{*path}}"), place)?;
            } else {
                places.insert(*path, place)?;
            }
        }
        Ok(Self { places, routes: by_path.into_values().collect() })
    }

    /// The routes of a path, at least one; `None` when the path is unknown.
    pub(super) fn at(&self, path: &str) -> Option<&[Route]> {
        let place = self.places.at(path).ok()?;
        self.routes.get(*place.value).map(Vec::as_slice)
    }
}
