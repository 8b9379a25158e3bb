//! Which request a line of the log is about: it is told at the line's end.
//!
//! A span of the log's own library would be made and written as text for each request, whether or not anything is logged while it is
//! answered; and nothing is, by default, while an answer comes out of memory.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Request>>> = const { RefCell::new(None) };
}

/// Bytes of a request's id at most.
pub const ID: usize = 64;

/// What the log tells of a request.
#[derive(Debug)]
pub struct Request {
    // In place: it is made for each request.
    id: [u8; ID],
    length: usize,
    account: Cell<Option<i64>>,
    user: Cell<Option<i64>>,
}

impl Request {
    /// A request whose sender is not known yet. The id is of `[A-Za-z0-9._-]`; of a longer one than [`ID`] the rest is left out.
    #[must_use]
    pub fn new(id: &[u8]) -> Rc<Self> {
        let (mut place, length) = ([0; ID], id.len().min(ID));
        if let (Some(to), Some(from)) = (place.get_mut(..length), id.get(..length)) {
            to.copy_from_slice(from);
        }
        Rc::new(Self { id: place, length, account: Cell::new(None), user: Cell::new(None) })
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(self.id_bytes()).unwrap_or_default()
    }

    /// The same as bytes.
    #[must_use]
    pub fn id_bytes(&self) -> &[u8] {
        self.id.get(..self.length).unwrap_or_default()
    }

    /// Says for which account it is, and of which user where one sent it.
    pub fn is_of(&self, account: i64, user: Option<i64>) {
        self.account.set(Some(account));
        self.user.set(user);
    }

    fn members(&self) -> impl Iterator<Item = (&'static str, i64)> {
        let members = [("account", self.account.get()), ("user", self.user.get())];
        members.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// Writes it as text: ` request=… account=… user=…`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_text(&self, to: &mut impl fmt::Write) -> fmt::Result {
        write!(to, " request={}", self.id())?;
        self.members().try_for_each(|(name, value)| write!(to, " {name}={value}"))
    }

    /// Writes it as a member of a JSON object: `"request":{"id":"…","account":…,"user":…}`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_json(&self, to: &mut impl fmt::Write) -> fmt::Result {
        write!(to, "\"request\":{{\"id\":\"{}\"", self.id())?;
        self.members().try_for_each(|(name, value)| write!(to, ",\"{name}\":{value}"))?;
        to.write_char('}')
    }
}

/// What is logged while this is polled is about the request.
pub async fn within<F: Future>(request: Rc<Request>, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        let _entered = Entered::enter(request.clone());
        work.as_mut().poll(context)
    })
    .await
}

/// The request that something is done for on this thread at this time.
#[must_use]
pub fn current() -> Option<Rc<Request>> {
    CURRENT.with(|current| current.try_borrow().ok()?.clone())
}

/// What was current before is so again when this is dropped, also by a panic.
struct Entered(Option<Rc<Request>>);

impl Entered {
    fn enter(request: Rc<Request>) -> Self {
        Self(CURRENT.replace(Some(request)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.replace(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;

    use super::*;

    fn shown() -> String {
        let mut text = String::new();
        if let Some(request) = current() {
            request.write_text(&mut text).unwrap();
        }
        text
    }

    #[tokio::test]
    async fn each_request_is_told_in_its_own_lines() {
        let work = async |id: &str, account: i64| {
            within(Request::new(id.as_bytes()), async {
                let mut lines = vec![shown()];
                current().unwrap().is_of(account, (account > 1).then_some(7));
                tokio::task::yield_now().await;
                lines.push(shown());
                lines
            })
            .await
        };
        let (a, b) = join(work("a", 1), work("b", 2)).await;
        assert_eq!(a, [" request=a", " request=a account=1"]);
        assert_eq!(b, [" request=b", " request=b account=2 user=7"]);
        assert_eq!(shown(), "");
    }

    #[test]
    fn json_has_it_as_a_member() {
        let request = Request::new(b"x.y-z");
        let json = |request: &Request| {
            let mut text = String::new();
            request.write_json(&mut text).unwrap();
            text
        };
        assert_eq!(json(&request), r#""request":{"id":"x.y-z"}"#);
        request.is_of(3, Some(8));
        assert_eq!(json(&request), r#""request":{"id":"x.y-z","account":3,"user":8}"#);
    }
}
