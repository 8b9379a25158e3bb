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

    /// The routes of a path, at least one, and where its named segments are; `None` when the path is unknown.
    pub(super) fn at(&self, path: &str) -> Option<(&[Route], Segments)> {
        let found = self.places.at(path).ok()?;
        let mut segments = Segments::default();
        for (segment, (_, value)) in segments.0.iter_mut().zip(found.params.iter()) {
            let start = value.as_ptr().addr() - path.as_ptr().addr();
            let place = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
            *segment = (place(start), place(start + value.len()));
        }
        Some((self.routes.get(*found.value)?, segments))
    }
}

/// Named segments of a path at most.
const NAMED: usize = 3;

/// Where the named segments of a path are, by bytes, in their order. A URI has less than 65,536 bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segments([(u16, u16); NAMED]);

impl Segments {
    /// The segment that a path of the route table names so; that of a file's path is all of the rest. Empty when there is none.
    pub(super) fn named<'a>(&self, name: &str, pattern: &str, path: &'a str) -> &'a str {
        // For the few bytes of a pattern a search made for long texts costs more.
        let mut left = pattern;
        for (start, end) in self.0 {
            let next = left.bytes().position(|byte| byte == b'{').and_then(|at| left.get(at + 1..));
            left = next.unwrap_or_default();
            if left.strip_prefix(name).is_some_and(|rest| rest.starts_with('}')) {
                return path.get(start.into()..end.into()).unwrap_or_default();
            }
        }
        ""
    }
}

#[cfg(test)]
mod tests {
    use actix_web::HttpResponse;
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::super::head::Head;
    use super::*;
    use crate::http::caller::Anyone;
    use crate::http::problem::Problem;
    use crate::http::route::{Call, NoBody};

    async fn nothing(_: Call<Anyone, NoBody>) -> Result<HttpResponse, Problem> {
        Ok(HttpResponse::Ok().finish())
    }

    #[test]
    fn segments_are_decoded_and_a_files_path_is_all_of_the_rest() {
        const PATTERNS: [&str; 3] = ["/a/{code}", "/a/{code}/files/{path}", "/b/{kind}/{number}/x"];
        let paths = Paths::of(PATTERNS.map(|path| Route::new(Method::GET, path, nothing)).into()).unwrap();
        let segment = |path: &str, name: &str| {
            let head = Head::new(TestRequest::with_uri(path).to_request(), "127.0.0.1:1".parse().unwrap());
            let (routes, segments) = paths.at(head.decoded_path())?;
            Some(segments.named(name, routes[0].path, head.decoded_path()).to_owned())
        };
        for (path, name, expected) in [
            ("/a/x", "code", Some("x")),
            ("/a/x?b=/y", "code", Some("x")),
            ("/a/x/y", "code", None),
            ("/a/x", "a", Some("")),
            ("/a/x", "path", Some("")),
            ("/a/x/files/y/z", "path", Some("y/z")),
            ("/a/x/files/y/z", "code", Some("x")),
            ("/a/x/files/", "path", Some("")),
            ("/a/%C3%A9%2F%25", "code", Some("é%2F%25")),
            ("/%61/x", "code", Some("x")),
            ("/b/y/77/x", "kin", Some("")),
            ("/b/y/77/x", "kind", Some("y")),
            ("/b/y/77/x", "number", Some("77")),
            ("/c", "code", None),
        ] {
            assert_eq!(segment(path, name).as_deref(), expected, "{path} {name}");
        }
    }

    #[test]
    fn there_is_room_for_the_segments_of_every_route() {
        for route in crate::routes::table() {
            assert!(route.path.matches('{').count() <= NAMED, "{route:?}");
        }
    }
}
