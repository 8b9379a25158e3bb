//! An ordered list in pieces: a copy of it shares every piece that is not changed, so that one change of a million costs as much as one
//! of a thousand, and the place of a thing is found without looking at those before it.

use std::sync::Arc;

/// Things of a piece that is made at once.
const FILLED: usize = 512;
/// Things of a piece at most; one more makes it two.
const MOST: usize = 2 * FILLED;

type Piece<K, V> = Arc<Vec<(K, V)>>;

/// Things in the order of their keys, of which each has its own.
#[derive(Debug, Clone)]
pub(super) struct Pieces<K, V> {
    /// None of them is empty.
    pieces: Vec<Piece<K, V>>,
    /// The last key of each piece, and how many things there are up to its end.
    ends: Vec<(K, usize)>,
}

impl<K, V> Default for Pieces<K, V> {
    fn default() -> Self {
        Self { pieces: Vec::new(), ends: Vec::new() }
    }
}

impl<K: Ord + Copy, V: Clone> Pieces<K, V> {
    /// Of things in any order.
    #[must_use]
    pub(super) fn of(mut things: Vec<(K, V)>) -> Self {
        things.sort_by_key(|(key, _)| *key);
        things.dedup_by_key(|(key, _)| *key);
        let mut things = things.into_iter();
        let pieces = std::iter::from_fn(|| Some(things.by_ref().take(FILLED).collect::<Vec<_>>()));
        let pieces = pieces.take_while(|piece| !piece.is_empty()).map(Arc::new).collect();
        let mut made = Self { pieces, ends: Vec::new() };
        made.count_from(0);
        made
    }

    /// How many there are.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.ends.last().map_or(0, |(_, end)| *end)
    }

    /// How many keys are less than this one: the place of this one.
    #[must_use]
    pub(super) fn place(&self, key: K) -> usize {
        let (piece, start) = self.piece_of(key);
        start + self.pieces.get(piece).map_or(0, |piece| piece.partition_point(|(known, _)| *known < key))
    }

    /// The thing of this key.
    #[must_use]
    pub(super) fn get(&self, key: K) -> Option<&V> {
        let piece = self.pieces.get(self.piece_of(key).0)?;
        let place = piece.binary_search_by_key(&key, |(known, _)| *known).ok()?;
        piece.get(place).map(|(_, thing)| thing)
    }

    /// The things from a place on.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = &(K, V)> {
        let piece = self.ends.partition_point(|(_, end)| *end <= place);
        let skipped = place.saturating_sub(self.start_of(piece));
        self.pieces.iter().skip(piece).flat_map(|piece| piece.iter()).skip(skipped)
    }

    /// Puts a thing in its place; what had its key goes.
    pub(super) fn put(&mut self, key: K, thing: V) {
        let (index, _) = self.piece_of(key);
        // After every other key it goes to the end of the last piece.
        let index = index.min(self.pieces.len().saturating_sub(1));
        let Some(piece) = self.pieces.get_mut(index).map(Arc::make_mut) else {
            self.pieces.push(Arc::new(vec![(key, thing)]));
            return self.count_from(0);
        };
        match piece.binary_search_by_key(&key, |(known, _)| *known) {
            Ok(place) => {
                if let Some(known) = piece.get_mut(place) {
                    known.1 = thing;
                }
                return;
            }
            Err(place) => piece.insert(place, (key, thing)),
        }
        if piece.len() > MOST {
            let rest = piece.split_off(FILLED);
            self.pieces.insert(index + 1, Arc::new(rest));
        }
        self.count_from(index);
    }

    /// Takes a thing away.
    pub(super) fn remove(&mut self, key: K) {
        let (index, _) = self.piece_of(key);
        let Some(piece) = self.pieces.get_mut(index) else { return };
        let Ok(place) = piece.binary_search_by_key(&key, |(known, _)| *known) else { return };
        let piece = Arc::make_mut(piece);
        piece.remove(place);
        if piece.is_empty() {
            self.pieces.remove(index);
        }
        self.count_from(index);
    }

    /// The piece that a key is in if it is there, and how many things stand before that piece.
    fn piece_of(&self, key: K) -> (usize, usize) {
        let piece = self.ends.partition_point(|(last, _)| *last < key);
        (piece, self.start_of(piece))
    }

    fn start_of(&self, piece: usize) -> usize {
        piece.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(_, end)| *end)
    }

    /// Counts anew from a piece on.
    fn count_from(&mut self, piece: usize) {
        self.ends.truncate(piece);
        let mut end = self.len();
        for piece in self.pieces.iter().skip(piece) {
            end += piece.len();
            self.ends.extend(piece.last().map(|(last, _)| (*last, end)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(pieces: &Pieces<i64, u32>, model: &BTreeMap<i64, u32>) {
        assert_eq!(pieces.len(), model.len());
        assert!(pieces.pieces.iter().all(|piece| (1..=MOST).contains(&piece.len())));
        assert!(pieces.from(0).map(|(key, thing)| (key, thing)).eq(model.iter()));
        for key in [i64::MIN, -1, 0, 500, 1_500, 2_999, i64::MAX] {
            assert_eq!(pieces.place(key), model.range(..key).count());
            assert_eq!(pieces.get(key), model.get(&key));
        }
        for place in [0, 1, 511, 512, 513, model.len().saturating_sub(1), model.len(), model.len() + 7] {
            assert!(pieces.from(place).take(3).map(|(key, _)| key).eq(model.keys().skip(place).take(3)), "{place}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn they_are_an_ordered_map_with_places(
            begin in proptest::collection::btree_map(0..3_000_i64, any::<u32>(), 0..3_000),
            steps in proptest::collection::vec((0..3_000_i64, proptest::option::of(any::<u32>())), 0..600),
        ) {
            let mut pieces = Pieces::of(begin.iter().rev().map(|(key, thing)| (*key, *thing)).collect());
            let before = pieces.clone();
            let mut model = begin.clone();
            check(&pieces, &model);
            for (key, thing) in steps {
                if let Some(thing) = thing {
                    pieces.put(key, thing);
                    model.insert(key, thing);
                } else {
                    pieces.remove(key);
                    model.remove(&key);
                }
            }
            check(&pieces, &model);
            // What was copied from is as it was.
            check(&before, &begin);
        }
    }

    #[test]
    fn growing_and_emptying_one_by_one() {
        let (mut pieces, mut model) = (Pieces::default(), BTreeMap::new());
        for key in (0..3_000).rev().chain(3_000..5_000) {
            pieces.put(key, 1);
            model.insert(key, 1);
        }
        check(&pieces, &model);
        for key in 0..5_000 {
            pieces.remove(key);
            pieces.remove(key);
        }
        check(&pieces, &BTreeMap::new());
        assert!(pieces.pieces.is_empty());
    }
}
