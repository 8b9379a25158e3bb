//! Where a list goes on: a place in one order, under one filter, for one caller.
//!
//! A cursor is opaque but no secret. It gives no right: whatever it says, a page holds only what its caller sees. Its digest keeps a
//! cursor of another list from being taken for one of this.

use super::filter::{Filter, Sort};
use crate::auth::Caller;
use crate::catalogue::listing::terms::NAME;
use crate::catalogue::widget::WidgetId;
use crate::digest::Sha256;

/// Bytes of the digest that stand in a cursor.
const DIGEST: usize = 8;
/// Bytes of a widget's number.
const NUMBER: usize = 8;
/// The last moment that counts, in microseconds since 1970: the end of the year 9999.
const LAST_MOMENT: i64 = 253_402_300_799_999_999;

/// A place in an order: the page begins after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What the order compares, as text: microseconds since 1970, a folded name, tenths of a star, or a number of installs.
    pub key: String,
    /// The widget, among those that are equal in the order.
    pub widget: WidgetId,
}

impl Position {
    /// Before everything.
    #[must_use]
    pub fn start(sort: Sort) -> Self {
        let (key, widget) = match sort {
            Sort::Newest => (LAST_MOMENT.to_string(), i64::MAX),
            Sort::Name => (String::new(), 0),
            Sort::Rating | Sort::Installs => (i32::MAX.to_string(), i64::MAX),
        };
        Self { key, widget: WidgetId(widget) }
    }

    /// Whether the order has such a place.
    fn fits(&self, sort: Sort) -> bool {
        let number = self.key.parse::<i64>().ok().filter(|number| number.to_string() == self.key);
        let key = match sort {
            Sort::Newest => number.is_some_and(|number| (0..=LAST_MOMENT).contains(&number)),
            Sort::Rating => number.is_some_and(|number| (0..=50).contains(&number)),
            Sort::Installs => number.is_some(),
            Sort::Name => self.key.chars().count() <= NAME && !self.key.contains('\0'),
        };
        key && self.widget.0 > 0
    }
}

/// One list: the same for every page of it.
#[derive(Debug)]
pub struct List<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What for.
    pub filter: &'a Filter,
    /// In which order.
    pub sort: Sort,
}

impl List<'_> {
    fn digest(&self, position: &[u8]) -> Vec<u8> {
        let Self { caller, filter, sort } = self;
        let list = format!("{:?} {:?} {sort:?} {filter:?}", caller.account, caller.user);
        Sha256::of(&[list.as_bytes(), b"\0", position]).0.into_iter().take(DIGEST).collect()
    }

    /// The cursor that leads to the page after a place.
    #[must_use]
    pub fn cursor(&self, position: &Position) -> String {
        let place = [position.widget.0.to_be_bytes().as_slice(), position.key.as_bytes()].concat();
        let bytes = [self.digest(&place), place].concat();
        let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
    }

    /// The place of a cursor; `None` for every text that is no cursor of this list.
    #[must_use]
    pub fn position(&self, cursor: &str) -> Option<Position> {
        let bytes = bytes_of(cursor)?;
        let (digest, place) = bytes.split_at_checked(DIGEST)?;
        let (number, key) = place.split_first_chunk::<NUMBER>()?;
        let key = std::str::from_utf8(key).ok()?.to_owned();
        let position = Position { key, widget: WidgetId(i64::from_be_bytes(*number)) };
        (digest == self.digest(place) && position.fits(self.sort)).then_some(position)
    }
}

/// The bytes of lower-case hexadecimal digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AccountId, Role, Scopes, UserId};

    fn caller(account: i64) -> Caller {
        Caller {
            account: AccountId::new(account).unwrap(),
            user: UserId::new(7).unwrap(),
            role: Role::User,
            client: None,
            scopes: Scopes::default(),
        }
    }

    fn position(key: &str, widget: i64) -> Position {
        Position { key: key.to_owned(), widget: WidgetId(widget) }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_in_its_own_list_only() {
        let (caller, other) = (caller(1), caller(2));
        let (filter, others) = (Filter::default(), Filter { dp: Some(true), ..Filter::default() });
        let list = List { caller: &caller, filter: &filter, sort: Sort::Name };
        let place = position("ёлка", 5);
        let cursor = list.cursor(&place);
        assert_eq!(list.position(&cursor), Some(place));
        for list in
            [List { caller: &other, ..list }, List { filter: &others, ..list }, List { sort: Sort::Newest, ..list }]
        {
            assert_eq!(list.position(&cursor), None, "{list:?}");
        }
        for at in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(list.position(std::str::from_utf8(&forged).unwrap()), None, "{at}");
        }
        for forged in ["", "0", "zz", "ёж", cursor.get(..20).unwrap(), &cursor.to_uppercase()] {
            assert_eq!(list.position(forged), None, "{forged}");
        }
    }

    #[test]
    fn places_that_no_order_has_are_none() {
        let (caller, filter) = (caller(1), Filter::default());
        for (sort, key, widget) in [
            (Sort::Newest, "x", 1),
            (Sort::Newest, "-1", 1),
            (Sort::Newest, "253402300800000000", 1),
            (Sort::Rating, "51", 1),
            (Sort::Rating, "+1", 1),
            (Sort::Installs, "9223372036854775808", 1),
            (Sort::Installs, "1", 0),
            (Sort::Name, "a\0", 1),
        ] {
            let list = List { caller: &caller, filter: &filter, sort };
            assert_eq!(list.position(&list.cursor(&position(key, widget))), None, "{key}");
        }
    }
}
