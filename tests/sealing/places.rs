//! Keys and places, without a database.

use crate::support::randomness;
use secrecy::{ExposeSecret as _, SecretSlice};
use widget_registry::auth::AccountId;
use widget_registry::sealing::{DataKey, Era, KeyEncryptionKey, Place, Sealed};
use widget_registry::sources::{NoRandomness, Secrets};

fn kek(byte: u8) -> KeyEncryptionKey {
    KeyEncryptionKey::of_bytes(&SecretSlice::from(vec![byte; 32])).unwrap()
}

fn account(id: i64) -> AccountId {
    AccountId::new(id).unwrap()
}

fn data_key(id: i64, number: i32) -> (Vec<u8>, DataKey) {
    let wrapped = kek(1).make(account(id), number, Era::Mixed, &randomness()).unwrap();
    let key = kek(1).open(account(id), number, &wrapped).unwrap();
    (wrapped, key)
}

#[test]
fn a_wrapped_key_opens_with_its_key_for_its_account_and_number_only() {
    let (wrapped, _) = data_key(1, 1);
    assert_eq!(wrapped.len(), 61);
    assert!(kek(2).open(account(1), 1, &wrapped).is_err());
    assert!(kek(1).open(account(2), 1, &wrapped).is_err());
    assert!(kek(1).open(account(1), 2, &wrapped).is_err());
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 0x80;
        assert!(kek(1).open(account(1), 1, &changed).is_err(), "byte {at}");
        assert!(kek(1).open(account(1), 1, &wrapped[..at]).is_err(), "cut at {at}");
    }
    // Another key takes it over, and then the first opens it no more; the key inside is the same.
    let place = Place::new("table", &[&1]);
    let value = kek(1).open(account(1), 1, &wrapped).unwrap().seal(&place, b"value", &randomness()).unwrap();
    let taken = kek(2).take_over(&kek(1), (account(1), 1, Era::Mixed), &wrapped, &randomness()).unwrap();
    assert!(kek(1).open(account(1), 1, &taken).is_err());
    let key = kek(2).open(account(1), 1, &taken).unwrap();
    assert_eq!(key.open(&place, &value).unwrap().expose_secret(), b"value");
    assert!(kek(2).take_over(&kek(3), (account(1), 1, Era::Mixed), &wrapped, &randomness()).is_err());
}

#[test]
fn what_a_wrapped_key_says_of_its_era_is_proved_and_never_taken_back() {
    let secrets = randomness();
    let wrapped = kek(1).make(account(1), 1, Era::AllSealed, &secrets).unwrap();
    assert_eq!((wrapped.len(), Era::of(&wrapped)), (61, Some(Era::AllSealed)));
    assert!(kek(1).open(account(1), 1, &wrapped).is_ok());
    for (era, other) in [(Era::Mixed, Era::AllSealed), (Era::AllSealed, Era::Mixed)] {
        let mut changed = kek(1).make(account(1), 1, era, &secrets).unwrap();
        changed[0] = other.byte();
        assert!(kek(1).open(account(1), 1, &changed).is_err(), "{era:?}");
        let taken = kek(2).take_over(
            &kek(1),
            (account(1), 1, other),
            &kek(1).make(account(1), 1, era, &secrets).unwrap(),
            &secrets,
        );
        assert_eq!(Era::of(&taken.unwrap()), Some(Era::AllSealed));
    }
}

#[test]
fn a_value_opens_with_its_key_at_its_place_only() {
    let keys = [data_key(1, 1).1, data_key(1, 1).1, data_key(1, 2).1, data_key(2, 1).1];
    // Places whose parts, put together, have the same letters are different ones.
    let places = [
        Place::new("a", &[&1, &"bc"]),
        Place::new("a", &[&"1b", &"c"]),
        Place::new("a1", &[&"bc"]),
        Place::new("a", &[&"1bc"]),
        Place::new("a", &[&1, &"bc", &""]),
    ];
    let secrets = randomness();
    for (k, key) in keys.iter().enumerate() {
        for (p, place) in places.iter().enumerate() {
            let sealed = key.seal(place, b"value", &secrets).unwrap();
            assert_eq!(sealed.key(), Some((key.account, key.id)));
            let again = Sealed::parse(sealed.bytes().to_vec()).unwrap();
            for (other_k, other_key) in keys.iter().enumerate() {
                for (other_p, other_place) in places.iter().enumerate() {
                    let opened = other_key.open(other_place, &again);
                    assert_eq!(opened.is_ok(), (k, p) == (other_k, other_p), "{k} {p} {other_k} {other_p}");
                }
            }
        }
    }
}

#[test]
fn the_same_value_is_never_sealed_alike_and_shows_nothing() {
    let (_, key) = data_key(1, 1);
    let place = Place::new("table", &[&1]);
    let seal = || key.seal(&place, b"value", &randomness()).unwrap().bytes().to_vec();
    let (one, other) = (seal(), seal());
    assert_ne!(one, other);
    assert_eq!(one.len(), 13 + 12 + 5 + 16);
    assert!(!one.windows(5).any(|window| window == b"value"));
    let shown = format!("{key:?} {:?} {:?}", kek(1), Sealed::parse(one).unwrap());
    assert_eq!(shown, format!("DataKey(1, 1) KeyEncryptionKey({}) Sealed(Some((AccountId(1), 1)))", kek(1).id));
    let broken = Secrets::new(|_| Err(NoRandomness));
    assert!(key.seal(&place, b"value", &broken).is_err(), "a nonce is never left to chance");
}
