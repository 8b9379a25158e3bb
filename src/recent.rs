//! What was used recently, up to a number of things: who is not asked for makes room.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

/// Parts that are locked one by one, so that threads seldom wait for each other.
const PARTS: usize = 16;

/// Things by their keys. When a part is half full, what it has is put aside; what is asked for again comes back, and what is not is
/// forgotten when the part is half full once more.
#[derive(Debug)]
pub struct Recent<K, V> {
    parts: Vec<Mutex<Part<K, V>>>,
    /// Things that a part has at most beside those that are put aside.
    half: usize,
    hasher: RandomState,
}

#[derive(Debug)]
struct Part<K, V> {
    new: HashMap<K, V>,
    aside: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Recent<K, V> {
    /// Keeps about so many things at most.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let part = || Mutex::new(Part { new: HashMap::new(), aside: HashMap::new() });
        Self {
            parts: (0..PARTS).map(|_| part()).collect(),
            half: (most / PARTS / 2).max(1),
            hasher: RandomState::new(),
        }
    }

    /// The thing of a key, if it is still known.
    #[must_use]
    pub fn get(&self, key: K) -> Option<V> {
        self.in_part(key, |part, key, half| {
            if let Some(thing) = part.new.get(&key) {
                return Some(thing.clone());
            }
            let thing = part.aside.remove(&key)?;
            part.put(key, thing.clone(), half);
            Some(thing)
        })
    }

    /// Remembers a thing.
    pub fn put(&self, key: K, thing: V) {
        self.in_part(key, |part, key, half| {
            part.put(key, thing, half);
            None
        });
    }

    fn in_part(&self, key: K, act: impl FnOnce(&mut Part<K, V>, K, usize) -> Option<V>) -> Option<V> {
        let place = usize::try_from(self.hasher.hash_one(&key) % PARTS as u64).unwrap_or_default();
        let mut part = self.parts.get(place)?.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut part, key, self.half)
    }
}

impl<K: Hash + Eq, V> Part<K, V> {
    fn put(&mut self, key: K, thing: V, half: usize) {
        if self.new.len() >= half && !self.new.contains_key(&key) {
            self.aside = std::mem::take(&mut self.new);
        }
        self.new.insert(key, thing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let recent = Recent::new(1_000);
        recent.put(0, "kept".to_owned());
        for number in 1..100_000 {
            recent.put(number, number.to_string());
            assert_eq!(recent.get(0).as_deref(), Some("kept"), "{number}");
        }
        let known = (1..100_000).filter(|number| recent.get(*number).is_some()).count();
        assert!((400..=1_000).contains(&known), "{known}");
        assert_eq!(recent.get(99_999).as_deref(), Some("99999"));
        recent.put(99_999, "other".to_owned());
        assert_eq!(recent.get(99_999).as_deref(), Some("other"));
    }
}
