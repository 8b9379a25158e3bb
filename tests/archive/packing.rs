//! Packing, and reading what was packed.

use std::io::Cursor;

use widget_registry::archive::{Files, Limits, PackError, ReadError, pack, read_file};

use super::builder::Entry;
use super::widget::{accepted, check, files, zip};

#[test]
fn the_same_files_give_the_same_bytes_in_any_order() {
    let mut reversed = files();
    reversed.reverse();
    assert_eq!(pack(&files()).unwrap(), pack(&reversed).unwrap());
}

#[test]
fn a_packed_widget_is_accepted_and_its_files_come_back() {
    let bytes = pack(&files()).unwrap();
    let package = accepted(check(bytes.clone()), &[]);
    assert_eq!(package.packed_size, bytes.len() as u64);
    let paths: Vec<_> = package.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["i18n/en.json", "i18n/ru.json", "images/logo.png", "manifest.json", "script.js"]);
    let mut opened = Files::open(Cursor::new(&bytes), &Limits::default()).unwrap();
    for ((name, content), file) in files().iter().zip(&package.files) {
        assert_eq!(&read_file(Cursor::new(&bytes), name, &Limits::default()).unwrap(), content);
        let mut read = Vec::new();
        opened.read(name, |piece| read.extend_from_slice(piece)).unwrap();
        assert_eq!(&read, content);
        assert_eq!(file.size, content.len() as u64);
        assert!(file.served);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
        assert_eq!(file.sha256, digest.as_ref());
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(package.sha256, digest.as_ref());
}

#[test]
fn unlawful_names_are_not_packed() {
    for name in ["", "/a", "../a", "a\\b", "C:/a", "a/", "a\0"] {
        let packed = pack(&[(name.to_owned(), Vec::new())]);
        assert!(matches!(packed, Err(PackError::Name { .. })), "{name:?}");
    }
    let twice = [("a".to_owned(), vec![1]), ("a".to_owned(), vec![2])];
    assert!(matches!(pack(&twice), Err(PackError::Duplicate(name)) if name == "a"));
}

#[test]
fn reading_says_why_it_cannot() {
    let bytes = zip().bytes();
    let limits = Limits::default();
    assert!(matches!(read_file(Cursor::new(&bytes), "none", &limits), Err(ReadError::NotFound)));
    let cut = bytes.get(..bytes.len() - 1).unwrap();
    assert!(matches!(read_file(Cursor::new(cut), "script.js", &limits), Err(ReadError::Refused)));
    let broken = zip().and(Entry::stored("a", b"x").both(|header| header.crc ^= 1)).bytes();
    assert!(matches!(read_file(Cursor::new(&broken), "a", &limits), Err(ReadError::Broken(_))));
}
