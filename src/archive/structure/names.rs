//! What an entry may be called.

use unicode_normalization::UnicodeNormalization;

use super::Record;
use super::directory::Entry;
use crate::archive::finding::{Findings, Place, shown};
use crate::archive::finding_code::FindingCode;
use crate::archive::limits::Limits;

/// Checks the entry's name; `None` when it, or anything else about the entry, was found wrong.
pub(super) fn into_record(entry: Entry, limits: &Limits, findings: &mut Findings) -> Option<Record> {
    let place = entry.place();
    let directory = entry.is_directory();
    let Entry { name, name_length, sound, method, crc, packed, unpacked, data_at, .. } = entry;
    if name.len() < usize::from(name_length) {
        return None;
    }
    let Ok(mut path) = String::from_utf8(name) else {
        let message = "The entry's name is not UTF-8; pack the files with names in UTF-8, or rename the file.";
        findings.add(FindingCode::EntryNameEncoding, place, message);
        return None;
    };
    if directory {
        path.pop();
    }
    let problems = check_name(&path, limits);
    for (code, message) in &problems {
        findings.add(*code, place.clone(), *message);
    }
    (sound && problems.is_empty()).then_some(Record { path, directory, method, crc, packed, unpacked, data_at })
}

/// Everything that is wrong with a path; a directory's comes without the slash at its end.
pub(in crate::archive) fn check_name(path: &str, limits: &Limits) -> Vec<(FindingCode, &'static str)> {
    let segments = || path.split('/');
    let bytes = path.as_bytes();
    let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1) == Some(&b':');
    let absolute = path.starts_with('/');
    let empty = segments().skip(usize::from(absolute)).any(str::is_empty);
    let dots = segments().any(|segment| segment == "." || segment == "..");
    [
        (
            path.chars().any(char::is_control),
            FindingCode::EntryNameControl,
            "The name has a control character; rename the file.",
        ),
        (
            path.contains('\\'),
            FindingCode::EntryNameBackslash,
            "The name has a backslash; pack the files with `/` between folders.",
        ),
        (
            absolute,
            FindingCode::EntryNameAbsolute,
            "The name is an absolute path; pack the files with paths relative to the widget's folder.",
        ),
        (
            drive,
            FindingCode::EntryNameDrive,
            "The name begins with a drive; pack the files with paths relative to the widget's folder.",
        ),
        (empty, FindingCode::EntryNameEmpty, "The name, or one segment of it, is empty; rename the file."),
        (
            dots,
            FindingCode::EntryNameDots,
            "The name has a segment `.` or `..`; pack the files with paths relative to the widget's folder.",
        ),
        (path.len() > limits.path, FindingCode::EntryNameTooLong, "The name is too long; rename the file."),
        (
            segments().count() > limits.depth,
            FindingCode::EntryNameTooDeep,
            "The name has too many folders; move the file up.",
        ),
    ]
    .into_iter()
    .filter_map(|(wrong, code, message)| wrong.then_some((code, message)))
    .collect()
}

/// Reports names that some file system or reader would take for the same, and files that are also folders; keeps the
/// first of each.
pub(super) fn refuse_twins(records: &mut Vec<Record>, findings: &mut Findings) {
    let mut order: Vec<(String, usize)> =
        records.iter().enumerate().map(|(index, record)| (sorting_key(&record.path), index)).collect();
    order.sort();
    let mut dropped = vec![false; records.len()];
    let mut previous: Option<(&str, usize)> = None;
    for (key, index) in &order {
        let found = previous.and_then(|(first_key, first)| {
            let (first, this) = (records.get(first)?, records.get(*index)?);
            clash(first_key, first, key, this)
        });
        match found {
            Some((code, place, message)) => {
                findings.add(code, place, message);
                if let Some(dropped) = dropped.get_mut(*index) {
                    *dropped = true;
                }
            }
            // A folder's children follow it in this order, so only the last key that differs can clash.
            None => previous = Some((key, *index)),
        }
    }
    let mut dropped = dropped.into_iter();
    records.retain(|_| !dropped.next().unwrap_or_default());
}

/// The name without its case and its Unicode form; `/` sorts before every other character, so that what is in a folder
/// follows the folder.
fn sorting_key(path: &str) -> String {
    path.nfc()
        .flat_map(char::to_lowercase)
        .nfc()
        .map(|character| if character == '/' { '\u{1}' } else { character })
        .collect()
}

fn clash(first_key: &str, first: &Record, key: &str, this: &Record) -> Option<(FindingCode, Place, String)> {
    let place = Place::entry(&this.path);
    let (first_name, name) = (shown(&first.path), shown(&this.path));
    let inside = key.strip_prefix(first_key).is_some_and(|rest| rest.starts_with('\u{1}'));
    if key == first_key && first.directory == this.directory {
        return Some(if first.path == this.path {
            (FindingCode::EntryDuplicate, place, format!("The archive has two entries `{name}`; keep one."))
        } else {
            let message = format!("`{name}` and `{first_name}` differ only in case or Unicode form; rename one.");
            (FindingCode::EntryTwin, place, message)
        });
    }
    if key == first_key || (inside && !first.directory) {
        let message = format!("`{first_name}` is a file and a folder at once; rename one.");
        return Some((FindingCode::EntryFileAndFolder, place, message));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(path: &str) -> Vec<FindingCode> {
        check_name(path, &Limits::default()).into_iter().map(|(code, _)| code).collect()
    }

    #[test]
    fn plain_paths_are_lawful() {
        for path in ["manifest.json", "images/лого.png", "a b/c.d/e", "ab:c", "1/2/3/4/5/6/7/8/9/10", &"x".repeat(512)]
        {
            assert_eq!(codes(path), [], "{path}");
        }
    }

    #[test]
    fn each_unlawful_path_has_its_code() {
        for (path, code) in [
            ("../a", FindingCode::EntryNameDots),
            ("a/./b", FindingCode::EntryNameDots),
            ("/a", FindingCode::EntryNameAbsolute),
            ("C:/a", FindingCode::EntryNameDrive),
            ("a\\b", FindingCode::EntryNameBackslash),
            ("a\0", FindingCode::EntryNameControl),
            ("a\u{85}b", FindingCode::EntryNameControl),
            ("", FindingCode::EntryNameEmpty),
            ("a//b", FindingCode::EntryNameEmpty),
            ("1/2/3/4/5/6/7/8/9/10/11", FindingCode::EntryNameTooDeep),
            (&"x".repeat(513), FindingCode::EntryNameTooLong),
        ] {
            assert_eq!(codes(path), [code], "{path:?}");
        }
    }

    fn twins(names: &[&str]) -> (Vec<FindingCode>, usize) {
        let mut records: Vec<Record> = names
            .iter()
            .map(|name| Record {
                path: name.trim_end_matches('/').into(),
                directory: name.ends_with('/'),
                method: 0,
                crc: 0,
                packed: 0,
                unpacked: 0,
                data_at: 0,
            })
            .collect();
        let mut findings = Findings::default();
        refuse_twins(&mut records, &mut findings);
        (findings.into_list().into_iter().map(|finding| finding.code).collect(), records.len())
    }

    #[test]
    fn twins_are_found_whatever_stands_between_them() {
        assert_eq!(twins(&["a", "a b", "a-b", "b/c", "b/", "B2"]), (vec![], 6));
        assert_eq!(twins(&["a", "b", "a"]), (vec![FindingCode::EntryDuplicate], 2));
        assert_eq!(twins(&["Logo.png", "b", "logo.PNG"]), (vec![FindingCode::EntryTwin], 2));
        assert_eq!(twins(&["\u{e9}", "e\u{301}"]), (vec![FindingCode::EntryTwin], 1));
        assert_eq!(twins(&["\u{c9}", "e\u{301}"]), (vec![FindingCode::EntryTwin], 1));
        assert_eq!(twins(&["a", "a!", "a/b", "a/c"]), (vec![FindingCode::EntryFileAndFolder; 2], 2));
        assert_eq!(twins(&["a/b/c", "A/b"]), (vec![FindingCode::EntryFileAndFolder], 1));
        assert_eq!(twins(&["a/", "a"]), (vec![FindingCode::EntryFileAndFolder], 1));
    }
}
